"""What the kernel says it receives, from /proc: groups, and their sources as far as it tells.

An INCLUDE and an any-source request of two sockets look alike there, so this is where to begin, not
where to end: what the host reports on the wire is exact.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

PROC = Path("/proc/net")


def memberships(interface: str, proc: Path = PROC) -> dict[bytes, tuple[str, tuple[bytes, ...]]]:
    """By group, the filter mode ("include" or "exclude") and sources on the interface.

    Groups have 4 or 16 bytes. Whatever cannot be read is as if it were not there.
    """
    included: defaultdict[bytes, set[bytes]] = defaultdict(set)
    excluded: defaultdict[bytes, set[bytes]] = defaultdict(set)
    for group, source, includes, excludes in filters(interface, proc):
        if includes:
            included[group].add(source)
        elif excludes:
            excluded[group].add(source)
    groups = [*groups_v4(interface, proc), *groups_v6(interface, proc)]
    return {
        group: ("include", tuple(sorted(included[group])))
        if group in included
        else ("exclude", tuple(sorted(excluded.get(group, ()))))
        for group in groups
    }


def lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def groups_v4(interface: str, proc: Path) -> Iterator[bytes]:
    """/proc/net/igmp: a line for each device, its groups below it as words in host order."""
    current = ""
    for line in lines(proc / "igmp")[1:]:
        fields = line.split()
        if not line.startswith("\t") and len(fields) > 1:
            current = fields[1].rstrip(":")
        elif current == interface and fields:
            yield struct.pack("=I", int(fields[0], 16))


def groups_v6(interface: str, proc: Path) -> Iterator[bytes]:
    """/proc/net/igmp6: index, device, group."""
    for line in lines(proc / "igmp6"):
        fields = line.split()
        if len(fields) > 2 and fields[1] == interface:
            yield bytes.fromhex(fields[2])


def filters(interface: str, proc: Path) -> Iterator[tuple[bytes, bytes, int, int]]:
    """/proc/net/mcfilter and mcfilter6: group, source, including and excluding sockets."""
    for name in ("mcfilter", "mcfilter6"):
        for line in lines(proc / name)[1:]:
            fields = line.split()
            if len(fields) < 6 or fields[1] != interface:
                continue
            group, source = (packed(text) for text in fields[2:4])
            yield group, source, int(fields[4]), int(fields[5])


def packed(text: str) -> bytes:
    """An address as the kernel prints it: 0x and a number for IPv4, 32 digits for IPv6."""
    if text.startswith("0x"):
        return ip_address(int(text, 16)).packed
    return bytes.fromhex(text)
