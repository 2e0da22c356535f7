"""`mcastd run`: runs the agent in the foreground.

Of all that it needs, only what loads the programs is imported here: while the kernel verifies
them, the rest follows, in the order in which it is needed.
"""

from __future__ import annotations

import argparse
import gc
from pathlib import Path
from typing import Any

from mcastd.fastpath.opening import Opening


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "run",
        help="run the agent in the foreground",
        description=(
            "Runs the agent on the interfaces that the configuration or -i names. SIGHUP reads the "
            "configuration anew, SIGTERM ends it. Interfaces that are not there yet are attached "
            "when they appear."
        ),
    )
    parser.add_argument("-c", "--config", metavar="FILE", type=Path, help="configuration (TOML)")
    parser.add_argument(
        "-i", "--interface", metavar="IFACE", action="append", default=[], dest="interfaces",
        help="run this interface; a pattern such as 'eth*' names several; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--mode", choices=("observe", "host"), help="run the named interfaces in this mode"
    )
    parser.add_argument(
        "--metrics",
        metavar="HOST:PORT",
        help='where to serve /metrics, also unix:/PATH; "" nowhere',
    )
    parser.add_argument("--control", metavar="PATH", help="the control socket")
    parser.add_argument(
        "--log-format", choices=("text", "json"), default="text",
        help="json: one object a line, which also says who made a change (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="log more; keep the verifier's log of a program that the kernel refuses",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    gc.disable()  # until all is imported, of which nothing is garbage
    opening = Opening()
    from mcastd.cli.start import start  # noqa: PLC0415 (while the programs load)

    return start(args, opening)
