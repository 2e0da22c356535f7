"""A dashboard as a picture: its panels where Grafana puts them, with what Prometheus answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

COLUMN, ROW, HEAD, GAP = 46, 22, 40, 8
COLOURS = ("#1f60c4", "#c4162a", "#37872d", "#e0b400", "#8f3bb8", "#0a8a9c", "#fa6400", "#555555")
MOST = 6
"""Series that are named in a panel."""


class Series(NamedTuple):
    """`points`: seconds and values, the oldest first."""

    legend: str
    points: Sequence[tuple[float, float]]


def picture(document: Mapping[str, Any], answers: Mapping[int, Sequence[Series]]) -> str:
    """SVG. `document`: the dashboard's JSON. `answers`: by a panel's id."""
    panels = document["panels"]
    height = HEAD + ROW * max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in panels)
    width = COLUMN * 24
    drawn = "\n".join(panel(each, answers.get(each["id"], ())) for each in panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{height}" fill="#f4f5f5"/>\n'
        f'<text x="12" y="26" font-size="18">{escape(document["title"])}</text>\n{drawn}\n</svg>\n'
    )


def panel(each: Mapping[str, Any], series: Sequence[Series]) -> str:
    place = each["gridPos"]
    x, y = place["x"] * COLUMN + GAP / 2, HEAD + place["y"] * ROW
    width, height = place["w"] * COLUMN - GAP, place["h"] * ROW - GAP
    unit = each["fieldConfig"]["defaults"]["unit"]
    inside = (
        lines(series, width, height, unit)
        if each["type"] == "timeseries"
        else values(series, width, unit)
    )
    return (
        f'<g transform="translate({x:.0f} {y})">'
        f'<rect width="{width}" height="{height}" fill="white" stroke="#d0d0d0"/>'
        f'<text x="8" y="18" font-weight="bold">{escape(each["title"])}</text>{inside}</g>'
    )


def values(series: Sequence[Series], width: float, unit: str) -> str:
    """The last value of each, on lines."""
    shown = []
    for number, each in enumerate(series[:MOST]):
        y = 42 + 18 * number
        value = said(each.points[-1][1], unit)
        colour = COLOURS[number % len(COLOURS)]
        shown.append(
            f'<text x="8" y="{y}">{escape(each.legend[:44])}</text>'
            f'<text x="{width - 8}" y="{y}" text-anchor="end" font-weight="bold" '
            f'fill="{colour}">{value}</text>'
        )
    return "".join(shown)


def lines(series: Sequence[Series], width: float, height: float, unit: str) -> str:
    """A line for each, from 0 to the largest, and who they are below."""
    shown = series[:MOST]
    points = [point for each in shown for point in each.points]
    if not points:
        return ""
    begin, end = min(at for at, _ in points), max(at for at, _ in points)
    top = max((value for _, value in points), default=0.0) or 1.0
    left, right, upper = 58.0, width - 10, 30.0
    lower = height - 14 - 13 * len(shown)

    def at(point: tuple[float, float]) -> str:
        x = left + (right - left) * (point[0] - begin) / max(end - begin, 1.0)
        return f"{x:.1f},{lower - (lower - upper) * point[1] / top:.1f}"

    drawn = [
        f'<path d="M{left} {upper}V{lower}H{right}" fill="none" stroke="#999999"/>'
        f'<text x="{left - 6}" y="{upper + 8}" text-anchor="end">{said(top, unit)}</text>'
        f'<text x="{left - 6}" y="{lower}" text-anchor="end">0</text>'
    ]
    for number, each in enumerate(shown):
        colour, y = COLOURS[number % len(COLOURS)], lower + 16 + 13 * number
        drawn.append(
            f'<polyline points="{" ".join(map(at, each.points))}" fill="none" '
            f'stroke="{colour}" stroke-width="1.5"/>'
            f'<text x="{left}" y="{y:.0f}" font-size="11" fill="{colour}">'
            f"{escape(each.legend)}</text>"
        )
    return "".join(drawn)


UNITS = {"s": " s", "pps": "/s", "ops": "/s", "short": ""}


def said(value: float, unit: str) -> str:
    """A value in few digits, with its unit."""
    if unit == "percentunit":
        return f"{100 * value:.2g} %"
    if unit == "bps":
        return f"{value / 1e6:.2f} Mbit/s" if value >= 1e5 else f"{value / 1e3:.3g} kbit/s"
    return f"{value:.4g}{UNITS[unit]}"
