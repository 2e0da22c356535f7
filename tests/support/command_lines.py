"""Commands that a page of the documentation names, and whether the programs would take them."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator

from mcastd.cli import mcastctl, mcastd

PROGRAMS = {"mcastctl": mcastctl.parser, "mcastd": mcastd.parser}

IN_LINE = re.compile(r"`((?:sudo )?(?:mcastctl|mcastd) [^`]+)`")
IN_BLOCK = re.compile(r"^ {4,}(?:\$ )?((?:sudo )?(?:\.venv/bin/)?(?:mcastctl|mcastd) .*)$", re.M)

PLACEHOLDERS = {"N": "2", "IFACE": "eth0", "GROUP": "232.1.1.1", "S": "10.0.0.2"}
"""What a page writes for a word that the reader puts in."""


def commands_in(text: str) -> Iterator[str]:
    """One after the other; of a pipe or a list, each one of the two programs."""
    for pattern in (IN_LINE, IN_BLOCK):
        for found in pattern.finditer(text):
            for part in re.split(r"&&|\|\|?|;", found[1]):
                words = part.split("  ")[0] if pattern is IN_BLOCK else part
                line = words.strip().removeprefix("sudo ").removeprefix(".venv/bin/").strip()
                if line.split(" ")[0] in PROGRAMS:
                    yield line


def is_taken(command: str) -> bool:
    """Whether the program's parser knows all of its words; a command's name alone is enough."""
    words = [PLACEHOLDERS.get(each, each) for each in shlex.split(command, comments=True)]
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            asked = words[1:] if len(words) > 2 else [*words[1:], "--help"]
            PROGRAMS[words[0]]().parse_args(asked)
        except SystemExit as error:
            return error.code == 0
    return True
