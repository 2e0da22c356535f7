"""Hands interfaces over: to the agent, which then speaks (host mode), and back to the kernel."""

from __future__ import annotations

import errno
import logging

from mcastd.service import events
from mcastd.service.agent import Agent
from mcastd.service.clock import now
from mcastd.service.faults import said
from mcastd.service.interface import Interface
from mcastd.service.mode import Mode

log = logging.getLogger("mcastd")


def enter(agent: Agent, interface: Interface) -> str | None:
    """Runs it in the mode that is wanted. Why it cannot be, if it cannot.

    After a restart, routers know of the memberships that were kept: these are not reported anew.
    """
    resumes = interface.wanted_mode is Mode.HOST is not interface.mode and agent.owned.is_fresh
    if resumes:
        kept = {each.key for each in agent.owned.kept}
        wanted = agent.memberships.wanted(interface)
        agent.memberships.put_all(
            interface, (each for each in wanted if each.key in kept and not each.kernel)
        )
    problem = change(agent, interface, interface.wanted_mode)
    if resumes and problem is None:
        agent.teller.tell_all(interface, interface.resume(now()))
    return problem


def set_by_hand(agent: Agent, interface: Interface, mode: Mode) -> str | None:
    """Hands an interface over, either way, as the operator wants it from now on.

    Why it cannot be, if it cannot: then what was wanted before still is.
    """
    problem = change(agent, interface, mode)
    if problem is None:
        interface.wanted_mode = mode
        agent.by_hand.set(interface.name, "mode", mode)
        agent.settle(interface)
    return problem


def change(agent: Agent, interface: Interface, mode: Mode) -> str | None:
    """Hands an interface over, either way. Why it cannot be, if it cannot."""
    if mode is interface.mode:
        return None
    if mode is Mode.HOST:
        problem = take_over(agent, interface)
        if problem is not None:
            return problem
    else:
        agent.give_back(interface)
    agent.memberships.keep_configured()
    agent.remark(interface)
    log.info("%s: %s mode", interface.name, mode.value)
    agent.teller.announce(interface.name, events.ModeChanged(mode))
    agent.turns.arm({interface.index} if interface.index is not None else None)
    return None


def take_over(agent: Agent, interface: Interface) -> str | None:
    """The agent speaks from now on, if it can."""
    problem = agent.host_mode.refusal(interface) or agent.host_mode.taken(interface)
    if problem is not None:
        return problem
    assert interface.index is not None
    try:
        agent.host_mode.start(interface, agent.addresses.usable(interface.index))
    except OSError as error:
        agent.host_mode.stop(interface)
        needs = " (host mode needs CAP_NET_RAW)" if error.errno == errno.EPERM else ""
        return f"{interface.name}: cannot be taken over: {said(error)}{needs}"
    agent.memberships.put_all(interface, agent.memberships.wanted(interface))
    return None
