"""What was counted of a pair at one moment, out of the memory that C and Python share."""

from __future__ import annotations

from typing import Any, NamedTuple

from mcastd._native import ffi
from mcastd._native import lib as abi
from mcastd.gmp.time import Duration, Instant
from mcastd.streams.sample import FORMATS

PAIR_SIZE: int = ffi.sizeof("struct mcast_pair")
LEG_KEY_SIZE: int = ffi.sizeof("struct mcast_leg_key")

SECOND = 1_000_000_000

BUSY = 50_000_000
"""Nanoseconds: of a pair whose last packet is younger, nothing is decided that its packets do not
decide themselves; it may be written while it is read."""


class LegSample(NamedTuple):
    """Of one leg. `packets`: of its stream; `brought`: numbers that it brought; `alone`: those that
    are decided and the other leg did not bring; `late`: packets whose number was decided already;
    `strangers`: packets of other sources. `last`, `last_numbered`: when the last packet came, and
    the last with a number. `identity`: whose its numbers are.
    """

    packets: int
    brought: int
    alone: int
    late: int
    strangers: int
    last: Instant | None
    last_numbered: Instant | None
    format: str
    identity: tuple[int, ...]
    source: bytes


class Skew(NamedTuple):
    """Of one second: b's arrival less a's. The median is right to a sixteenth of itself."""

    median: Duration
    largest: Duration


class PairSample(NamedTuple):
    """Numbers that are decided: `both` legs brought them, or `neither`; `undecided`: in the window.

    `begun`: how often counting began (anew). `apart_since`: since when the legs do not match.
    `missed`: packets that were not counted in the pair. `skew`: of the last whole second.
    """

    both: int
    neither: int
    undecided: int
    begun: int
    apart_since: Instant | None
    missed: int
    legs: tuple[LegSample, LegSample]
    skew: Skew | None

    @property
    def decided(self) -> int:
        return self.both + self.neither + self.legs[0].alone + self.legs[1].alone

    def lost(self, leg: int) -> int:
        """Numbers that are decided, and the leg (0 or 1) did not bring."""
        return self.neither + self.legs[1 - leg].alone

    @classmethod
    def unpack(cls, data: bytes, now: Instant, *, busy: int = 0) -> PairSample:
        """struct mcast_pair, as it is `now`; `busy`: BUSY, if it may be written meanwhile."""
        pair = ffi.new("struct mcast_pair *")
        ffi.memmove(pair, data, PAIR_SIZE)
        if now - pair.latest >= busy:
            abi.mcast_pair_look(pair, now)
        return cls(
            pair.both,
            pair.neither,
            pair.highest + 1 - pair.decided if pair.is_begun else 0,
            pair.begun,
            Instant(pair.apart_since) if pair.apart_since else None,
            pair.missed,
            (_leg(pair.legs[0]), _leg(pair.legs[1])),
            _skew(pair.skews, now),
        )


def _leg(leg: Any) -> LegSample:
    return LegSample(
        leg.packets,
        leg.brought,
        leg.alone,
        leg.late,
        leg.strangers,
        Instant(leg.last) if leg.is_known else None,
        Instant(leg.last_numbered) if leg.is_numbered else None,
        FORMATS[leg.format],
        tuple(leg.identity),
        bytes(leg.source),
    )


def _skew(seconds: Any, now: Instant) -> Skew | None:
    for skews in seconds:
        if skews.second == now // SECOND - 1 and skews.count:
            above, below = list(skews.counts[0]), list(skews.counts[1])
            median = median_of(above, below)
            size = min(abs(median), abs(skews.largest))
            return Skew(Duration(size if median >= 0 else -size), Duration(skews.largest))
    return None


def median_of(above: list[int], below: list[int]) -> int:
    """Nanoseconds: the middle of the class that half of them are within, from the lowest up."""
    classes = [(-middle_of(n), below[n]) for n in reversed(range(len(below)))]
    classes += [(middle_of(n), above[n]) for n in range(len(above))]
    total, passed = sum(above) + sum(below), 0
    for middle, count in classes:
        passed += count
        if count and 2 * passed >= total:
            return middle
    return 0


def middle_of(number: int) -> int:
    """Of a class of skews: eight to a power of two, from 1,024 ns up; the first holds all below."""
    if not number:
        return 512
    power, eighth = divmod(number - 1, 8)
    return ((2 * (8 + eighth) + 1) << (power + 10)) // 16
