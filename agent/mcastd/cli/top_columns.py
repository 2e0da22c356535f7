"""Defines the sections of `mcastctl top`: their columns, and how these are sorted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mcastd.cli.event_lines import event_line
from mcastd.cli.tables import asker, sources_text, version_text
from mcastd.cli.top_feed import Past, Row, Snapshot
from mcastd.streams.lines import bits, endpoint


class Style(StrEnum):
    PLAIN = "plain"
    HEAD = "head"
    CHOSEN = "chosen"
    """The head of the section that keys move."""
    DIM = "dim"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


BARS = " ▁▂▃▄▅▆▇█"
PLAIN_BARS = " .:-=+*#@"
"""Where the terminal's encoding lacks the others."""

HISTORY_NARROW, HISTORY_WIDE = 8, 30
"""Readings that are shown, on narrow and on wide screens."""

LOSS = "!"
"""A reading in which something was lost."""


@dataclass(frozen=True)
class Look:
    """What the text of a cell depends on besides its row: the time, and what can be written."""

    now: float
    bars: str = BARS
    history: int = HISTORY_NARROW


@dataclass(frozen=True)
class Column:
    """`rank`: columns of the highest go first where there is no room. `key`: sorted by it."""

    title: str
    text: Callable[[Row, Look], str]
    rank: int = 0
    key: Callable[[Row], Any] | None = None
    style: Callable[[Row], Style] | None = None
    right: bool = False
    most: int = 40
    """Cells wider than this are cut."""


@dataclass(frozen=True)
class Section:
    """`share`: rows that it has in 24 lines, if it has so many. `order`: how it begins sorted."""

    title: str
    rows: Callable[[Snapshot], tuple[Row, ...]]
    columns: tuple[Column, ...]
    share: int
    nothing: str
    order: Callable[[Row], Any] | None = None


def age(at: float | None, look: Look) -> str:
    """How long ago; hours and days where they are many."""
    if at is None:
        return "-"
    gone = max(0.0, look.now - at)
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if gone >= 2 * size:
            return f"{gone / size:.0f} {unit}"
    return f"{gone:.0f} s"


def a_second(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}/s"


def text_of(name: str) -> Callable[[Row, Look], str]:
    def text(row: Row, look: Look) -> str:
        return "-" if row.get(name) is None else str(row[name])

    return text


def number(name: str) -> Callable[[Row], float]:
    """Sorts the largest first."""

    def key(row: Row) -> float:
        return -float(row.get(name) or 0)

    return key


# --- Streams ------------------------------------------------------------------------------------

STATES = ("silent", "stalled", "lossy", "elsewhere", "unwanted", "live")
"""The order in which somebody wants to see them."""

STATE_STYLES: Mapping[str, Style] = {
    "silent": Style.BAD, "stalled": Style.BAD, "lossy": Style.WARN, "elsewhere": Style.WARN,
    "unwanted": Style.DIM, "live": Style.GOOD,
}  # fmt: skip


def severity(row: Row) -> tuple[int, float]:
    state = row.get("state")
    return (STATES.index(state) if state in STATES else len(STATES), -(row.get("rate") or 0.0))


def state_style(row: Row) -> Style:
    return STATE_STYLES.get(row.get("state") or "", Style.PLAIN)


def group_and_port(row: Row, look: Look) -> str:
    return endpoint(row["group"], row["port"])


def where(row: Row, look: Look) -> str:
    """The interface, with VLAN tags behind it as the kernel's own VLANs are named."""
    return ".".join([row["where"], *map(str, row.get("vlan", ()))])


def history(row: Row, look: Look) -> str:
    """Rates of the last readings against the highest of them; a loss stands out."""
    past: Past = row["past"]
    rates, losses = past.rates[-look.history :], past.losses[-look.history :]
    highest = max(rates, default=0.0) or 1.0
    steps = len(look.bars) - 1
    return "".join(
        LOSS if lost else look.bars[min(steps, -int(-rate * steps // highest))]
        for rate, lost in zip(rates, losses, strict=True)
    ).rjust(look.history)


def lost_style(row: Row) -> Style:
    return Style.WARN if row.get("lost") else Style.PLAIN


def bit_rate(row: Row, look: Look) -> str:
    return "-" if row["bit_rate"] is None else bits(row["bit_rate"])


def longest_gap(row: Row, look: Look) -> str:
    gap = row["longest_gap"]
    return "-" if gap is None else f"{gap * 1000:.1f} ms"


STREAMS = Section(
    "STREAMS", lambda shot: shot.streams,
    (
        Column("INTERFACE", where, key=lambda row: row["where"], most=20),
        Column("SOURCE", text_of("source"), 2, key=lambda row: row["source"] or ""),
        Column("GROUP", group_and_port, key=lambda row: (row["group"], row["port"] or 0), most=47),
        Column("STATE", text_of("state"), key=severity, style=state_style),
        Column("RATE", lambda row, _: a_second(row["rate"]), key=number("rate"), right=True),
        Column("BIT RATE", bit_rate, 4, key=number("bit_rate"), right=True),
        Column("LOST", text_of("lost"), key=number("lost"), style=lost_style, right=True),
        Column("LATE", text_of("reordered"), 6, right=True),
        Column("TWICE", text_of("duplicates"), 6, right=True),
        Column("HISTORY", history, 3, style=state_style, most=HISTORY_WIDE),
        Column("LAST", lambda row, look: age(row["last"], look), 5, key=number("last"), right=True),
        Column("LONGEST GAP", longest_gap, 7, key=number("longest_gap"), right=True),
        Column("FORMAT", text_of("format"), 8),
        Column("PACKETS", text_of("packets"), 9, key=number("packets"), right=True),
    ),
    6, "no stream is counted, or none comes", order=severity,
)  # fmt: skip


# --- The others ---------------------------------------------------------------------------------


def versions(row: Row, look: Look) -> str:
    return f"{row['igmp']['version']}/{row['mld']['version']}"


def joined(row: Row, look: Look) -> str:
    return str(row["igmp"]["groups"] + row["mld"]["groups"])


def lost_events(row: Row, look: Look) -> str:
    return str(sum(sum(causes.values()) for causes in row["lost"].values()))


def lost_events_style(row: Row) -> Style:
    return Style.WARN if any(any(each.values()) for each in row["lost"].values()) else Style.PLAIN


def stream_rate(row: Row, look: Look) -> str:
    streams = row.get("streams") or {}
    return a_second(streams.get("rate"))


def stream_count(row: Row, look: Look) -> str:
    return str(row["streams"]["streams"]) if row.get("streams") else "-"


def remark(row: Row, look: Look) -> str:
    """The first of what is wrong; `mcastctl status` has all."""
    wrong = [row["problem"], *row["hook_reasons"], *row["remarks"]]
    return next(filter(None, wrong), "" if row["running"] else "the link is down")


def in_seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g} s"


def reported(row: Row, look: Look) -> str:
    return age(row["last_reported"], look) if row["reported"] else "never"


INTERFACES = Section(
    "INTERFACES", lambda shot: shot.interfaces,
    (
        Column("NAME", text_of("where"), most=30),
        Column("MODE", text_of("mode")),
        Column("HOOK", text_of("hook"), 3),
        Column("IGMP/MLD", versions, 2),
        Column("SPEAKS", lambda row, _: version_text(row["igmp"]), 6),
        Column("GROUPS", joined, right=True),
        Column("STREAMS", stream_count, right=True),
        Column("DATA", stream_rate, 1, right=True),
        Column("HEARD", lambda row, _: a_second(row["rx"]), 1, right=True),
        Column("SENT", lambda row, _: a_second(row["tx"]), 1, right=True),
        Column("LOST", lost_events, 2, style=lost_events_style, right=True),
        Column("REMARK", remark, 4, style=lambda _: Style.WARN, most=120),
    ),
    2, "no interface",
)  # fmt: skip

QUERIERS = Section(
    "QUERIERS", lambda shot: shot.queriers,
    (
        Column("INTERFACE", text_of("where"), most=30),
        Column("PROTOCOL", text_of("protocol")),
        Column(
            "ADDRESS", lambda row, _: row["address"] + ("" if row["current"] else " (other)"),
            style=lambda row: Style.PLAIN if row["current"] else Style.WARN,
        ),
        Column("VERSION", text_of("version"), 1, right=True),
        Column("INTERVAL", lambda row, _: in_seconds(row["interval"]), 2, right=True),
        Column("SEEN EVERY", lambda row, _: in_seconds(row["observed_interval"]), 3, right=True),
        Column("QUERIES", text_of("queries"), 2, right=True),
        Column("LAST QUERY", lambda row, look: age(row["last_heard"], look), right=True),
    ),
    2, "none heard",
)  # fmt: skip

GROUPS = Section(
    "GROUPS", lambda shot: shot.groups,
    (
        Column("INTERFACE", text_of("where"), key=lambda row: row["where"], most=30),
        Column("GROUP", text_of("group"), key=lambda row: row["group"]),
        Column("MODE", text_of("mode"), 2),
        Column("SOURCES", lambda row, _: sources_text(row["sources"], 2), 3),
        Column("RATE", lambda row, _: a_second(row.get("rate")), key=number("rate"), right=True),
        Column("LAST DATA", lambda row, look: age(row.get("last_data"), look), 1, right=True),
        Column("REPORTED", reported, 2, right=True),
        Column("SINCE", lambda row, look: age(row["since"], look), 4, right=True),
        Column("ASKED BY", lambda row, _: ", ".join(map(asker, row["applications"])), 5, most=60),
    ),
    3, "no group is joined", order=number("rate"),
)  # fmt: skip


EVENTS = Section(
    "EVENTS", lambda shot: shot.events[::-1],
    (Column("", lambda row, _: event_line(row), most=1000),),
    4, "nothing has happened since this began",
)  # fmt: skip

SECTIONS = (INTERFACES, QUERIERS, GROUPS, STREAMS, EVENTS)
