"""In what state each pair is, and when that changes: samples and the time in, events out.

Pure: no clock, no kernel.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from mcastd.gmp.time import Duration, Instant
from mcastd.streams.pair_sample import LegSample, PairSample
from mcastd.streams.pairs import NUMBERS, WINDOW, Pair
from mcastd.streams.states import EVENTS_APART, LOSS_SPAN, STALLED_AFTER

NAMES = ("a", "b")
"""Of the legs."""

WITHOUT_NUMBERS = 3
"""Packets after which a leg's format is known, if it has one that has numbers."""


class PairState(StrEnum):
    """In the order in which they are looked for."""

    SILENT = "silent"
    APART = "apart"
    LOSSY = "lossy"
    UNPROTECTED = "unprotected"
    PROTECTED = "protected"


class PairEvent(NamedTuple):
    """`problem`: why the legs do not match, of a pair that is apart."""

    at: Instant
    pair: Pair
    state: PairState
    before: PairState | None
    problem: str | None


def problem_of(sample: PairSample, now: Instant, window: Duration = WINDOW) -> str | None:
    """Why packets of the legs cannot be matched, for the window or longer; None if they can be."""
    for name, leg in zip(NAMES, sample.legs, strict=True):
        if _is_without_numbers(leg, window):
            which = "what it carries" if leg.format == "none" else leg.format
            return f"{name}: {which} has no numbers that packets could be matched by"
    if sample.apart_since is None or now - sample.apart_since < window:
        return None
    return _difference(*sample.legs)


def _difference(a: LegSample, b: LegSample) -> str:
    if a.format != b.format:
        return f"formats differ: a is {a.format}, b is {b.format}"
    if a.identity == b.identity:
        return f"the legs' numbers are {NUMBERS} or more apart, or no multiples of the step"
    if a.format == "rtp":
        return f"SSRCs differ: a has {_ssrc(a)}, b has {_ssrc(b)}"
    return "the legs are of different senders or sessions"


def _ssrc(leg: LegSample) -> str:
    """It is kept as it lies in the packet."""
    return f"0x{leg.identity[0].to_bytes(4, sys.byteorder).hex()}"


def _is_without_numbers(leg: LegSample, window: Duration) -> bool:
    if leg.last is None or leg.packets < WITHOUT_NUMBERS:
        return False
    return leg.last_numbered is None or leg.last - leg.last_numbered >= window


class _Reading(NamedTuple):
    at: Instant
    neither: int


@dataclass(slots=True)
class WatchedPair:
    """One pair; `sample`: None before it was read."""

    pair: Pair
    sample: PairSample | None = None
    state: PairState = PairState.SILENT
    problem: str | None = None
    told: PairState | None = None
    told_at: Instant | None = None
    losses: deque[_Reading] = field(default_factory=deque)

    def read(
        self,
        now: Instant,
        sample: PairSample,
        window: Duration = WINDOW,
        stalled_after: Duration = STALLED_AFTER,
    ) -> PairEvent | None:
        """The counters at this moment; the event, if there is one to be told, and may be now."""
        self.sample = sample
        self.losses.append(_Reading(now, sample.neither))
        while len(self.losses) > 1 and now - self.losses[1].at >= LOSS_SPAN:
            self.losses.popleft()
        self.problem = problem_of(sample, now, window)
        self.state = self._state(now, sample, stalled_after)
        return self._change(now)

    def _state(self, now: Instant, sample: PairSample, stalled_after: Duration) -> PairState:
        live = [leg.last is not None and now - leg.last <= stalled_after for leg in sample.legs]
        if not any(live):
            return PairState.SILENT
        if self.problem is not None:
            return PairState.APART
        if self.losses[-1].neither > self.losses[0].neither:
            return PairState.LOSSY
        return PairState.PROTECTED if all(live) else PairState.UNPROTECTED

    def _change(self, now: Instant) -> PairEvent | None:
        if self.state is self.told:
            return None
        if self.told_at is not None and now - self.told_at < EVENTS_APART:
            return None
        problem = self.problem if self.state is PairState.APART else None
        event = PairEvent(now, self.pair, self.state, self.told, problem)
        self.told, self.told_at = self.state, now
        return event
