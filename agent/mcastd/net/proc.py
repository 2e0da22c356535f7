"""What the kernel says it receives, from /proc: groups, and their sources as far as it tells.

An INCLUDE and an any-source request of two sockets look alike there, so this is where to begin, not
where to end: what the host reports on the wire is exact. Interfaces are told by their index: their
names are cut there, and may be any bytes.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

PROC = Path("/proc/net")

Memberships = dict[bytes, tuple[str, tuple[bytes, ...]]]
"""By group of 4 or 16 bytes, the filter mode ("include" or "exclude") and the sources."""


def memberships(index: int, proc: Path = PROC) -> Memberships:
    """Of one interface. Whatever cannot be read is as if it were not there."""
    return all_memberships(proc, index).get(index, {})


def all_memberships(proc: Path = PROC, only: int | None = None) -> dict[int, Memberships]:
    """Of each interface that receives anything, by index; all are read at once."""
    included: defaultdict[tuple[int, bytes], set[bytes]] = defaultdict(set)
    excluded: defaultdict[tuple[int, bytes], set[bytes]] = defaultdict(set)
    for index, group, source, includes, excludes in filters(proc, only):
        if includes:
            included[index, group].add(source)
        elif excludes:
            excluded[index, group].add(source)
    found: dict[int, Memberships] = {}
    for key in (*groups_v4(proc, only), *groups_v6(proc, only)):
        index, group = key
        sources = included.get(key)
        found.setdefault(index, {})[group] = (
            ("include", tuple(sorted(sources)))
            if sources is not None
            else ("exclude", tuple(sorted(excluded.get(key, ()))))
        )
    return found


def lines(path: Path) -> list[bytes]:
    """Bytes: in text, Python takes characters for white space that a name may have."""
    try:
        return path.read_bytes().split(b"\n")
    except OSError:
        return []


def groups_v4(proc: Path, only: int | None) -> Iterator[tuple[int, bytes]]:
    """/proc/net/igmp: a line for each device, its groups below it as words in host order."""
    current: int | None = None
    for line in lines(proc / "igmp")[1:]:
        if not line.startswith(b"\t"):
            current = number(line.partition(b"\t")[0])
        elif current is not None and only in (None, current) and (fields := line.split()):
            yield current, struct.pack("=I", int(fields[0], 16))


def groups_v6(proc: Path, only: int | None) -> Iterator[tuple[int, bytes]]:
    """/proc/net/igmp6: index, device, group."""
    for line in lines(proc / "igmp6"):
        fields = line.split()
        index = number(fields[0]) if len(fields) > 2 else None
        if index is not None and only in (None, index):
            yield index, bytes.fromhex(fields[2].decode())


def filters(proc: Path, only: int | None) -> Iterator[tuple[int, bytes, bytes, int, int]]:
    """/proc/net/mcfilter and mcfilter6: group, source, including and excluding sockets."""
    for name in ("mcfilter", "mcfilter6"):
        for line in lines(proc / name)[1:]:
            fields = line.split()
            index = number(fields[0]) if len(fields) >= 6 else None
            if index is None or only not in (None, index):
                continue
            group, source = (packed(text.decode()) for text in fields[2:4])
            yield index, group, source, int(fields[4]), int(fields[5])


def number(text: bytes) -> int | None:
    return int(text) if text.isdigit() else None


def packed(text: str) -> bytes:
    """An address as the kernel prints it: 0x and a number for IPv4, 32 digits for IPv6."""
    if text.startswith("0x"):
        return ip_address(int(text, 16)).packed
    return bytes.fromhex(text)
