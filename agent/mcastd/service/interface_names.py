"""Reads interfaces as operators name them, and says what to write instead of a wrong name."""

from __future__ import annotations

import re

from mcastd.net.names import LONGEST, given, raw
from mcastd.service.documents import Unread

SECTION = re.compile(r"\s*\[+\s*interface\s*\.\s*(?P<name>[^\"'\]]*[^\"'\]\s])\s*\]")

IMPOSSIBLE = re.compile(r"|\.|\.\.|.*[/:\s].*", re.DOTALL)
"""What the kernel lets no interface be called."""


def names_given(text: str) -> list[str]:
    """The names or patterns of one -i, also a list of them with commas, as they are shown."""
    return [given(each) for each in text.split(",")]


def refusal(name: str) -> str | None:
    """Why no interface is called so, and what to write instead."""
    device, _, rest = name.partition(":")
    if rest and device:
        return f"{rest!r} is the label of an address; name its interface: {device}"
    device, _, parent = name.partition("@")
    if parent and device:
        return f"ip(8) shows behind the @ what the interface belongs to; its name is {device}"
    if "," in name:
        parts = ", ".join(f'[interface."{each}"]' for each in name.split(",") if each)
        return f"one section for each interface: {parts}"
    if IMPOSSIBLE.fullmatch(name):
        return 'no interface is called so: a name has no "/", no ":" and no white space'
    if len(raw(name)) > LONGEST:
        return f"no interface is called so: a name has at most {LONGEST} bytes"
    return None


def unquoted(where: str, name: str, key: str, value: Unread) -> str:
    """What to write for a section whose name has dots that TOML took for its own.

    `where`: what stands before the name, "interface." but for other namespaces.
    """
    while True:
        name = f"{name}.{key}"
        inner = next(((k, v) for k, v in value.items() if isinstance(v, dict)), None)
        if inner is None:
            return f'[{where}{name}]: a name with a dot stands in quotes: [{where}"{name}"]'
        key, value = inner


def hint(text: str, error: str) -> str:
    """What may be meant, where the line of the error is a section with an unquoted name."""
    number = re.search(r"line (\d+)", error)
    if number is None:
        return ""
    line = text.splitlines()[int(number[1]) - 1 : int(number[1])]
    found = SECTION.match(line[0]) if line else None
    if found is None:
        return ""
    name = found["name"]
    return f'; a name of more than letters, digits, - and _ stands in quotes: [interface."{name}"]'


def is_pattern(name: str) -> bool:
    return bool(set(name) & set("*?["))
