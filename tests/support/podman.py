"""A container of podman's in a namespace of the lab, made of the machine's own /usr: no image is
fetched."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from mcastd_lab import Namespace

from support.host_lab import eventually

PYTHON = "/usr/bin/python3"
CONTROL_GROUPS = Path("/sys/fs/cgroup")


class Container:
    """`number`: as podman has it. `process`: podman itself, with the program's streams."""

    def __init__(self, number: str, process: subprocess.Popen[str]) -> None:
        self.number = number
        self.process = process


@contextmanager
def container(
    namespace: Namespace, program: str, *arguments: str, user: int
) -> Iterator[Container]:
    """A Python program that has said a line. The test is skipped, with podman's reason, where it
    cannot run containers."""
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    if not Path(PYTHON).exists():
        pytest.skip(f"there is no {PYTHON} to run in a container")
    # pytest's own directories have longer names than podman takes.
    with tempfile.TemporaryDirectory(prefix="mcastd-podman-") as place:
        yield from running(namespace, Path(place), program, arguments, user)


def running(
    namespace: Namespace, place: Path, program: str, arguments: Sequence[str], user: int
) -> Iterator[Container]:
    number, parent = place / "number", place.name
    command = [
        *podman(place), "run", "--rm", "--interactive", "--cidfile", str(number),
        "--cgroup-parent", f"/{parent}", "--network", f"ns:/run/netns/{namespace.name}",
        "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--user", str(user),
        "--volume", "/usr:/usr:ro", "--rootfs", str(root(place)), PYTHON, "-c", program, *arguments,
    ]  # fmt: skip
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            _, said = process.communicate()
            pytest.skip(f"podman cannot run a container here: {said.strip()[-200:]}")
        yield Container(number.read_text().strip(), process)
    finally:
        if process.poll() is None:
            process.communicate()  # its input ends, and it with it
        eventually("no control groups are left", partial(are_removed, parent))


def are_removed(parent: str) -> bool:
    """Those of the container, as far as they are empty by now: podman ends after it."""
    left = sorted(CONTROL_GROUPS.glob(f"*/{parent}/**/"), reverse=True)
    for each in left:
        with suppress(OSError):
            each.rmdir()
    return not left


def podman(place: Path) -> Sequence[str]:
    """With everything of its own, and by the runtime that runs with either version of cgroups."""
    runtime = ["--runtime", "runc"] if shutil.which("runc") else []
    return [
        "podman", *runtime, "--root", str(place / "store"), "--runroot", str(place / "run"),
        "--cgroup-manager", "cgroupfs", "--storage-driver", "vfs", "--events-backend", "none",
    ]  # fmt: skip


def root(place: Path) -> Path:
    """The container's file system, of which /usr is the machine's."""
    made = place / "root"
    for name in ("usr", "etc", "proc", "sys", "dev", "tmp", "run"):
        (made / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (made / name).symlink_to(f"usr/{name}")
    return made
