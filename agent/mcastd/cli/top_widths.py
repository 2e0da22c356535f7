"""Measures text by the columns of a terminal, also of wide characters, and cuts it to fit."""

from __future__ import annotations

from unicodedata import combining, east_asian_width


def extent(text: str) -> int:
    """Columns of a terminal that it takes."""
    return len(text) if text.isascii() else sum(map(_extent, text))


def _extent(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def fit(text: str, width: int) -> str:
    """Exactly so wide: cut, or filled with spaces."""
    if text.isascii():
        return text[: max(0, width)].ljust(width)
    made, used = [], 0
    for character in text:
        if used + _extent(character) > width:
            break
        made.append(character)
        used += _extent(character)
    return "".join(made) + " " * (width - used)
