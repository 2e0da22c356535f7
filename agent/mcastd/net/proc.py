"""Which groups the kernel receives, from /proc: presence is exact there, by interface index.

Of sources it tells nothing that can be believed (/proc/net/mcfilter leaves interfaces out), so it
is not asked for them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc/net")

Users = dict[int, dict[bytes, int]]
"""By interface index and group (4 or 16 bytes): how many sockets and kernel users want it."""


def users(proc: Path = PROC) -> Users:
    """Of all interfaces. OSError if the IPv4 part cannot be read; a host may be without IPv6."""
    found: Users = {}
    for index, group, count in groups_v4((proc / "igmp").read_bytes()):
        found.setdefault(index, {})[group] = count
    try:
        text = (proc / "igmp6").read_bytes()
    except FileNotFoundError:
        return found
    for index, group, count in groups_v6(text):
        found.setdefault(index, {})[group] = count
    return found


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
