"""What the keys of `mcastctl top` have chosen to see, and what each key does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mcastd.cli.top_columns import SECTIONS, STREAMS, Section


@dataclass
class View:
    """What keys have chosen. `focus`: which section they move; `typing`: a filter is written."""

    focus: int = SECTIONS.index(STREAMS)
    zoomed: bool = False
    sort: dict[str, str] = field(default_factory=dict)
    """By section the title of the column that it is sorted by."""
    reversed: set[str] = field(default_factory=set)
    offsets: dict[str, int] = field(default_factory=dict)
    filter: str = ""
    typing: bool = False
    frozen: bool = False
    helping: bool = False
    ended: bool = False
    page: int = 1
    """Rows of the section with the focus that were shown last."""

    @property
    def section(self) -> Section:
        return SECTIONS[self.focus]


HELP = (
    "q         ends",
    "space     freezes the screen, and lets it go on",
    "/         shows only lines with a text: type it, Enter; Esc takes it away",
    "Tab       goes to the next section, Shift-Tab to the one before",
    "z         shows that section alone",
    "s         sorts it by the next column, S by the one before",
    "r         turns its order round",
    "arrows    scroll it; also Page Up, Page Down, Home, End",
    "? or h    shows this; any key ends it",
    "",
    "A history shows a stream's rate at each reading, the newest on the right,",
    "against the highest of them; ! is a reading in which something was lost.",
)


def press(view: View, key: str) -> None:
    """Does what a key stands for; `key`: a character, or a name such as "up"."""
    if view.helping:
        view.helping = False
    elif view.typing:
        type_filter(view, key)
    else:
        KEYS.get(key, ignore)(view)


def ignore(view: View) -> None:
    pass


def type_filter(view: View, key: str) -> None:
    if key in ("enter", "escape"):
        view.typing = False
        if key == "escape":
            view.filter = ""
    elif key == "backspace":
        view.filter = view.filter[:-1]
    elif len(key) == 1 and key.isprintable():
        view.filter += key
    view.offsets.clear()


def turn_focus(by: int) -> Callable[[View], None]:
    def turn(view: View) -> None:
        view.focus = (view.focus + by) % len(SECTIONS)

    return turn


def scroll(by: Callable[[View], int]) -> Callable[[View], None]:
    """What is too far is put right when it is shown."""

    def move(view: View) -> None:
        title = view.section.title
        view.offsets[title] = max(0, view.offsets.get(title, 0) + by(view))

    return move


def sort_next(by: int) -> Callable[[View], None]:
    """Through the columns that can be sorted by, and the order it began with."""

    def turn(view: View) -> None:
        section = view.section
        titles = ["", *(each.title for each in section.columns if each.key)]
        at = titles.index(view.sort.get(section.title, ""))
        view.sort[section.title] = titles[(at + by) % len(titles)]
        view.offsets.pop(section.title, None)

    return turn


def setting(name: str, value: object = None) -> Callable[[View], None]:
    """Sets it, or turns it over."""

    def turn(view: View) -> None:
        setattr(view, name, (not getattr(view, name)) if value is None else value)

    return turn


def clear_filter(view: View) -> None:
    view.filter = ""


def turn_round(view: View) -> None:
    view.reversed ^= {view.section.title}


KEYS: dict[str, Callable[[View], None]] = {
    "q": setting("ended", True), " ": setting("frozen"), "/": setting("typing", True),
    "escape": clear_filter, "?": setting("helping", True), "h": setting("helping", True),
    "\t": turn_focus(1), "backtab": turn_focus(-1), "z": setting("zoomed"),
    "s": sort_next(1), "S": sort_next(-1), "r": turn_round,
    "up": scroll(lambda _: -1), "down": scroll(lambda _: 1),
    "page up": scroll(lambda view: -view.page), "page down": scroll(lambda view: view.page),
    "home": scroll(lambda _: -(1 << 30)), "end": scroll(lambda _: 1 << 30),
}  # fmt: skip
