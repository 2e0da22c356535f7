"""Makes the lines of the screen of `mcastctl top` from what the agent has answered.

Pure: a terminal's size, a snapshot and a view in, lines out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mcastd.cli.top_columns import (
    BARS,
    HISTORY_NARROW,
    HISTORY_WIDE,
    SECTIONS,
    Column,
    Look,
    Section,
    Style,
)
from mcastd.cli.top_feed import Row, Snapshot
from mcastd.cli.top_view import HELP, View
from mcastd.cli.top_widths import extent, fit

WIDE = 120
"""Characters; longer histories are shown from here on."""

OLD = 5.0
"""Seconds without an answer that are told."""

BETWEEN = 2
"""Spaces between columns."""


class Piece(NamedTuple):
    text: str
    style: Style


Line = list[Piece]


def screen(
    shot: Snapshot, view: View, size: tuple[int, int], now: float, bars: str = BARS
) -> list[Line]:
    """As many lines as `size` says first, none wider than it says second."""
    height, width = size
    look = Look(
        shot.at if view.frozen else now, bars, HISTORY_WIDE if width >= WIDE else HISTORY_NARROW
    )
    lines = [header(shot, view, width, now)]
    if view.helping:
        lines += [[Piece(fit(each, width), Style.PLAIN)] for each in HELP]
    else:
        lines += body(shot, view, max(0, height - 2), width, look)
    lines = lines[: max(1, height - 1)]
    lines += [[] for _ in range(height - 1 - len(lines))]
    if height > 1:
        lines.append([Piece(fit(footer(view), width), Style.DIM)])
    return lines


def header(shot: Snapshot, view: View, width: int, now: float) -> Line:
    """The time, how much there is, and what is wrong with it."""
    clock = time.strftime("%H:%M:%S", time.localtime(shot.at))
    version = shot.status.get("version")
    bad = sum(each["state"] in ("silent", "stalled", "lossy") for each in shot.streams)
    text = f"mcastd {version}  {clock}  {len(shot.groups)} groups  {len(shot.streams)} streams"
    if bad:
        text += f", {bad} in trouble"
    warning = ""
    if view.frozen:
        warning = "  FROZEN"
    elif shot.problem:
        warning = f"  NO AGENT: {shot.problem}"
    elif now - shot.at > OLD:
        warning = f"  NO ANSWER for {now - shot.at:.0f} s"
    room = min(extent(text), max(0, width - extent(warning)))
    return [Piece(fit(text, room), Style.HEAD), Piece(fit(warning, width - room), Style.BAD)]


def footer(view: View) -> str:
    if view.typing:
        return f"/{view.filter}_"
    text = "q end  space freeze  / filter  Tab section  z alone  s sort  r reverse  ? help"
    return f"only lines with {view.filter!r} (Esc: all)  {text}" if view.filter else text


def body(shot: Snapshot, view: View, height: int, width: int, look: Look) -> Iterator[Line]:
    """Sections, one below the other."""
    shown = [view.section] if view.zoomed else list(SECTIONS)
    rows = {each.title: list(chosen(each, shot, view, look)) for each in shown}
    wanted = [1 + max(1, len(rows[each.title])) for each in shown]
    shares = [1 + each.share for each in shown]
    for section, room in zip(shown, shared(wanted, shares, height), strict=True):
        if room:
            yield from section_lines(section, rows[section.title], view, (room, width), look)


def shared(wanted: Sequence[int], shares: Sequence[int], height: int) -> list[int]:
    """Lines for each section: its share first, what is left where there is more to show.

    Where not even the shares fit, the first sections give way from their ends.
    """
    room = [min(want, share) for want, share in zip(wanted, shares, strict=True)]
    while (over := sum(room) - height) > 0:
        largest = max(range(len(room)), key=lambda i: room[i])
        room[largest] -= min(over, max(1, room[largest] // 4)) if room[largest] > 1 else 1
    while (left := height - sum(room)) > 0:
        hungry = [i for i, want in enumerate(wanted) if want > room[i]]
        if not hungry:
            break
        for i in hungry:
            more = min(wanted[i] - room[i], max(1, left // len(hungry)), height - sum(room))
            room[i] += more
    return room


def chosen(section: Section, shot: Snapshot, view: View, look: Look) -> Iterator[Row]:
    """The rows that the filter lets through, in order."""
    rows = list(section.rows(shot))
    title = view.sort.get(section.title, "")
    keys = {each.title: each.key for each in section.columns}
    if key := keys.get(title) or section.order:
        rows.sort(key=key)
    if section.title in view.reversed:
        rows.reverse()
    text = view.filter.lower()
    for row in rows:
        if not text or any(text in each.text(row, look).lower() for each in section.columns):
            yield row


def section_lines(
    section: Section, rows: list[Row], view: View, size: tuple[int, int], look: Look
) -> Iterator[Line]:
    """A head, and as many rows as there is room for."""
    room, width = size
    is_focus = section is view.section
    count = max(0, room - 1)
    offset = min(view.offsets.get(section.title, 0), max(0, len(rows) - count))
    if is_focus:
        view.page = max(1, count)
        view.offsets[section.title] = offset
    shown = rows[offset : offset + count]
    style = Style.CHOSEN if is_focus else Style.HEAD
    title = section.title if len(rows) == len(shown) else title_of(section, offset, len(rows))
    cells = [[each.text(row, look) for each in section.columns] for row in shown]
    columns = fitting(section.columns, title, cells, width)
    yield [Piece(fit(heads(columns, title, view.sort.get(section.title)), width), style)]
    for row, texts in zip(shown, cells, strict=True):
        yield row_line(columns, row, texts, width)
    if not rows and count:
        yield [Piece(fit(f"  {nothing_of(section, view)}", width), Style.DIM)]


def title_of(section: Section, offset: int, count: int) -> str:
    """Of a section with more rows than are shown: from which on, and how many there are."""
    return f"{section.title} {f'{offset + 1}/' if offset else ''}{count}"


def nothing_of(section: Section, view: View) -> str:
    """What stands in place of rows, if there are none."""
    return f"none with {view.filter!r}" if view.filter else section.nothing


class Placed(NamedTuple):
    """A column that is shown: which, and how wide."""

    number: int
    column: Column
    width: int


def fitting(
    columns: Sequence[Column], title: str, cells: list[list[str]], width: int
) -> list[Placed]:
    """Columns as wide as they must be; those of the highest rank go where there is no room."""
    placed = []
    for i, column in enumerate(columns):
        head = column.title if i else title
        widest = max((extent(row[i]) for row in cells), default=0)
        placed.append(Placed(i, column, max(extent(head) + 1, min(column.most, widest))))
    while sum(each.width + BETWEEN for each in placed) - BETWEEN > width:
        last = max(placed, key=lambda each: each.column.rank)
        if last.column.rank == 0:
            break
        placed.remove(last)
    return placed


def heads(placed: list[Placed], title: str, sorted_by: str | None) -> str:
    """Titles of columns, the first of which is the section's own."""
    texts = [title] + [each.column.title for each in placed[1:]]
    texts = [
        text + ("*" if sorted_by and each.column.title == sorted_by else "")
        for text, each in zip(texts, placed, strict=True)
    ]
    return (" " * BETWEEN).join(map(justified, texts, placed))


def row_line(placed: list[Placed], row: Row, texts: list[str], width: int) -> Line:
    line: Line = []
    used = 0
    for each in placed:
        gap = BETWEEN if line else 0
        text = " " * gap + justified(texts[each.number], each)
        text = fit(text, min(extent(text), width - used))
        used += extent(text)
        line.append(Piece(text, each.column.style(row) if each.column.style else Style.PLAIN))
    return line


def justified(text: str, placed: Placed) -> str:
    if placed.column.right and extent(text) < placed.width:
        return " " * (placed.width - extent(text)) + text
    return fit(text, placed.width)
