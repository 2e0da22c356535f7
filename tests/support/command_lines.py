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

MENTION = re.compile(r"arguments are required|expected (at least )?one argument")
"""What the parser says of a command that is named, and not to be given as it stands."""

PLACEHOLDERS = {"N": "2", "IFACE": "eth0", "GROUP": "232.1.1.1", "S": "2"}
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
    """Whether the program's parser knows all of its words; a command without some is a mention."""
    words = [PLACEHOLDERS.get(each, each) for each in shlex.split(command, comments=True)]
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            PROGRAMS[words[0]]().parse_args(words[1:])
        except SystemExit as error:
            return error.code == 0 or MENTION.search(said.getvalue()) is not None
    return True
