"""Shows one stream to programs as JSON, and to people as a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

from mcastd.streams.sample import GAP_NAMES, Key, Sample, address_text

NANOSECONDS = 1_000_000_000


def seconds(nanoseconds: int) -> float:
    """Exact to the microsecond also of times since 1970, which a float can only just hold."""
    return round(nanoseconds / NANOSECONDS, 9)


class StreamObject(TypedDict):
    """One stream as JSON; one that is silent has neither source nor port, nor any times."""

    interface: str | None
    vlan: list[int]
    source: str | None
    group: str
    port: int | None
    packets: int
    bytes: int
    first: float | None
    last: float | None
    rate: float | None
    bit_rate: float | None
    longest_gap: float | None
    gaps: dict[str, int]
    format: str
    lost: int | None
    reordered: int | None
    duplicates: int | None
    resets: int | None
    state: str | None
    joined: bool | None
    wanted: bool | None


def as_object(
    key: Key,
    sample: Sample,
    *,
    interface: str | None,
    rate: float | None = None,
    bit_rate: float | None = None,
    offset: int = 0,
    state: str | None = None,
    joined: bool | None = None,
    wanted: bool | None = None,
) -> StreamObject:
    """A line of `--json`. `offset`: what the times lack to be nanoseconds since 1970."""
    gap = sample.longest_gap
    return {
        "interface": interface,
        "vlan": list(key.vlan),
        "source": address_text(key.source),
        "group": address_text(key.group),
        "port": key.port,
        "packets": sample.packets,
        "bytes": sample.size,
        "first": seconds(sample.first + offset),
        "last": seconds(sample.last + offset),
        "rate": rate,
        "bit_rate": bit_rate,
        "longest_gap": None if gap is None else seconds(gap),
        "gaps": {name: n for name, n in zip(GAP_NAMES, sample.gaps, strict=True) if n},
        "format": sample.format,
        "lost": sample.lost,
        "reordered": sample.reordered,
        "duplicates": sample.duplicates,
        "resets": sample.resets,
        "state": state,
        "joined": joined,
        "wanted": wanted,
    }


COLUMNS = (
    "SOURCE", "GROUP", "FORMAT", "PACKETS", "RATE", "BIT RATE", "LOST", "LATE", "TWICE", "RESETS",
    "LONGEST GAP",
)  # fmt: skip


def as_text(lines: Iterable[dict[str, Any]]) -> str:
    """A table for people; interfaces, VLANs and states only where a stream has one."""
    objects = list(lines)
    more = [
        (title, name)
        for title, name in (("INTERFACE", "interface"), ("VLAN", "vlan"), ("STATE", "state"))
        if any(each[name] for each in objects)
    ]
    titles = [*(title for title, _ in more), *COLUMNS]
    rows = [[*(_text(each[name]) for _, name in more), *_row(each)] for each in objects]
    return aligned([titles, *rows])


def _row(line: dict[str, Any]) -> list[str]:
    gap = line["longest_gap"]
    return [
        _text(line["source"]),
        endpoint(line["group"], line["port"]),
        line["format"],
        str(line["packets"]),
        "-" if line["rate"] is None else f"{line['rate']:.0f}/s",
        "-" if line["bit_rate"] is None else bits(line["bit_rate"]),
        *(_text(line[name]) for name in ("lost", "reordered", "duplicates", "resets")),
        "-" if gap is None else f"{gap * 1000:.1f} ms",
    ]


def endpoint(group: str, port: int | None) -> str:
    """GROUP:PORT, an IPv6 group in brackets; without a port the group alone."""
    group = f"[{group}]" if ":" in group else group
    return group if port is None else f"{group}:{port}"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return ",".join(map(str, value)) or "-" if isinstance(value, list) else str(value)


def bits(a_second: float) -> str:
    """A rate in the unit that leaves it at most four digits."""
    for unit in ("bit/s", "kbit/s", "Mbit/s"):
        if a_second < 9999.5:
            return f"{a_second:.0f} {unit}" if unit == "bit/s" else f"{a_second:.1f} {unit}"
        a_second /= 1000
    return f"{a_second:.1f} Gbit/s"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
