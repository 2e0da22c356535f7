"""Converts interface names between the kernel's bytes and the text that people use.

The kernel takes any bytes but "/", ":" and white space for a name. What is shown is text that does
no harm on a terminal, in JSON or as a label, and each shown name stands for one device.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 127
"""Bytes of an alternative name (ALTIFNAMSIZ - 1); of the device's own, 15."""

ESCAPED = re.compile(r"\\(?:x([0-9a-f]{2})|\\)")

LONE = re.compile(r"(?<!\\)\\(?!x[0-9a-f]{2}|\\)")

BARE = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
"""What no shell gives a meaning to."""


@lru_cache(maxsize=4096)
def shown(raw: bytes) -> str:
    """The name as text: what is not printable UTF-8 as \\xNN, a backslash as two."""
    text = raw.decode(errors="surrogateescape")
    return "".join(map(_shown_character, text))


def _shown_character(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable():
        return character
    return "".join(f"\\x{byte:02x}" for byte in character.encode(errors="surrogateescape"))


def raw(name: str) -> bytes:
    """The device's own name, which is shown so."""
    parts, end = [], 0
    for found in ESCAPED.finditer(name):
        parts.append(name[end : found.start()].encode())
        parts.append(bytes.fromhex(found[1]) if found[1] else b"\\")
        end = found.end()
    return b"".join((*parts, name[end:].encode(errors="surrogateescape")))


def given(text: str) -> str:
    """A name or pattern as an operator wrote it, as it is shown: a shell may have made bytes of it.

    A backslash that escapes nothing is one of the name's own.
    """
    return "".join(
        each if each.isprintable() else _shown_character(each) for each in LONE.sub(r"\\\\", text)
    )


def word(name: str) -> str:
    """The name as a word for a shell, in a command that is to be typed."""
    device = raw(name)
    if shown(device) != device.decode(errors="replace"):
        return "$'" + "".join(_quoted_byte(byte) for byte in device) + "'"
    text = device.decode()
    return text if BARE.fullmatch(text) else "'" + text.replace("'", "'\"'\"'") + "'"


def _quoted_byte(byte: int) -> str:
    character = chr(byte)
    return character if character.isascii() and character.isalnum() else f"\\x{byte:02x}"
