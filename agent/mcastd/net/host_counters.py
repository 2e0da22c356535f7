"""Reads the kernel's counters of the network namespace, by the names of nstat(8)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc/net")

WITH_HEADS = ("snmp", "netstat")
"""Two lines each: names, then values."""


def host_counters(proc: Path = PROC) -> dict[str, int]:
    """By name, such as "TcpExtIPReversePathFilter"; what cannot be read is left out."""
    found: dict[str, int] = {}
    for name in WITH_HEADS:
        found.update(with_heads(text_of(proc / name)))
    found.update(one_a_line(text_of(proc / "snmp6")))
    return found


def with_heads(text: str) -> Iterator[tuple[str, int]]:
    """Of /proc/net/snmp and netstat. A value may be negative (TcpMaxConn)."""
    lines = text.splitlines()
    for head, values in zip(lines[::2], lines[1::2], strict=False):
        group, _, names = head.partition(":")
        for name, value in zip(names.split(), values.partition(":")[2].split(), strict=False):
            if value.lstrip("-").isdigit():
                yield group + name, int(value)


def one_a_line(text: str) -> Iterator[tuple[str, int]]:
    """Of /proc/net/snmp6."""
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.strip().isdigit():
            yield name.strip(), int(value)


def text_of(path: Path) -> str:
    """What cannot be read says nothing."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
