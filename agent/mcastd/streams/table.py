"""The native table: packets in, streams out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from mcastd._native import ffi, lib
from mcastd.gmp.time import Duration, Instant
from mcastd.streams.formats import StreamFormat
from mcastd.streams.pair_sample import PAIR_SIZE, PairSample
from mcastd.streams.pairs import WINDOW, Pair, packed_legs
from mcastd.streams.sample import FORMATS, KEY_SIZE, SIZE, Key, Sample

MOST_STREAMS = 4096
MOST_FORMATS: int = lib.MCAST_STREAM_FORMATS


class Link(IntEnum):
    """What a packet begins with (enum mcast_link)."""

    ETHERNET = 0
    COOKED = 1
    IP = 2


class Second(NamedTuple):
    """Packets and bytes (`sizes`) in one second, since 1970, and in the one before."""

    second: int
    packets: tuple[int, int]
    sizes: tuple[int, int]

    def counted_in(self, second: int) -> tuple[int, int]:
        """Packets and bytes in that second."""
        if second == self.second:
            return self.packets[1], self.sizes[1]
        if second == self.second - 1:
            return self.packets[0], self.sizes[0]
        return 0, 0


class Rest(NamedTuple):
    """What was counted besides streams: later fragments, and packets without room."""

    fragments: int
    untracked: int


def packed_formats(formats: Sequence[StreamFormat]) -> Any:
    """struct mcast_stream_format[], as the program and the table want it."""
    made = ffi.new("struct mcast_stream_format[]", max(len(formats), 1))
    for place, each in zip(made, formats, strict=False):
        group, mask = each.groups.network_address.packed, each.groups.netmask.packed
        place.group[0 : len(group)] = group
        place.mask[0 : len(mask)] = mask
        place.width = len(group)
        place.port = each.port or 0
        place.format = FORMATS.index(each.format)
        place.offset, place.size, place.count = each.offset, each.width, each.step
    return made


class StreamTable:
    """Counts streams of packets that are given; the first `most` of them have room."""

    def __init__(self, formats: Sequence[StreamFormat] = (), most: int = MOST_STREAMS) -> None:
        seed = int.from_bytes(os.urandom(8))
        made = lib.mcast_streams_new(most, packed_formats(formats), len(formats), seed)
        if not made:
            raise MemoryError
        self._table = ffi.gc(made, lib.mcast_streams_free)

    def take(self, data: bytes, length: int, link: Link, interface: int, now: int) -> None:
        """A packet of `length` bytes on the wire that came at `now`, ns since 1970."""
        lib.mcast_streams_take(self._table, data, len(data), length, link, interface, now)

    def use_pairs(
        self, pairs: Sequence[Pair], indices: Mapping[str, int], window: Duration = WINDOW
    ) -> None:
        """These are pairs from now on; `indices`: of the interfaces that are known, by name."""
        legs = packed_legs(pairs, indices)
        if not lib.mcast_streams_use_legs(self._table, legs, 2 * len(pairs), window):
            raise MemoryError

    def pair(self, number: int, now: Instant) -> PairSample:
        """What was counted of a pair by that time (ns since 1970)."""
        kept = lib.mcast_streams_pair(self._table, number)
        return PairSample.unpack(bytes(ffi.buffer(kept, PAIR_SIZE)), now)

    def __len__(self) -> int:
        return int(lib.mcast_streams_count(self._table))

    def __iter__(self) -> Iterator[tuple[Key, Sample, Second]]:
        """In the order of the streams' first packets."""
        for number in range(len(self)):
            entry = lib.mcast_streams_entry(self._table, number)
            yield (
                Key.unpack(bytes(ffi.buffer(ffi.addressof(entry, "key"), KEY_SIZE))),
                Sample.unpack(bytes(ffi.buffer(ffi.addressof(entry, "stream"), SIZE))),
                Second(entry.second, tuple(entry.packets), tuple(entry.bytes)),
            )

    @property
    def rest(self) -> Rest:
        rest = lib.mcast_streams_rest(self._table)
        return Rest(rest.fragments, rest.untracked)
