"""What was counted of a stream at one moment, out of the memory that C and Python share."""

from __future__ import annotations

import struct
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from mcastd._native import ffi
from mcastd._native import lib as abi

FORMATS = ("none", "rtp", "mpegts", "rtp+mpegts", "sacn", "moldudp64", "custom")
"""By enum mcast_format."""

GAP_BOUNDS = tuple(62_500 << power for power in range(abi.MCAST_GAPS - 1))
"""Nanoseconds: the longest gap that each class holds; the last class, behind these, has no end."""

GAP_NAMES = (*(f"{bound / 1_000_000:g}" for bound in GAP_BOUNDS), "inf")
"""The same in milliseconds."""

SIZE: int = ffi.sizeof("struct mcast_stream")
KEY_SIZE: int = ffi.sizeof("struct mcast_stream_key")

_KEY = struct.Struct("=I3H2B16s16s")
_COUNTS = struct.Struct("=13Q")
_GAPS = struct.Struct(f"={abi.MCAST_GAPS}Q")
_GAPS_AT: int = ffi.offsetof("struct mcast_stream", "gaps")
_TTL_AT: int = ffi.offsetof("struct mcast_stream", "ttl")
_FORMAT_AT: int = ffi.offsetof("struct mcast_stream", "format")

assert _KEY.size == KEY_SIZE
assert _COUNTS.size == ffi.offsetof("struct mcast_stream", "highest")
assert len(FORMATS) == abi.MCAST_FORMATS


class Key(NamedTuple):
    """Which stream: addresses are packed; `vlan`: tags, outermost first; `port`: destination's."""

    ifindex: int
    vlan: tuple[int, ...]
    source: bytes
    group: bytes
    port: int

    @classmethod
    def unpack(cls, data: bytes) -> Key:
        """struct mcast_stream_key."""
        ifindex, outer, inner, port, tags, width, source, group = _KEY.unpack(data)
        return cls(ifindex, (outer, inner)[:tags], source[:width], group[:width], port)

    def pack(self) -> bytes:
        """struct mcast_stream_key."""
        outer, inner = (*self.vlan, 0, 0)[:2]
        parts = (self.port, len(self.vlan), len(self.group), self.source, self.group)
        return _KEY.pack(self.ifindex, outer, inner, *parts)


Numbers = tuple[int | None, int | None, int | None, int | None]


class Sample(NamedTuple):
    """struct mcast_stream: counts since the stream was seen first; times in nanoseconds.

    `lost`, `reordered`, `duplicates` and `resets` are None where the format has none; `received` is
    what `lost` is lost of, in the same unit. `gaps`: how many, by class. `size`: bytes of IP.
    `ttl`: of the last packet, or its hop limit.
    """

    packets: int
    size: int
    first: int
    last: int
    longest_gap: int | None
    gaps: tuple[int, ...]
    format: str
    lost: int | None
    reordered: int | None
    duplicates: int | None
    resets: int | None
    received: int
    ttl: int = 0

    @classmethod
    def unpack(cls, data: bytes) -> Sample:
        (
            _, packets, size, first, last, longest,
            lost, reordered, duplicates, resets, ts_lost, ts_received, received,
        ) = _COUNTS.unpack_from(data)  # fmt: skip
        number = data[_FORMAT_AT]
        numbers: Numbers = (lost, reordered, duplicates, resets)
        if number == abi.MCAST_FORMAT_NONE:
            numbers, received = (None, None, None, None), 0
        elif number == abi.MCAST_FORMAT_MPEGTS:
            numbers, received = (ts_lost, None, None, None), ts_received
        gaps = _GAPS.unpack_from(data, _GAPS_AT)
        gap = longest if packets > 1 else None
        name = FORMATS[number]
        return cls(packets, size, first, last, gap, gaps, name, *numbers, received, data[_TTL_AT])

    @staticmethod
    def packets_in(data: bytes) -> int:
        """Only how many packets there were: whether anything has changed."""
        return int.from_bytes(data[8:16], "little" if struct.pack("=H", 1)[0] else "big")

    def usual_gap(self) -> int | None:
        """The class's bound that at least half of the gaps are within, in nanoseconds.

        None before there is a gap, or if it has no bound.
        """
        total, passed = sum(self.gaps), 0
        if not total:
            return None
        for bound, count in zip(GAP_BOUNDS, self.gaps, strict=False):
            passed += count
            if 2 * passed >= total:
                return bound
        return None


@lru_cache(maxsize=16384)
def address_text(address: bytes) -> str:
    return str(ip_address(address))
