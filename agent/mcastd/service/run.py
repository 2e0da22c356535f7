"""`mcastd run`: from the settings to a running agent, and its end."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mcastd.fastpath.fast_path import FastPath
from mcastd.net.links import LinkWatcher
from mcastd.printable import printable
from mcastd.service.agent import Agent
from mcastd.service.clock import now
from mcastd.service.company import Alone
from mcastd.service.config import Address, ConfigFileError, Settings
from mcastd.service.control import Control
from mcastd.service.documents import Own
from mcastd.service.faults import OUT_OF_DESCRIPTORS, Fault, Faults, is_of_a_connection, said
from mcastd.service.known_queriers import KnownQueriers
from mcastd.service.links import Links
from mcastd.service.memberships import OwnedMemberships
from mcastd.service.restart import check_machine, needs_restart, warnings
from mcastd.service.state_file import state_directory
from mcastd.service.system import (
    drop_capabilities,
    notify,
    notify_at_last,
    trim_heap,
    watchdog_seconds,
)

if TYPE_CHECKING:
    from mcastd.service.exposition import MetricsServer
    from mcastd.service.web_config import WebConfig

log = logging.getLogger("mcastd")


SHORT = OUT_OF_DESCRIPTORS | {errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC}
"""What the system is short of now and then; it is no bug of ours, and it passes."""


class StartError(Exception):
    """Something that the agent needs is not to be had; one line for the operator."""


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
    state = state_directory(settings.namespace)
    faults = Faults()
    agent = Agent(
        settings,
        fast_path,
        OwnedMemberships(state, faults.tell_of_file),
        KnownQueriers(state, now(), faults.tell_of_file),
        faults,
    )
    links = Links(agent)
    stopped = asyncio.Event()
    failures: list[BaseException] = []

    def fail(error: Exception | None) -> None:
        if error is not None:
            failures.append(error)
        stopped.set()

    control = company.control(agent, fail)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    agent.reload = partial(reload, agent, links, reread, company)
    loop.add_signal_handler(signal.SIGHUP, agent.reload, False)
    metrics: MetricsServer | None = None
    loop.set_exception_handler(lambda _loop, context: judge(faults, failures, stopped, context))
    try:
        with closing(LinkWatcher()) as watcher:
            snapshot = await watcher.snapshot()
            await links.start(snapshot)
            agent.listen(loop)  # events that wait already are taken when all interfaces are there
            fast_path.close_unclaimed()
            agent.started_up()
            metrics = await serve(settings, agent, control, company)
            fast_path.wait()
            agent.reader.request()  # now its sockets can be looked at
            drop_capabilities()
            trim_heap()
            agent.look.looked = partial(links.outlast, patience=0.0)
            links.outlast()
            announce(agent)
            watchdog(loop)
            following = asyncio.ensure_future(links.follow(watcher))
            await first_of(following, stopped)
    finally:
        notify("STOPPING=1")
        await control.stop()
        if metrics is not None:
            await metrics.stop()
        await company.close()
        agent.close()
        links.leave() if links.outlast() else links.close()
        fast_path.close()
    if failures:
        raise failures[0]


def judge(
    faults: Faults,
    failures: list[BaseException],
    stopped: asyncio.Event,
    context: Own,
) -> None:
    """What nobody has caught: a connection's is told and counted, the core's own ends the agent.

    Then the kernel goes on, and the service manager starts the agent anew.
    """
    error = context.get("exception")
    if is_of_a_connection(context) and isinstance(error, Exception):
        faults.tell_error(Fault.CONNECTION, printable(context["message"]), error)
        return
    if isinstance(error, OSError) and error.errno in SHORT:
        faults.tell_error(Fault.DESCRIPTORS, printable(context["message"]), error)
        return
    log.critical("%s", context["message"], exc_info=error)
    failures.append(error or RuntimeError(context["message"]))
    stopped.set()


def watchdog(loop: asyncio.AbstractEventLoop) -> None:
    """Tells the service manager, as often as it wants, that the loop turns."""
    interval = watchdog_seconds()
    if interval is not None:
        notify("WATCHDOG=1")
        loop.call_later(interval, watchdog, loop)


async def serve(
    settings: Settings, agent: Agent, control: Control, company: Alone
) -> MetricsServer | None:
    """Opens the control socket, and the port of the metrics if there is to be one.

    Only now is imported what they need: the interfaces are attached first.
    """
    await control.start(settings.socket, settings.group)
    if settings.metrics is None:
        return None
    from mcastd.service.exposition import MetricsServer  # noqa: PLC0415

    metrics = MetricsServer(agent, company.renderings(agent), web_config_of(settings))
    try:
        await metrics.start(settings.metrics)
    except OSError as error:
        where = shown(settings.metrics)
        raise StartError(
            f"metrics on {where}: {error.strerror or error}; "
            "choose another with --metrics or metrics.listen"
        ) from None
    return metrics


def announce(agent: Agent) -> None:
    attached = [printable(each.name) for each in agent.interfaces.values() if each.attachment]
    for name in agent.missing():
        log.warning("%s: there is no such interface now; it is attached when it appears", name)
    for text in warnings(agent.settings):
        log.warning("%s", text)
    notify_at_last(f"READY=1\nSTATUS=observing {', '.join(attached) or 'no interface yet'}")
    log.info("ready: %s", ", ".join(attached) or "no interface yet")


async def first_of(following: asyncio.Future[None], stopped: asyncio.Event) -> None:
    """Waits for the signal to stop; an error in the other is the agent's end."""
    waiting = asyncio.ensure_future(stopped.wait())
    await asyncio.wait((following, waiting), return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if following.done():
        following.result()
    following.cancel()


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
        log.warning("%s takes effect when mcastd is started anew", key)
    for text in warnings(agent.settings):
        log.warning("%s", text)


def web_config_of(settings: Settings) -> WebConfig | None:
    """StartError if its file is no good."""
    if settings.web_config is None:
        return None
    from mcastd.service.web_config import WebConfig, WebConfigError  # noqa: PLC0415 (rare)

    try:
        return WebConfig(Path(settings.web_config))
    except WebConfigError as error:
        raise StartError(f"metrics.web_config: {error}") from None


def shown(address: Address) -> str:
    """An address as the settings have it."""
    if address.is_path:
        return f"unix:{address.host}"
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"{host}:{address.port}"
