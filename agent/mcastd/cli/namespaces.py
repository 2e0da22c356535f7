"""Runs the keeper of other namespaces, and `mcastd run` in each process that it makes.

`keeper_process.begin` runs this module, with the descriptor of its channel and the arguments of
`mcastd run`.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcastd.printable import printable
from mcastd.service.namespaces import channel

if TYPE_CHECKING:
    from mcastd.fastpath.objects import BpfObject
    from mcastd.service.config import Settings
    from mcastd.service.namespaces.inside import Place


def keep(descriptor: str, given: str) -> int:
    """The keeper, until the agent that has started it ends."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # All that an agent needs, so that those that are made here have it.
    from mcastd.cli import start  # noqa: PLC0415
    from mcastd.fastpath.errors import FastPathError  # noqa: PLC0415
    from mcastd.fastpath.objects import obtain  # noqa: PLC0415
    from mcastd.service import exposition, run, system  # noqa: F401, PLC0415
    from mcastd.service.namespaces.keeper import Keeper  # noqa: PLC0415

    try:
        compiled = obtain(lambda text: None)  # before rights are given up that it may take
    except FastPathError as error:
        return start.complain(str(error), start.NOT_THERE)
    system.drop_capabilities((*system.KEPT, *system.KEEPERS))
    arguments: dict[str, Any] = json.loads(given)
    arguments["config"] = arguments["config"] and Path(arguments["config"])
    args = argparse.Namespace(metrics=None, control=None, **arguments)
    keeper = Keeper(
        channel.inherited(int(descriptor)),
        lambda: start.settings_of(args),
        lambda place, doors: run_agent(args, compiled, place, doors),
    )
    keeper.keep()
    return 0


def run_agent(
    args: argparse.Namespace, compiled: BpfObject, place: Place, doors: socket.socket
) -> int:
    """The agent of a namespace, in which this process is; the exit code."""
    from mcastd.cli import start  # noqa: PLC0415
    from mcastd.fastpath.errors import FastPathError  # noqa: PLC0415
    from mcastd.fastpath.fast_path import FastPath  # noqa: PLC0415
    from mcastd.fastpath.programs import begin_loading  # noqa: PLC0415
    from mcastd.service.config import ConfigFileError  # noqa: PLC0415
    from mcastd.service.early import attach_early  # noqa: PLC0415
    from mcastd.service.namespaces.child import say_problem  # noqa: PLC0415
    from mcastd.service.namespaces.within import Within  # noqa: PLC0415

    start.set_up_log(args, f"{printable(place.name)}: ")
    try:
        settings = settings_within(args, place)
        fast_path = FastPath(begin_loading(compiled, settings.max_interfaces))
        if settings.counts_streams:
            fast_path.open_streams(
                partial(start.say, args), settings.streams.most, settings.streams.room_for_pairs
            )
        attach_early(fast_path, settings)
    except FastPathError as error:
        say_problem(f"{error}{start.about_log(error, keep=args.verbose)}")
        return start.NOT_THERE
    except ConfigFileError as error:
        say_problem(str(error))
        return start.BAD_INPUT
    company = Within(place.name, doors)
    try:
        return start.run_agent(fast_path, settings, lambda: settings_within(args, place), company)
    except FastPathError as error:
        say_problem(str(error))
        return start.NOT_THERE


def settings_within(args: argparse.Namespace, place: Place) -> Settings:
    """As the namespace's agent reads them. ConfigFileError, also if it is not named any more."""
    from mcastd.cli import start  # noqa: PLC0415
    from mcastd.service.config import ConfigFileError  # noqa: PLC0415
    from mcastd.service.namespaces.settings import within  # noqa: PLC0415

    settings = within(start.settings_of(args), place.name)
    if settings is None:
        raise ConfigFileError("configuration", f"namespace {place.name} is not named any more")
    return settings


if __name__ == "__main__":
    sys.exit(keep(*sys.argv[1:3]))
