"""What the values of keys may be: readers that raise TypeError or ValueError for all else."""

from __future__ import annotations

from collections.abc import Callable

LONGEST_TEXT = 4096
"""Characters of a path or a name."""

MOST_INTERFACES = 65_536


def is_pattern(name: str) -> bool:
    return bool(set(name) & set("*?["))


def text_key(value: object) -> str:
    if not isinstance(value, str) or "\0" in value or len(value) > LONGEST_TEXT:
        raise TypeError
    return value


def bool_key(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def whole_key(least: int, most: int) -> tuple[Callable[[object], int], str]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError
        return value

    return read, f"a whole number from {least} to {most}"
