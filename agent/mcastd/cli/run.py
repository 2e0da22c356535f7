"""`mcastd run`: the agent, in the foreground."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Any

from mcastd.fastpath import FastPathError
from mcastd.service.config import ConfigFileError, Settings, load, parse_address
from mcastd.service.control import ControlError
from mcastd.service.run import StartError
from mcastd.service.run import run as run_agent

DONE, FAILED, BAD_INPUT, NOT_THERE = 0, 1, 2, 3


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
    parser.add_argument("--mode", choices=("observe", "host"), help="of the interfaces named")
    parser.add_argument(
        "--metrics", metavar="HOST:PORT", help='where to serve /metrics; "" nowhere'
    )
    parser.add_argument("--control", metavar="PATH", help="the control socket")
    parser.add_argument("-v", "--verbose", action="store_true", help="log more")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    logging.basicConfig(
        level=logging.DEBUG if args.verbose else logging.INFO,
        format=log_format(),
        stream=sys.stderr,
    )
    try:
        settings = settings_of(args)
    except ConfigFileError as error:
        return complain(str(error), BAD_INPUT)
    if not settings.interfaces:
        return complain(
            "no interface to run: name one with -i IFACE or [interface.NAME] in the configuration",
            BAD_INPUT,
        )
    return start(settings, args)


def start(settings: Settings, args: argparse.Namespace) -> int:
    try:
        asyncio.run(run_agent(settings, lambda: settings_of(args)))
    except (FastPathError, ControlError, StartError) as error:
        return complain(str(error), NOT_THERE)
    return DONE


def settings_of(args: argparse.Namespace) -> Settings:
    """From the files and the command line; ConfigFileError."""
    overrides: dict[str, Any] = {}
    if args.mode:
        overrides["mode"] = args.mode
    if args.control:
        overrides["socket"] = args.control
    if args.metrics is not None:
        try:
            overrides["metrics"] = parse_address(args.metrics) if args.metrics else None
        except ValueError:
            raise ConfigFileError(
                "--metrics", f'{args.metrics}: an address and port such as 127.0.0.1:9776, or ""'
            ) from None
    return load(args.config, tuple(args.interfaces), overrides)


def log_format() -> str:
    """The journal has its own clock."""
    return "%(message)s" if os.environ.get("JOURNAL_STREAM") else "%(asctime)s %(message)s"


def complain(text: str, code: int) -> int:
    print(f"mcastd: {text}", file=sys.stderr)
    return code
