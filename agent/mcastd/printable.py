"""Makes text from outside fit for terminals, logs and the service manager.

Names of applications and interfaces, addresses and values that somebody else chose may hold escape
sequences, line ends or halves of characters. Whatever is shown to people passes through here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

LONGEST = 200
"""Characters of a value that is shown to say that it is wrong."""

UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # control characters, with those of eight bits
    "\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # unseen
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # halves of characters, and none at all
    "\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    r"""The text, with `\x1b` and the like instead of what is no visible character."""
    return UNFIT.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def brief(value: object) -> str:
    """A value as it is told in an error: on one line, not long, whatever it is."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > LONGEST:
        return "a very large number"  # its digits would take long to find
    if isinstance(value, dict | list | tuple) and len(value) > 0 and is_deep(value):
        return f"a {type(value).__name__} in many levels"
    try:
        text = printable(repr(value))
    except ValueError:  # a very large number is in it
        return f"a {type(value).__name__} too large to show"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def is_deep(value: object, levels: int = 8) -> bool:
    """Whether lists and tables stand in each other beyond so many levels."""
    if not isinstance(value, dict | list | tuple):
        return False
    if levels == 0:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return any(is_deep(each, levels - 1) for each in inner)


def cleaned(value: Any) -> Any:
    """A document with all its text printable, keys too."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {cleaned(key): cleaned(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(each) for each in value]
    return value
