"""One pair for programs and for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mcastd.streams.lines import aligned, endpoint, seconds
from mcastd.streams.pair_sample import LegSample, PairSample
from mcastd.streams.pair_states import NAMES
from mcastd.streams.pairs import Leg, Pair
from mcastd.streams.sample import address_text

NO_LEG = LegSample(0, 0, 0, 0, 0, None, None, "none", (0, 0, 0), b"")
NOTHING = PairSample(0, 0, 0, 0, None, 0, (NO_LEG, NO_LEG), None)
"""Of a pair that was not read yet."""


def as_pair_object(
    pair: Pair,
    sample: PairSample | None,
    *,
    offset: int = 0,
    state: str | None = None,
    problem: str | None = None,
) -> dict[str, Any]:
    """A line of `--json`. `offset`: what the times lack to be nanoseconds since 1970."""
    sample = sample or NOTHING
    skew = sample.skew
    legs = {
        name: _leg_object(leg, found, sample.lost(number), offset)
        for number, (name, leg, found) in enumerate(zip(NAMES, pair, sample.legs, strict=True))
    }
    return legs | {
        "decided": sample.decided,
        "both": sample.both,
        "neither": sample.neither,
        "undecided": sample.undecided,
        "begun": sample.begun,
        "missed": sample.missed,
        "skew": None
        if skew is None
        else {"median": seconds(skew.median), "largest": seconds(skew.largest)},
        "state": state,
        "problem": problem,
    }


def _leg_object(leg: Leg, sample: LegSample, lost: int, offset: int) -> dict[str, Any]:
    known = sample.last is not None
    return {
        "interface": leg.interface,
        "group": str(leg.group),
        "port": leg.port,
        "source": address_text(sample.source[: len(leg.group.packed)]) if known else None,
        "format": sample.format,
        "packets": sample.packets,
        "brought": sample.brought,
        "lost": lost,
        "late": sample.late,
        "strangers": sample.strangers,
        "last": None if sample.last is None else seconds(sample.last + offset),
    }


TITLES = (
    "LEG", "STREAM", "SOURCE", "FORMAT", "PACKETS", "LOST", "LATE", "NEITHER", "OF", "SKEW",
    "LARGEST",
)  # fmt: skip


def as_pair_text(lines: Iterable[dict[str, Any]]) -> str:
    """Two rows for a pair: what is the pair's own stands in the first. A problem is a line."""
    objects = list(lines)
    has_states = any(each["state"] for each in objects)
    rows = [[*TITLES, *(["STATE"] if has_states else [])]]
    for each in objects:
        skew = each["skew"]
        of_pair = [
            str(each["neither"]),
            str(each["decided"]),
            *(["-", "-"] if skew is None else [_time(skew[which]) for which in skew]),
            *([each["state"] or "-"] if has_states else []),
        ]
        for name, more in zip(NAMES, (of_pair, [""] * len(of_pair)), strict=True):
            rows.append([name, *_leg_row(each[name]), *more])
    printed = aligned(rows).split("\n")
    text = printed[:1]
    for number, each in enumerate(objects):
        text += printed[1 + 2 * number : 3 + 2 * number]
        if each["problem"]:
            text.append(f"   not matched: {each['problem']}")
    return "\n".join(text)


def _leg_row(leg: dict[str, Any]) -> list[str]:
    stream = endpoint(leg["group"], leg["port"])
    named = f"{leg['interface']} {stream}" if leg["interface"] else stream
    counts = (str(leg[name]) for name in ("packets", "lost", "late"))
    return [named, leg["source"] or "-", leg["format"], *counts]


def _time(value: float) -> str:
    """Microseconds below a millisecond."""
    return f"{value * 1e6:.0f} us" if abs(value) < 0.001 else f"{value * 1e3:.1f} ms"
