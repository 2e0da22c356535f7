"""Starts `mcastd run` after its arguments: settings, then the interfaces, then the agent."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

from mcastd.fastpath.errors import FastPathError, ProgramRefusedError
from mcastd.fastpath.fast_path import FastPath
from mcastd.fastpath.opening import Opening
from mcastd.printable import printable
from mcastd.service.config import ConfigFileError, Settings, load, parse_address
from mcastd.service.early import attach_early
from mcastd.service.system import allow_files

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from mcastd.service.company import Alone

DONE, FAILED, BAD_INPUT, NOT_THERE = 0, 1, 2, 3


def start(args: argparse.Namespace, opening: Opening) -> int:
    """Runs the agent; the exit code when it ends."""
    try:
        settings = settings_of(args)
    except ConfigFileError as error:
        return complain(str(error), BAD_INPUT)
    if not settings.interfaces and not settings.namespaces and args.config is None:
        return complain(
            "no interface to run: name one with -i IFACE or [interface.NAME] in the configuration",
            BAD_INPUT,
        )
    try:
        allow_files()
        fast_path = opening.result(partial(say, args), settings.max_interfaces)
        if settings.counts_streams:
            fast_path.open_streams(
                partial(say, args), settings.streams.most, settings.streams.room_for_pairs
            )
        attach_early(fast_path, settings)
        set_up_log(args)
        company = in_company(args) if settings.namespaces else None
        return run_agent(fast_path, settings, lambda: settings_of(args), company)
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


def in_company(args: argparse.Namespace) -> Alone:
    """Starts what starts the agents in other namespaces; FastPathError if it cannot be."""
    from mcastd.cli.keeper_process import begin  # noqa: PLC0415 (most settings name none)
    from mcastd.service.namespaces.first import First  # noqa: PLC0415

    try:
        return First(*begin(args))
    except OSError as error:
        raise FastPathError(f"the keeper of the namespaces: {error.strerror}") from None


def run_agent(
    fast_path: FastPath, settings: Settings, reread: Callable[[], Settings], company: Alone | None
) -> int:
    # Only now: they are many, and the interfaces are attached already.
    import asyncio  # noqa: PLC0415

    from mcastd.service.company import LostError  # noqa: PLC0415
    from mcastd.service.control_socket import ControlError  # noqa: PLC0415
    from mcastd.service.run import run  # noqa: PLC0415
    from mcastd.service.serving import StartError  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    try:
        asyncio.run(run(settings, fast_path, reread, company))
    except (ControlError, StartError, LostError) as error:
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
                "--metrics",
                f'{args.metrics}: an address and port such as 127.0.0.1:9776, unix:/PATH, or ""',
            ) from None
    return load(args.config, tuple(args.interfaces), overrides)


def say(args: argparse.Namespace, text: str) -> None:
    set_up_log(args).info(text)


def set_up_log(args: argparse.Namespace, before: str = "") -> logging.Logger:
    """The log, set up the first time that something is to be said, or the agent starts.

    `before`: what each line begins with.
    """
    import logging  # noqa: PLC0415 (most starts say nothing until the interfaces are attached)

    from mcastd.cli.log import formatter  # noqa: PLC0415

    level = logging.DEBUG if args.verbose else logging.INFO
    if not logging.root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(formatter(args.log_format, before))
        logging.basicConfig(level=level, handlers=[handler])
    return logging.getLogger("mcastd")


def complain(text: str, code: int) -> int:
    print(printable(f"mcastd: {text}"), file=sys.stderr)
    return code
