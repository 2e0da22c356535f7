"""Tables of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Its lines."""
    yield line(heads)
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield line([each.replace("|", "\\|") for each in row])


def line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def list_of(words: Iterable[str]) -> str:
    return ", ".join(code(word) for word in words)
