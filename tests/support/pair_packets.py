"""Streams that are sent twice, by dice; what is counted of them natively and by the reference."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from mcastd._native import ffi, lib
from mcastd.gmp.time import Duration
from mcastd.streams import Link, StreamTable
from mcastd.streams.formats import StreamFormat, networks
from mcastd.streams.pairs import Pair, parse_leg

from support import reference_pairs, reference_streams
from support.reference_pairs import classes
from support.stream_packets import frame, framed, ipv4, mold, rtp, sacn, udp

MILLISECOND = 1_000_000
SECOND = 1000 * MILLISECOND
START = 1_763_751_234 * SECOND
GROUPS, PORT = ("239.1.1.1", "239.1.1.2"), 5004
PAIR = Pair(*(parse_leg(f"{group}:{PORT}") for group in GROUPS))


class Sent(NamedTuple):
    at: int
    data: bytes


class PairStory:
    """A sender, two ways to go, and what happens there; by a seed."""

    KINDS = ("rtp", "rtp", "rtp", "rtp", "sacn", "moldudp64", "custom", "plain")

    def __init__(self, seed: int) -> None:
        dice = self.dice = Random(seed)
        self.kind = dice.choice(self.KINDS)
        self.window = dice.choice((5, 20, 150, 150)) * MILLISECOND
        self.step = dice.choice((1, 160)) if self.kind == "custom" else 1
        self.formats = []
        if self.kind in ("moldudp64", "custom"):
            width = dice.choice((1, 2, 4, 8)) if self.kind == "custom" else 0
            self.width = width
            self.formats = [
                StreamFormat(networks(group), PORT, self.kind, 0, width, self.step).checked()
                for group in GROUPS
            ]
        self.frames = sorted(self._frames(), key=lambda sent: sent.at)

    def _frames(self) -> Iterator[Sent]:
        dice = self.dice
        many = dice.random() < 0.03
        count = dice.choice((5000, 9000)) if many else dice.choice((3, 30, 200, 400))
        between = dice.choice((20_000, 500_000, 3 * MILLISECOND, 40 * MILLISECOND))
        number, ssrc, at = dice.choice((0, 65_400, 1000)), 1, START
        loss = [dice.choice((0, 0.01, 0.2)) for _ in range(2)]
        delay = [dice.choice((0, 0, 300_000, 8 * MILLISECOND, 80 * MILLISECOND)) for _ in range(2)]
        jitter = dice.choice((0, 0, 2 * between, 70 * between))
        begins = [dice.choice((0, 0, 0, count // 3)) for _ in range(2)]
        away: list[range] = [range(0)] * 2
        apart = dice.random() < 0.1
        together = dice.choice((0, 0, 0.02))
        for place in range(count):
            at += between
            if dice.random() < 0.004:
                number += dice.choice((100, 2999, 4000, 4097, 30_000, -50, -200))
            if dice.random() < 0.004:
                ssrc += 1
            if dice.random() < 0.01:
                away[dice.randrange(2)] = range(place, place + dice.choice((5, 70, 150)))
            lost_by_both = dice.random() < together
            payload, number = self._payload(number, ssrc)
            for leg in range(2):
                if apart and leg and place > count // 2:
                    payload, _ = self._payload(number + 9000 * self.step, ssrc)
                if lost_by_both or dice.random() < loss[leg]:
                    continue
                if place < begins[leg] or place in away[leg]:
                    continue
                late = delay[leg] + (dice.randrange(jitter) if jitter else 0)
                yield Sent(at + late, frame(payload, group=GROUPS[leg]))
                if dice.random() < 0.01:
                    yield Sent(at + late + dice.choice((1, between, 99 * between)),
                               frame(payload, group=GROUPS[leg]))  # fmt: skip
                if dice.random() < 0.01:
                    other = ipv4(udp(payload), group=GROUPS[leg], source="10.9.9.9")
                    yield Sent(at + late, framed(other))
            if dice.random() < 0.01:
                yield Sent(at - dice.choice((1, 9 * between)), frame(b"else", group=GROUPS[0]))

    def _payload(self, number: int, ssrc: int) -> tuple[bytes, int]:
        """And the next number."""
        if self.kind == "sacn":
            return sacn(number, ssrc), number + 1
        if self.kind == "moldudp64":
            count = self.dice.choice((0, 1, 1, 1, 2, 7, 0xFFFF))
            session = f"SESSION{ssrc:03}".encode()
            return mold(number % (1 << 64), count, session), number + (count % 0xFFFF)
        if self.kind == "custom":
            value = number * self.step % (1 << 8 * self.width)
            return value.to_bytes(self.width) + b"rest", number + 1
        if self.kind == "plain":
            return b"no number", number + 1
        return rtp(number, ssrc), number + 1


def counted(pair: Any) -> dict[str, Any]:
    """Of a native or kernel's struct mcast_pair, what does not depend on times."""
    return {
        "both": pair.both,
        "neither": pair.neither,
        "begun": pair.begun,
        "apart": bool(pair.apart_since),
        "undecided": pair.highest + 1 - pair.decided if pair.is_begun else 0,
        **{
            f"{name} {what}": getattr(leg, what)
            for name, leg in zip("ab", pair.legs, strict=True)
            for what in ("packets", "brought", "alone", "late", "strangers")
        },
    }


def native_counts(story: PairStory, frames: list[Sent], window: int) -> dict[str, Any]:
    return counted(_counted_natively(story, frames, window))


def _counted_natively(story: PairStory, frames: list[Sent], window: int) -> Any:
    table = StreamTable(story.formats)
    table.use_pairs([PAIR], {}, Duration(window))
    for each in frames:
        table.take(each.data, len(each.data), Link.ETHERNET, 0, each.at)
    return ffi.new("struct mcast_pair *", lib.mcast_streams_pair(table._table, 0)[0])


def native_pair(story: PairStory, frames: list[Sent]) -> dict[str, Any]:
    pair = _counted_natively(story, frames, story.window)
    before = counted(pair)
    end = max((each.at for each in frames), default=0)
    lib.mcast_pair_look(pair, end + story.window // 2)
    half = counted(pair)
    lib.mcast_pair_look(pair, end + 2 * story.window)
    return {
        "before": before,
        "half": half,
        "after": counted(pair),
        "apart since": pair.apart_since,
        "seconds": {
            skews.second: (
                skews.largest,
                {(sign, n): skews.counts[sign][n] for sign in range(2)
                 for n in range(lib.MCAST_SKEWS) if skews.counts[sign][n]},
            )
            for skews in pair.skews if skews.count
        },
    }  # fmt: skip


def of_reference(pair: reference_pairs.Pair) -> dict[str, Any]:
    return {
        "both": pair.both,
        "neither": pair.neither,
        "begun": pair.begun,
        "apart": pair.apart_since is not None,
        "undecided": pair.undecided,
        **{
            f"{name} {what}": getattr(leg, what)
            for name, leg in zip("ab", pair.legs, strict=True)
            for what in ("packets", "brought", "alone", "late", "strangers")
        },
    }


def reference_pair(story: PairStory, frames: list[Sent]) -> dict[str, Any]:
    pair = reference_pairs.Pair(story.window)
    pairs = reference_pairs.Pairs(
        {(leg.group.packed, leg.port): (0, n) for n, leg in enumerate(PAIR)},
        [pair],
        {
            (each.groups.network_address.packed, each.port or 0): reference_streams.Format(
                each.format, each.offset, each.width, each.step
            )
            for each in story.formats
        },
    )
    for each in frames:
        pairs.take(each.data, each.at)
    before = of_reference(pair)
    end = max((each.at for each in frames), default=0)
    pair.look(end + story.window // 2)
    half = of_reference(pair)
    pair.look(end + 2 * story.window)
    last = sorted({at // SECOND for at, _ in pair.skews})[-1:]
    both = [second for second in (last[0], _second_before(pair, last[0])) if second] if last else []
    return {
        "before": before,
        "half": half,
        "after": of_reference(pair),
        "apart since": pair.apart_since or 0,
        "seconds": {
            second: (largest(pair.skews_of(second)), dict(classes(pair.skews_of(second))))
            for second in both
        },
    }


def _second_before(pair: reference_pairs.Pair, last: int) -> int:
    """The last second of the other parity: it is what is kept beside the last."""
    found = [at // SECOND for at, _ in pair.skews if (at // SECOND - last) % 2]
    return max(found, default=0)


def largest(skews: list[int]) -> int:
    """The first of those that are the farthest from 0."""
    size = max(map(abs, skews))
    return next(each for each in skews if abs(each) == size)


def said(found: dict[str, Any]) -> dict[str, Any]:
    """What a story showed."""
    after: dict[str, Any] = found["after"]
    seconds = found["seconds"]
    return after | {
        "undecided": found["before"]["undecided"],
        "late": after["a late"] + after["b late"],
        "strangers": after["a strangers"] + after["b strangers"],
        "begun anew": after["begun"] > 1,
        "skews": bool(seconds),
        "skews below 0": any(sign for _, counts in seconds.values() for sign, _ in counts),
    }
