"""Reads from /proc which groups the kernel receives, by interface index.

Of sources it tells nothing that can be believed (/proc/net/mcfilter leaves interfaces out), so it
is not asked for them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc/net")

Users = dict[int, dict[bytes, int]]
"""By interface index and group (4 or 16 bytes): how many sockets and kernel users want it."""


class Receives(NamedTuple):
    """What the kernel says of all interfaces. `igmp_versions`: what it speaks on each, by index."""

    users: Users
    igmp_versions: dict[int, int]


def receives(proc: Path = PROC) -> Receives:
    """OSError if the IPv4 part cannot be read; a host may be without IPv6."""
    found: Users = {}
    text = (proc / "igmp").read_bytes()
    for index, group, count in groups_v4(text):
        found.setdefault(index, {})[group] = count
    said = Receives(found, dict(versions(text)))
    try:
        text = (proc / "igmp6").read_bytes()
    except FileNotFoundError:
        return said
    for index, group, count in groups_v6(text):
        found.setdefault(index, {})[group] = count
    return said


def users(proc: Path = PROC) -> Users:
    """Likewise, of the groups alone."""
    return receives(proc).users


def versions(text: bytes) -> Iterator[tuple[int, int]]:
    """Of /proc/net/igmp: an interface's index and V1, V2 or V3, the last column of its line."""
    for line in text.split(b"\n")[1:]:
        if line[:1].isdigit():
            index, *_, spoken = line.split()
            if spoken[:1] == b"V" and spoken[1:].isdigit():
                yield int(index), int(spoken[1:])


def groups_v4(text: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Of /proc/net/igmp: a line for each device, its groups below it as words in host order.

    Bytes, because a device's name is any bytes, and what text takes for white space is more.
    """
    index = 0
    for line in text.split(b"\n")[1:]:
        fields = line.split()
        if not line.startswith(b"\t"):
            index = int(fields[0]) if fields and fields[0].isdigit() else 0
        elif index and len(fields) > 1:
            yield index, struct.pack("=I", int(fields[0], 16)), int(fields[1])


def groups_v6(text: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Of /proc/net/igmp6: index, device, group, users."""
    for line in text.split(b"\n"):
        fields = line.split()
        if len(fields) > 3:
            yield int(fields[0]), bytes.fromhex(fields[2].decode()), int(fields[3])
