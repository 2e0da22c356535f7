"""Defines what the value of a setting may be: its reader, its words, its JSON Schema.

Each table of settings (`mcastd.gmp.config`, `mcastd.service.config`, `guard`, `stream_settings`) is
made of these, so that what files are checked by, what errors say and what the reference has is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, NamedTuple

LONGEST_TEXT = 4096
"""Characters of a path or a name."""


class Allowed(NamedTuple):
    """`read` makes a setting of what a file has; TypeError or ValueError for what `text` and
    `schema` (JSON Schema) do not allow. `unit`: of a number.
    """

    read: Callable[[Any], Any]
    text: str
    schema: Mapping[str, Any]
    unit: str = ""


def whole(least: int, most: int, remark: str = "", unit: str = "") -> Allowed:
    """A whole number within these; `remark` is put behind the words."""
    text = f"a whole number from {least} to {most}{remark}"
    return Allowed(bounded((int,), least, most), text, bounds("integer", least, most), unit)


def number(least: float, most: float, unit: str = "") -> Allowed:
    text = f"a number from {least:g} to {most:g}"
    return Allowed(bounded((int, float), least, most), text, bounds("number", least, most), unit)


SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?s")
"""An interval with its unit."""


def interval(least: float, most: float, *, or_never: bool = False) -> Allowed:
    """A number of seconds within these, or such with its unit ("60s"). `or_never`: 0 may be given,
    too.
    """
    within = bounded((int, float), least, most)

    def read(value: Any) -> Any:
        if isinstance(value, str) and SECONDS.fullmatch(value):
            value = float(value[:-1])
        is_never = or_never and value == 0 and not isinstance(value, bool)
        return value if is_never else within(value)

    never = "0, or " if or_never else ""
    kinds = [bounds("number", 0.0 if or_never else least, most)]
    kinds += [{"type": "string", "pattern": f"^{SECONDS.pattern}$"}]
    text = f"{never}{least:g} to {most:g} seconds"
    return Allowed(read, text, {"anyOf": kinds}, "seconds")


def bounded(kinds: tuple[type, ...], least: float, most: float) -> Callable[[Any], Any]:
    """Reads a number of these kinds; true and false are none."""

    def read(value: Any) -> Any:
        fits = isinstance(value, kinds) and not isinstance(value, bool)
        if not fits:
            raise TypeError
        if not least <= value <= most:
            raise ValueError
        return value

    return read


def bounds(kind: str, least: float, most: float) -> Mapping[str, Any]:
    return {"type": kind, "minimum": least, "maximum": most}


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


YES_OR_NO = Allowed(_yes_or_no, "true or false", {"type": "boolean"})


def plain(value: Any) -> str:
    """A text that can be a path or a name; TypeError for all else."""
    if not isinstance(value, str) or "\0" in value or len(value) > LONGEST_TEXT:
        raise TypeError
    return value


def text(what: str, read: Callable[[str], Any] = lambda value: value) -> Allowed:
    """A text; `what`: which, in words. `read` may refuse it by a ValueError."""
    return Allowed(lambda value: read(plain(value)), what, {"type": "string"})


def one_of(choices: type[Enum]) -> Allowed:
    words = [str(each.value) for each in choices]
    return Allowed(choices, " or ".join(words), {"enum": words})


def texts(what: str, read: Callable[[Iterable[Any]], Any]) -> Allowed:
    """A list of texts; `read` may refuse it by a TypeError or a ValueError."""
    return Allowed(read, what, {"type": "array", "items": {"type": "string"}})
