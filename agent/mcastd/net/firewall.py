"""The rules of the host's firewall, as its own tools print them: nothing is changed or loaded."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

PATIENCE_SECONDS = 5.0

PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))

LEGACY = {
    "ip": (Path("/proc/net/ip_tables_names"), "iptables-legacy-save"),
    "ip6": (Path("/proc/net/ip6_tables_names"), "ip6tables-legacy-save"),
}
"""Not empty if tables of the old kind are in use, and what shows them."""


class FirewallText(NamedTuple):
    """`nft`: JSON of `nft -j list ruleset`, empty without it; `tables`: by family and command, the
    output of iptables-save(8); `problems`: what could not be read, and why.
    """

    nft: str
    tables: tuple[tuple[str, str, str], ...]
    problems: tuple[str, ...]


def firewall_text() -> FirewallText:
    """Family "ip" or "ip6", the command that shows it, and the text."""
    problems: list[str] = []
    nft = output(["nft", "-j", "list", "ruleset"], problems)
    commands = [("ip", "iptables-save"), ("ip6", "ip6tables-save")]
    commands += [
        (family, command) for family, (names, command) in LEGACY.items() if holds_something(names)
    ]
    tables = []
    for family, command in commands:
        shown = output([command, "-c"], problems)
        if shown:
            tables.append((family, f"{command} -c", shown))
    return FirewallText(nft, tuple(tables), tuple(problems))


def holds_something(path: Path) -> bool:
    try:
        return bool(path.read_bytes().strip())
    except OSError:
        return False


def output(command: list[str], problems: list[str]) -> str:
    """What the command prints; empty if it is not installed, or fails, which is a problem."""
    program = shutil.which(command[0], path=PATH)
    if program is None:
        return ""
    try:
        done = subprocess.run(
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        problems.append(f"{' '.join(command)}: {error}")
        return ""
    if done.returncode:
        said = done.stderr.strip().splitlines()
        problems.append(f"{' '.join(command)}: {said[0] if said else 'it failed'}")
        return ""
    return done.stdout
