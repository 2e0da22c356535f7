"""`mcastd`: the daemon, and the tools that need no daemon."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Iterable

import mcastd

COMMANDS = {
    "run": "mcastd.cli.run",
    "check_config": "mcastd.cli.check_config",
    "build_cache": "mcastd.cli.build_cache",
    "classify": "mcastd.cli.classify",
    "streams": "mcastd.cli.streams",
    "simulate": "mcastd.cli.simulate",
    "lab": "mcastd_lab.command",
    "bench": "mcastd_bench.command",
}
"""The module of each command, with `add_parser` and `run`. Other packages' may not be installed."""

NOT_THERE = 3


def main(arguments: list[str] | None = None) -> int:
    given = arguments if arguments is not None else sys.argv[1:]
    named = wanted(given)
    if len(named) == 1 and not is_there(*named):
        print(f"mcastd {given[0]}: not installed: it is in the package mcastd-lab", file=sys.stderr)
        return NOT_THERE
    args = parser(named).parse_args(given)
    result: int = args.run(args)
    return result


def parser(commands: Iterable[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """With those of the commands that are installed; their modules are imported."""
    top = argparse.ArgumentParser(
        prog="mcastd",
        description="A multicast membership agent: IGMP and MLD seen at the NIC.",
    )
    top.add_argument("--version", action="version", version=f"mcastd {mcastd.__version__}")
    subparsers = top.add_subparsers(prog=top.prog, metavar="COMMAND", required=True)
    for name in filter(is_there, commands):
        importlib.import_module(COMMANDS[name]).add_parser(subparsers)
    return top


def wanted(arguments: list[str]) -> tuple[str, ...]:
    """Only the command that is called is imported; all of them to say which there are."""
    named = arguments[0].replace("-", "_") if arguments else ""
    return (named,) if named in COMMANDS else tuple(COMMANDS)


def is_there(command: str) -> bool:
    """Whether the package that the command is in is installed."""
    package = COMMANDS[command].partition(".")[0]
    return package == "mcastd" or importlib.util.find_spec(package) is not None


if __name__ == "__main__":
    sys.exit(main())
