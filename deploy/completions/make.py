"""Writes the completions for bash, zsh and fish beside this file: from the programs' own parsers.

    .venv/bin/python deploy/completions/make.py

Interfaces and groups are asked of the running agent when a word is completed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab
from mcastd.cli import mcastctl, mcastd

HERE = Path(__file__).resolve().parent

INTERFACES = shtab.cmd("mcastctl names interfaces 2>/dev/null")
GROUPS = shtab.cmd("mcastctl names groups 2>/dev/null")

FITTING = {
    "IFACE": INTERFACES, "GROUP": GROUPS, "FILE": shtab.FILE, "PATH": shtab.FILE,
    "DIR": shtab.DIRECTORY,
}  # fmt: skip
"""What completes an argument, by what the help calls it."""

FILES = {"bash": "bash/{}", "zsh": "zsh/_{}", "fish": "fish/{}.fish"}
"""Where a shell's file is, and how the shell wants it called."""


def main() -> None:
    for path, text in made().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def made() -> dict[Path, str]:
    """All files, and what is in them."""
    parsers = {"mcastctl": mcastctl.parser(), "mcastd": mcastd.parser()}
    for parser in parsers.values():
        for action in actions(parser):
            if isinstance(action.metavar, str) and action.metavar in FITTING:
                action.complete = FITTING[action.metavar]  # type: ignore[attr-defined]
    return {
        HERE / place.format(name): shtab.complete(parser, shell).rstrip() + "\n"
        for name, parser in parsers.items()
        for shell, place in FILES.items()
    }


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The parser's, and those of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from actions(inner)


if __name__ == "__main__":
    main()
