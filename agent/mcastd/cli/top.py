"""`mcastctl top`: shows a live screen on a terminal, and plain tables everywhere else."""

from __future__ import annotations

import argparse
import curses
import itertools
import json
import locale
import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

from mcastd.cli import tables
from mcastd.cli.top_columns import BARS, PLAIN_BARS, Style
from mcastd.cli.top_feed import Feed, Snapshot
from mcastd.cli.top_screen import Line, screen
from mcastd.cli.top_view import View, press
from mcastd.client import Client
from mcastd.printable import cleaned

DRAWN_EVERY = 0.5
"""Seconds; keys are obeyed at once."""

ESCAPE_MS = 50
"""After which an escape character is the key, and not the beginning of another key's."""

NAMES: dict[int | str, str] = {
    curses.KEY_UP: "up", curses.KEY_DOWN: "down", curses.KEY_PPAGE: "page up",
    curses.KEY_NPAGE: "page down", curses.KEY_HOME: "home", curses.KEY_END: "end",
    curses.KEY_BTAB: "backtab", curses.KEY_BACKSPACE: "backspace", curses.KEY_ENTER: "enter",
    "\n": "enter", "\r": "enter", "\x1b": "escape", "\x7f": "backspace", "\b": "backspace",
}  # fmt: skip

COLOURS = {Style.GOOD: curses.COLOR_GREEN, Style.WARN: curses.COLOR_YELLOW}
COLOURS |= {Style.BAD: curses.COLOR_RED, Style.DIM: curses.COLOR_BLUE}
ATTRIBUTES = {
    Style.HEAD: curses.A_BOLD, Style.CHOSEN: curses.A_REVERSE, Style.BAD: curses.A_BOLD,
    Style.DIM: curses.A_DIM,
}  # fmt: skip


def top(args: argparse.Namespace) -> int:
    if args.json or not can_draw():
        return plain(args)
    feed = Feed(args.control, args.interval)
    feed.start()
    locale.setlocale(locale.LC_ALL, "")
    before = signal.signal(signal.SIGTERM, end_cleanly)
    try:
        curses.set_escdelay(ESCAPE_MS)
        curses.wrapper(Terminal(feed, args.count).run)
    finally:
        feed.stop()
        signal.signal(signal.SIGTERM, before)
    return 0


def can_draw() -> bool:
    """Whether there is a terminal whose cursor can be moved."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        curses.setupterm()
    except curses.error:
        return False
    return bool(curses.tigetstr("cup"))


def end_cleanly(number: int, frame: FrameType | None) -> NoReturn:
    """The terminal is put back before the program ends."""
    raise SystemExit(128 + number)


class Terminal:
    """Draws what the feed has, and obeys keys."""

    def __init__(self, feed: Feed, count: int | None) -> None:
        self._feed = feed
        self._count = count
        self._view = View()
        self._attributes: dict[Style, int] = {}
        self._window: curses.window

    def run(self, window: curses.window) -> None:
        self._window = window
        self._prepare()
        shot = self._feed.latest()
        while not self._view.ended:
            if not self._view.frozen:
                shot = self._feed.latest()
            self._draw(shot)
            if self._count is not None and shot.number >= self._count:
                break
            self._obey()

    def _prepare(self) -> None:
        self._window.timeout(int(DRAWN_EVERY * 1000))
        self._attributes = dict.fromkeys(Style, curses.A_NORMAL) | ATTRIBUTES
        with suppress(curses.error):  # a terminal that cannot hide its cursor
            curses.curs_set(0)
        if not curses.has_colors():
            return
        curses.use_default_colors()
        if os.environ.get("NO_COLOR"):
            return
        for pair, (style, colour) in enumerate(COLOURS.items(), 1):
            curses.init_pair(pair, colour, -1)
            self._attributes[style] |= curses.color_pair(pair)

    def _bars(self) -> str:
        try:
            BARS.encode(self._window.encoding)
        except UnicodeEncodeError:
            return PLAIN_BARS
        return BARS

    def _draw(self, shot: Snapshot) -> None:
        height, width = self._window.getmaxyx()
        self._window.erase()
        lines = screen(shot, self._view, (height, width), time.time(), self._bars())
        for y, line in enumerate(lines):
            self._draw_line(y, line)
        self._window.refresh()

    def _draw_line(self, y: int, line: Line) -> None:
        encoding = self._window.encoding
        # The last cell of the screen cannot be passed, and the screen may just have shrunk.
        with suppress(curses.error):
            self._window.move(y, 0)
            for text, style in line:
                shown = text.encode(encoding, "replace").decode(encoding)
                self._window.addstr(shown, self._attributes[style])

    def _obey(self) -> None:
        """One key, if one comes."""
        try:
            key = self._window.get_wch()
        except curses.error:
            return
        if key == curses.KEY_RESIZE:
            curses.update_lines_cols()
            self._window.clear()
            return
        name = NAMES.get(key, key)
        if isinstance(name, str):
            press(self._view, name)


# --- Without a screen ----------------------------------------------------------------------------


def plain(args: argparse.Namespace) -> int:
    """The same as text, one after the other; as JSON a line each."""
    before: dict[str, int] = {}
    with Client(args.control) as client:
        for count in itertools.count(1):
            found = {each: client.call(each) for each in ("status", "querier", "streams")}
            now = tables.totals(client.call("counters"))
            rates = {
                name: (now[name] - before.get(name, now[name])) / args.interval for name in now
            }
            before = now
            print(json.dumps(found | {"rates": rates}) if args.json else as_text(found, rates))
            sys.stdout.flush()
            if args.count is not None and count >= args.count:
                return 0
            time.sleep(args.interval)
    return 0


def as_text(found: dict[str, Any], rates: dict[str, float]) -> str:
    parts = [
        tables.status(cleaned(found["status"])),
        tables.querier(cleaned(found["querier"])),
        tables.rates(cleaned(rates)),
    ]
    if found["streams"]:
        parts.append(tables.streams(cleaned(found["streams"])))
    return "\n\n".join(parts) + "\n"
