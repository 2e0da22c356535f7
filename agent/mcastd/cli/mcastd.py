"""`mcastd`: the daemon, and the tools that need no daemon."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable

import mcastd

COMMANDS = ("run", "check_config", "build_cache", "classify", "streams", "simulate", "lab", "bench")
"""Modules of this package, each with `add_parser` and `run`."""


def main(arguments: list[str] | None = None) -> int:
    given = arguments if arguments is not None else sys.argv[1:]
    args = parser(wanted(given)).parse_args(given)
    result: int = args.run(args)
    return result


def parser(commands: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """With those of the commands whose modules are to be imported."""
    top = argparse.ArgumentParser(
        prog="mcastd",
        description="A multicast membership agent: IGMP and MLD seen at the NIC.",
    )
    top.add_argument("--version", action="version", version=f"mcastd {mcastd.__version__}")
    subparsers = top.add_subparsers(prog=top.prog, metavar="COMMAND", required=True)
    for name in commands:
        importlib.import_module(f"mcastd.cli.{name}").add_parser(subparsers)
    return top


def wanted(arguments: list[str]) -> tuple[str, ...]:
    """Only the command that is called is imported; all of them to say which there are."""
    named = arguments[0].replace("-", "_") if arguments else ""
    return (named,) if named in COMMANDS else COMMANDS


if __name__ == "__main__":
    sys.exit(main())
