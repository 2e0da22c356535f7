"""`mcastd simulate`: runs scenario files and, with --check, compares with what they expect."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcastd import simulate
from mcastd.files import open_stream
from mcastd.gmp.time import in_seconds
from mcastd.simulate import Line, Scenario, ScenarioError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

_DONE, _NO, _BAD_INPUT = 0, 1, 2

_SUMMARY = "run scenario files through the protocol engine, without a network"
_EPILOG = """\
A line is printed for each thing that happened: what was sent, what was refused, which version was
spoken, and the state at the end of each scenario. Steps are counted from 1. Warnings, and what is
not as expected, go to stderr.
Exit code: 0 done, 1 something is not as expected, 2 a file is not a scenario.
"""


_DESCRIBED: dict[str, Any] = {
    "description": _SUMMARY.capitalize() + ".",
    "epilog": _EPILOG,
    "formatter_class": argparse.RawDescriptionHelpFormatter,
}


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser("simulate", help=_SUMMARY, **_DESCRIBED)
    _add_arguments(parser)
    parser.set_defaults(run=run)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="a scenario file; - is stdin")
    parser.add_argument("--check", action="store_true", help="also compare with `expect`")
    parser.add_argument(
        "--json", action="store_true", help="print JSON lines, which is the default, too"
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="print only what is not as expected"
    )


def run(args: argparse.Namespace) -> int:
    """Reads all files before it runs the first, so that a mistake in one is seen at once."""
    try:
        scenarios = [scenario for file in args.files for scenario in _load(file)]
    except ScenarioError as error:
        print(f"mcastd simulate: {error}", file=sys.stderr)
        return _BAD_INPUT
    failed = [not _run(scenario, args.check, args.quiet) for scenario in scenarios]
    _write("", flush=True)
    if args.check:
        print(_summary(len(failed), sum(failed)), file=sys.stderr)
    return _NO if any(failed) else _DONE


def _summary(count: int, failed: int) -> str:
    what = f"{count} scenario" if count == 1 else f"{count} scenarios"
    return f"{failed} of {what} not as expected" if failed else f"{what} as expected"


def _load(file: str) -> list[Scenario]:
    name = "<stdin>" if file == "-" else file
    try:
        text = _content(file).decode()
    except OSError as error:
        raise ScenarioError(name, 0, "", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ScenarioError(name, 0, "", "is not text in UTF-8") from None
    return list(simulate.load(text, name))


def _content(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    with open_stream(Path(file)) as stream:
        return stream.read()


def _run(scenario: Scenario, wanted: bool, quiet: bool) -> bool:
    """Whether all is as expected, or nobody asks."""
    lines = []
    for line in simulate.run(scenario):
        lines.append(line)
        if not quiet:
            _show(line, scenario)
    differences = simulate.check(scenario, lines) if wanted else []
    if differences:
        print(f"{scenario.file}:{scenario.line}: {scenario.name}", file=sys.stderr)
        for difference in differences:
            print(f"  {difference}", file=sys.stderr)
    return not differences


def _show(line: Line, scenario: Scenario) -> None:
    if line.kind == "warning":
        place = f"{scenario.file}:{scenario.line}: at {in_seconds(line.at):.3f}"
        print(f"{place}: {line.value}", file=sys.stderr)
    else:
        _write(line.to_json() + "\n")


def _write(text: str, flush: bool = False) -> None:
    """To standard output; nobody may be reading it any more, as after `head`."""
    try:
        print(text, end="", flush=flush)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="mcastd simulate", **_DESCRIBED)
    _add_arguments(parser)
    return run(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
