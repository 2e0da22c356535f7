"""`mcastd run`, when its arguments are read: settings, then the interfaces, then the agent."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

from mcastd.fastpath import FastPath, FastPathError
from mcastd.fastpath.errors import ProgramRefusedError
from mcastd.fastpath.opening import Opening
from mcastd.printable import printable
from mcastd.service.config import ConfigFileError, Settings, load, parse_address
from mcastd.service.early import attach_early
from mcastd.service.system import allow_files

if TYPE_CHECKING:
    import logging

DONE, FAILED, BAD_INPUT, NOT_THERE = 0, 1, 2, 3


def start(args: argparse.Namespace, opening: Opening) -> int:
    """Runs the agent; the exit code when it ends."""
    try:
        settings = settings_of(args)
    except ConfigFileError as error:
        return complain(str(error), BAD_INPUT)
    if not settings.interfaces:
        return complain(
            "no interface to run: name one with -i IFACE or [interface.NAME] in the configuration",
            BAD_INPUT,
        )
    try:
        allow_files()
        fast_path = opening.result(partial(say, args), settings.max_interfaces)
        if settings.counts_streams:
            fast_path.open_streams(partial(say, args), settings.streams.most)
        attach_early(fast_path, settings)
        return run_agent(args, settings, fast_path)
    except FastPathError as error:
        return complain(f"{error}{about_log(error, keep=args.verbose)}", NOT_THERE)


def about_log(error: FastPathError, *, keep: bool) -> str:
    """Where the verifier's log of a refused program is kept, or how to have it; else nothing."""
    refused = error.__cause__
    if not isinstance(refused, ProgramRefusedError) or not refused.log:
        return ""
    if not keep:
        return "; --verbose keeps the verifier's log"
    # As the service manager says: it may have given the agent a /tmp that nobody else sees.
    place = os.environ.get("LOGS_DIRECTORY") or os.environ.get("STATE_DIRECTORY") or None
    try:
        number, path = tempfile.mkstemp(".log", "mcastd-verifier-", place)
        with open(number, "w") as file:
            file.write(refused.log)
    except OSError as problem:
        return f"; the verifier's log could not be kept: {problem.filename}: {problem.strerror}"
    return f"; the verifier's log: {path}"


def run_agent(args: argparse.Namespace, settings: Settings, fast_path: FastPath) -> int:
    set_up_log(args)
    # Only now: they are many, and the interfaces are attached already.
    import asyncio  # noqa: PLC0415

    from mcastd.service.control_socket import ControlError  # noqa: PLC0415
    from mcastd.service.run import StartError, run  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    try:
        asyncio.run(run(settings, fast_path, lambda: settings_of(args)))
    except (ControlError, StartError) as error:
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


def say(args: argparse.Namespace, text: str) -> None:
    set_up_log(args).info(text)


def set_up_log(args: argparse.Namespace) -> logging.Logger:
    """The log, set up the first time that something is to be said, or the agent starts."""
    import logging  # noqa: PLC0415 (most starts say nothing until the interfaces are attached)

    from mcastd.cli.log import PrintableFormatter  # noqa: PLC0415

    level = logging.DEBUG if args.verbose else logging.INFO
    if not logging.root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(PrintableFormatter(log_format()))
        logging.basicConfig(level=level, handlers=[handler])
    return logging.getLogger("mcastd")


def log_format() -> str:
    """The journal has its own clock."""
    return "%(message)s" if os.environ.get("JOURNAL_STREAM") else "%(asctime)s %(message)s"


def complain(text: str, code: int) -> int:
    print(printable(f"mcastd: {text}"), file=sys.stderr)
    return code
