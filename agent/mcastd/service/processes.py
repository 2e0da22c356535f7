"""Finds in which container a process runs, by the path of its control group."""

from __future__ import annotations

import re
from pathlib import Path

PROC = Path("/proc")

CONTAINER = re.compile(r"[0-9a-f]{64}|[0-9a-f]{32}(?=[./]|$)")
"""Docker, containerd, CRI-O and podman call a container's group by its number; some, and
systemd-nspawn's machines, by a shorter one."""

MACHINE = re.compile(r"machine-([^/]+)\\.scope|/lxc(?:\\.payload)?[./]([^/]+)")
"""Those that have names instead: of machinectl, libvirt and LXC."""

SHOWN = 12
"""Digits of a number, as the tools of containers show it."""


def container_of(pid: int, proc: Path = PROC) -> str | None:
    """The container's number, shortened, or its name; None if it is in none, or is gone."""
    try:
        text = (proc / str(pid) / "cgroup").read_text(errors="replace")
    except OSError:
        return None
    numbers = CONTAINER.findall(text)
    if numbers:
        return str(numbers[-1][:SHOWN])
    named = MACHINE.search(text)
    return next(filter(None, named.groups())) if named else None
