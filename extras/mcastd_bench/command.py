"""`mcastd bench`: measures the agent beside what one would otherwise use."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from mcastd_bench import UnknownName, table
from mcastd_bench import run as measure

DONE, FAILED, BAD_INPUT = 0, 1, 2

REPORT = Path("build/bench.json")


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "bench",
        help="measure the agent beside what one would otherwise use",
        description=(
            "Measures every row against its baselines, in turn and in the same run. Rows that need "
            "root, a kernel feature or a package that is not there say so."
        ),
    )
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="rows, what their names start with, or patterns"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="about a minute, with more noise; the largest rows only if they are named",
    )
    parser.add_argument("--json", action="store_true", help="the report instead of the table")
    parser.add_argument(
        "--output", metavar="FILE", type=Path, default=REPORT,
        help=f"where the report is written too (default: {REPORT})",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    try:
        report = measure(args.names, args.quick, progress)
    except UnknownName as why:
        print(f"mcastd bench: {why}", file=sys.stderr)
        return BAD_INPUT
    document = json.dumps(report, indent=1)
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(document + "\n")
    print(document if args.json else table(report))
    return FAILED if any("failed" in each for each in report["results"]) else DONE


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
