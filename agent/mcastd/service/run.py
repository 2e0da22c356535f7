"""`mcastd run`: makes the agent from the settings, runs it, and ends it."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial

from mcastd.fastpath.fast_path import FastPath
from mcastd.net.links import LinkWatcher
from mcastd.printable import printable
from mcastd.service.agent import Agent
from mcastd.service.clock import now
from mcastd.service.company import Alone
from mcastd.service.config import ConfigFileError, Settings
from mcastd.service.ending import Ending
from mcastd.service.faults import Faults, said
from mcastd.service.known_queriers import KnownQueriers
from mcastd.service.links import Links
from mcastd.service.memberships import OwnedMemberships
from mcastd.service.restart import check_machine, needs_restart, warnings
from mcastd.service.serving import Serving
from mcastd.service.state_file import state_directory
from mcastd.service.system import (
    drop_capabilities,
    notify,
    notify_at_last,
    trim_heap,
    watchdog_seconds,
)

log = logging.getLogger("mcastd")


async def run(
    settings: Settings,
    fast_path: FastPath,
    reread: Callable[[], Settings],
    company: Alone | None = None,
) -> None:
    """Runs until SIGTERM or SIGINT, and closes the fast path; SIGHUP reads the settings anew.

    `company`: of agents in other network namespaces. FastPathError, ControlError or StartError,
    with one line each, if it cannot start.
    """
    loop = asyncio.get_running_loop()
    company = company or Alone()
    faults = Faults()
    agent, ending = made(settings, fast_path, faults), Ending(faults)
    links = Links(agent)
    serving = Serving(agent, company, ending.fail)
    agent.reload = partial(reload, agent, links, reread, company)
    loop.add_signal_handler(signal.SIGHUP, agent.reload, False)
    ending.watch(loop)
    try:
        with closing(LinkWatcher()) as watcher:
            await links.start(await watcher.snapshot())
            agent.listen(loop)  # events that wait already are taken when all interfaces are there
            fast_path.close_unclaimed()
            agent.started_up()
            await serving.open(settings)
            give_up_rights(agent, fast_path)
            agent.look.looked = partial(links.outlast, patience=0.0)
            links.outlast()
            announce(agent)
            watchdog(loop)
            await ending.wait(asyncio.ensure_future(links.follow(watcher)))
    finally:
        notify("STOPPING=1")
        await serving.close()
        agent.close()
        links.leave() if links.outlast() else links.close()
        fast_path.close()
    ending.raise_failure()


def made(settings: Settings, fast_path: FastPath, faults: Faults) -> Agent:
    """The agent, with what it had kept in its state directory."""
    state = state_directory(settings.namespace)
    owned = OwnedMemberships(state, faults.tell_of_file)
    known = KnownQueriers(state, now(), faults.tell_of_file)
    return Agent(settings, fast_path, owned, known, faults)


def give_up_rights(agent: Agent, fast_path: FastPath) -> None:
    """When all programs are loaded: then the agent needs less, and less memory, too."""
    fast_path.wait()
    agent.reader.request()  # now its sockets can be looked at
    drop_capabilities()
    trim_heap()


def watchdog(loop: asyncio.AbstractEventLoop) -> None:
    """Tells the service manager, as often as it wants, that the loop turns."""
    interval = watchdog_seconds()
    if interval is not None:
        notify("WATCHDOG=1")
        loop.call_later(interval, watchdog, loop)


def announce(agent: Agent) -> None:
    attached = [printable(each.name) for each in agent.interfaces.values() if each.attachment]
    for name in agent.missing():
        log.warning("%s: there is no such interface now; it is attached when it appears", name)
    for text in warnings(agent.settings):
        log.warning("%s", text)
    notify_at_last(f"READY=1\nSTATUS=observing {', '.join(attached) or 'no interface yet'}")
    log.info("ready: %s", ", ".join(attached) or "no interface yet")


def reload(
    agent: Agent, links: Links, reread: Callable[[], Settings], company: Alone, undo: bool = False
) -> str | None:
    """Takes over a new configuration; a bad one is told and returned, and the running one stays.

    What was set by hand stays, too, unless it is to be undone.
    """
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
    problem = None
    try:
        settings = reread()
        check_machine(settings)
        if undo:
            agent.by_hand.undo()
        company.configured(settings, undo=undo)
        links.configure(settings)
        log.info("configuration read")
        tell_of_reload(agent)
    except ConfigFileError as error:
        problem = str(error)
        log.error("%s; the running configuration stays", problem)
    except OSError as error:
        problem = f"not all of it could be put in force: {said(error)}"
        log.error("%s", problem)
    notify_at_last("READY=1")
    return problem


def tell_of_reload(agent: Agent) -> None:
    """What of the files is not in force all the same, and why."""
    for interface in agent.interfaces.values():
        for each in agent.differences(interface):
            log.warning(
                "%s: %s = %s was set by hand and stays (%s in the files; mcastctl reload --undo)",
                each.interface, each.key, each.value, each.files,
            )  # fmt: skip
    for key in needs_restart(agent.started_with, agent.settings):
        log.warning("%s takes effect when mcastd is restarted", key)
    for text in warnings(agent.settings):
        log.warning("%s", text)
