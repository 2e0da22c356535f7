"""Reads the rules of the host's firewall by the firewall's own tools, and changes nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

PATIENCE_SECONDS = 5.0

PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))

USUAL = {"ip": "iptables-save", "ip6": "ip6tables-save"}

LEGACY = {
    "ip": (Path("/proc/net/ip_tables_names"), "iptables-legacy-save"),
    "ip6": (Path("/proc/net/ip6_tables_names"), "ip6tables-legacy-save"),
}
"""Not empty if tables of the old kind are in use, and what shows them."""


class FirewallText(NamedTuple):
    """`nft`: JSON of `nft -j list ruleset`, empty without it; `tables`: by family and command, the
    output of iptables-save(8); `problems`: what could not be looked at, and why.
    """

    nft: str
    tables: tuple[tuple[str, str, str], ...]
    problems: tuple[str, ...]


def firewall_text() -> FirewallText:
    """Family "ip" or "ip6", the command that shows it, and the text."""
    legacy = [(family, of) for family, (names, of) in LEGACY.items() if holds_something(names)]
    problems = list(lacking([command for _, command in legacy]))
    nft = output(["nft", "-j", "list", "ruleset"], problems)
    tables = []
    for family, command in (*USUAL.items(), *legacy):
        if command != USUAL[family] and program(command) == program(USUAL[family]):
            continue  # it is that one by another name
        shown = output([command, "-c"], problems)
        if shown:
            tables.append((family, f"{command} -c", shown))
    return FirewallText(nft, tuple(tables), tuple(problems))


def lacking(legacy: Iterable[str]) -> Iterator[str]:
    """What cannot be looked at because a tool is not installed. `legacy`: those that are needed."""
    if program("nft") is None:
        if program(USUAL["ip"]) is None:
            yield "the host's firewall: neither nft(8) nor iptables-save(8) is installed"
        else:
            yield "rules that iptables does not know: nft(8) is not installed"
    for command in legacy:
        if program(command) is None:
            yield f"tables of the old kind, which are in use: {command}(8) is not installed"


def program(command: str) -> str | None:
    """Its file, whatever other names that has; None if it is not installed."""
    found = shutil.which(command, path=PATH)
    return None if found is None else os.path.realpath(found)


def holds_something(path: Path) -> bool:
    try:
        return bool(path.read_bytes().strip())
    except OSError:
        return False


def output(command: list[str], problems: list[str]) -> str:
    """What the command prints; empty if it is not installed, or fails, which is a problem."""
    found = shutil.which(command[0], path=PATH)
    if found is None:
        return ""
    try:
        done = subprocess.run(
            [found, *command[1:]],
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
