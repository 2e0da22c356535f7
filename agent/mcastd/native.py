"""The typed face of the C module: source lists, checksums, packing, rings.

A source list is a set of addresses of one family, kept as the bytes that stand in a group record:
addresses of `width` bytes in network order, strictly ascending, one after the other.

The work is done by the functions of native/*.h, which `mcastd._native.lib` offers through cffi.
What is called for every group or message comes with an interface to Python of its own: a call
through cffi alone takes as long as a set of 16 addresses needs for the whole operation.

Every function and operator may be used from several threads at once: lists never change, and no
buffer is shared between calls. Operations on a mebibyte or more let other threads run meanwhile.
Where memory runs out, MemoryError is raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from itertools import zip_longest
from operator import and_

from mcastd import _native

if _native.lib.mcast_add_python_face() < 0:
    raise ImportError("mcastd._native does not fit this Python")

MERGED_LEAST = 8
"""Mean length from which lists are merged one with one; shorter ones are sorted all together."""


class SourceList(_native.PackedList):
    """An immutable set of addresses, packed and ascending.

    `packed` holds len(self) addresses of `width` bytes (4 or 16), network order, strictly
    ascending. Operators are those of `frozenset`: | & - in <= < >= > == and hash(). Both sides have
    the same width; ValueError if not. A result that is the same set as an operand may be that
    operand.

    SourceList(packed, width) takes bytes that are known to be ascending, and does not look;
    SourceList.from_wire(addresses, width) sorts, and drops repeated addresses. Both raise
    ValueError if the bytes are not a whole number of addresses.
    """

    __slots__ = ()

    @classmethod
    def of(cls, addresses: Iterable[bytes], width: int) -> SourceList:
        """From single addresses in any order."""
        return cls.from_wire(b"".join(addresses), width)

    def __iter__(self) -> Iterator[bytes]:
        """The addresses, ascending."""
        packed, width = self.packed, self.width
        return (packed[i : i + width] for i in range(0, len(packed), width))

    def __repr__(self) -> str:
        return f"SourceList({self.packed.hex()!r}, {self.width})"

    def __reduce__(self) -> tuple[type[SourceList], tuple[bytes, int]]:
        return SourceList, (self.packed, self.width)

    def slices(self, most: int) -> Iterator[SourceList]:
        """The same addresses in lists of at most `most`, ascending."""
        packed, width = self.packed, self.width
        step = most * width
        return (
            SourceList(packed[start : start + step], width) for start in range(0, len(packed), step)
        )

    def first(self, most: int) -> SourceList:
        """The lowest `most` addresses."""
        return SourceList(self.packed[: most * self.width], self.width)


difference_pair = _native.difference_pair
"""difference_pair(a, b): what only `a` has and what only `b` has, in one pass."""

checksum = _native.checksum
"""checksum(data, initial=0): the Internet checksum of any bytes (RFC 1071).

0 over a message that carries its own. `initial` is a sum of 16-bit words to start from, such as a
pseudo-header's, of at most 32 bits. An odd last byte counts as the upper half of a word.
"""

icmpv6_checksum = _native.icmpv6_checksum
"""icmpv6_checksum(source, destination, message): with the pseudo-header of RFC 8200 §8.1.

The addresses are 16 bytes each. 0 over a message that carries its own.
"""

checksum_update = _native.checksum_update
"""checksum_update(old, removed, added): the checksum of a message some words of which changed.

`removed` and `added` are sums of 16-bit words (RFC 1624), of at most 32 bits.
"""

RecordTable = _native.RecordTable
"""RecordTable(width): the current-state records of all groups, ascending by group.

`put(group, type, sources)` adds or replaces a group's record, of the wire's type; with type 0
nothing is told of it. `drop(group)` removes it; KeyError if there is none. Both take logarithmic
time.

`groups(behind, most)` has the next groups behind one that need not be there; b"" is before all.

`pack(message_type, room, position, most)` makes the messages of reports, in the groups' order: at
most `most` of them, with `room` bytes of records each, their checksums left 0. An INCLUDE of more
sources than a message holds goes on in the next one; of an EXCLUDE only the lowest sources are told
(RFC 9776 §4.2.17). The messages come with the position behind them: a group, and the last of its
sources that was told, if it is not told to the end; None when all is told. (b"", b"") is the start.
The table may change between two calls.
"""

Captured = _native.Captured
"""An event of a ring; `mcastd.fastpath.Captured` says what it tells."""

RingReader = _native.RingReader
"""RingReader(fd, size): the reading end of the BPF ring of `size` bytes behind a descriptor.

`drain(most)` returns the oldest events; what they say is copied, once, and their room in the ring
is free again. OSError if the ring cannot be mapped. The descriptor stays the caller's.
"""


def union_all(lists: Iterable[SourceList], width: int) -> SourceList:
    """The union of any number of lists; empty for none (RFC 9776 §3.2)."""
    every = [each for each in lists if each]
    packed = [each.packed for each in every]
    if sum(map(len, packed)) < MERGED_LEAST * width * len(packed):
        return SourceList.from_wire(b"".join(packed), width)
    empty = SourceList(b"", width)
    while len(every) > 1:
        every = [a | b for a, b in zip_longest(every[::2], every[1::2], fillvalue=empty)]
    return every[0] if every else empty


def intersection_all(lists: Iterable[SourceList]) -> SourceList:
    """What all lists have in common; there is at least one (RFC 9776 §3.2)."""
    return reduce(and_, sorted(lists, key=len))
