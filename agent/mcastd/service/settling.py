"""Attaches interfaces and puts them into the wanted mode, as soon as that is possible.

What is in the way is said once, looked at again whenever something changes, and said to be over
when it is. Interfaces that come by the thousand are attached in bounded pieces, between which the
loop turns.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress

from mcastd.fastpath.attach import said
from mcastd.fastpath.errors import FastPathError
from mcastd.net.proc import Users
from mcastd.service import clock, events, modes
from mcastd.service.agent import Agent
from mcastd.service.interface import Interface
from mcastd.service.joined import unknown
from mcastd.service.limit import SayingLimit
from mcastd.service.mode import Mode

log = logging.getLogger("mcastd")

TURN_SECONDS = 0.005
"""Of attaching, in one turn of the loop; one interface in any case."""

TOGETHER_SECONDS = 0.1
"""So long interfaces wait that have been attached, while there are more.

The kernel's lists can only be read as a whole, which is done once for all of them.
"""

AGAIN_SECONDS = 10.0
"""Between two attempts to attach where nothing told of a change: other programs come and go so."""


class Settling:
    """Interfaces by index: those that wait for their turn, and those that could not be attached."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._waiting: dict[int, Interface] = {}
        self._refused: dict[int, Interface] = {}
        self._carrier_losses: dict[int, int] = {}
        """Until it was attached, where a driver forgets the program when it begins anew. That takes
        the carrier away, as attaching does itself: so they are counted."""
        self._attached: list[Interface] = []
        self._begin_at = 0.0
        self._handle: asyncio.Handle | None = None
        self._again: asyncio.TimerHandle | None = None
        self._limit = SayingLimit()

    def soon(self, interface: Interface) -> None:
        """Something about the interface is new."""
        if interface.index is None:
            return
        self._waiting[interface.index] = interface
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_soon(self._some)

    def now(self, interface: Interface) -> None:
        """Has an interface that is attached run as it should be at once; any other, soon."""
        if interface.attachment is None:
            self.soon(interface)
        elif interface.index is not None:
            self._settle(interface.index, interface)

    async def settled(self) -> None:
        """Until none waits any more."""
        while self._waiting or self._attached:  # noqa: ASYNC110 (each turn does a piece of it)
            await asyncio.sleep(0)

    def forget(self, index: int) -> None:
        """The interface is gone, or nobody's; its place may be what others wait for."""
        self._waiting.pop(index, None)
        self._refused.pop(index, None)
        self._carrier_losses.pop(index, None)
        for interface in list(self._refused.values()):
            self.soon(interface)

    def close(self) -> None:
        for handle in (self._handle, self._again):
            if handle is not None:
                handle.cancel()

    def _some(self) -> None:
        """One piece: attaches as many as its time allows."""
        loop = asyncio.get_running_loop()
        until = loop.time() + TURN_SECONDS
        while self._waiting:
            index = next(iter(self._waiting))
            interface = self._waiting.pop(index)
            try:
                if self._settle(index, interface):
                    self._attached.append(interface)
            except OSError as error:
                self._agent.turns.failed(index, error)
            if loop.time() > until:
                break
        if self._attached and (not self._waiting or loop.time() > self._begin_at):
            self._begin_all()
            self._begin_at = loop.time() + TOGETHER_SECONDS
        self._handle = loop.call_soon(self._some) if self._waiting else None

    def _refuse(self, index: int, interface: Interface) -> None:
        """It is tried again in a while, if nothing changes before."""
        self._refused[index] = interface
        if self._again is None:
            self._again = asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._try_again)

    def _begin_all(self) -> None:
        """Asks the kernel once for all that have been attached, and are still there."""
        attached = [each for each in self._attached if each.attachment and each.index is not None]
        self._attached = []
        received = self._received()
        for interface in attached:
            assert interface.index is not None
            try:
                self._begin(interface, received.get(interface.index, {}))
            except OSError as error:
                self._agent.turns.failed(interface.index, error)
        self._agent.turns.arm({each.index for each in attached if each.index is not None})

    def _received(self) -> Users:
        """Presence is enough to begin with; the rest is looked up beside the loop."""
        self._agent.reader.request()
        try:
            return self._agent.machine.receives().users
        except OSError as error:
            log.error("what the kernel receives cannot be read: %s", error)
            return {}

    def _try_again(self) -> None:
        self._again = None
        for interface in list(self._refused.values()):
            self.soon(interface)

    def _settle(self, index: int, interface: Interface) -> bool:
        """True if it has just been attached, and all else is still to be done."""
        assert interface.link is not None
        unfit = interface.link.unfit
        if interface.attachment is not None:
            in_the_way = self._renew(index, interface) or self._settle_mode(interface)
            self._note(interface, in_the_way or unfit)
            return False
        problem = unfit or self._attach(index, interface)
        if problem is None:
            self._refused.pop(index, None)
            return True
        if unfit is None:
            self._refuse(index, interface)
        self._note(interface, problem)
        return False

    def _renew(self, index: int, interface: Interface) -> str | None:
        """Attaches anew where another hook is wanted, or is right, than the one that is held.

        Why it cannot be attached any more, if it cannot.
        """
        attachment, choice = interface.attachment, self._agent.hook_choice(interface)
        streams = self._agent.counts_streams(interface)
        if attachment is None:
            return None
        if not self._is_forgotten(index, interface) and not attachment.is_outdated(
            choice, streams=streams
        ):
            return None
        attachment.close()
        interface.attachment = None
        problem = self._attach(index, interface)
        if problem is not None:
            self._refuse(index, interface)
            modes.change(self._agent, interface, Mode.OBSERVE)
        return problem

    def _is_forgotten(self, index: int, interface: Interface) -> bool:
        """Whether the driver has begun anew since, and runs the program no longer."""
        losses, link = self._carrier_losses.get(index), interface.link
        return losses is not None and link is not None and link.carrier_losses > losses

    def _attach(self, index: int, interface: Interface) -> str | None:
        """Why it cannot be attached; None if it is now."""
        agent = self._agent
        policy, choice = agent.policy(interface), agent.hook_choice(interface)
        try:
            attachment = agent.fast_path.attach(
                interface.name, index, policy, choice, streams=agent.counts_streams(interface)
            )
        except OSError as error:
            return f"cannot attach: {said(error)}"
        except FastPathError as error:
            return str(error)
        interface.attachment = attachment
        self._carrier_losses.pop(index, None)
        if attachment.may_be_forgotten():
            with suppress(OSError):  # it is gone, which others say
                self._carrier_losses[index] = agent.machine.carrier_losses(index)
        if attachment.streams:
            with suppress(OSError):  # the next reading tries again
                agent.streams.pairs.look_up()
        else:
            agent.streams.forget(index)
        log.info(
            "%s: %s%s and %s%s",
            interface.name,
            attachment.ingress.value,
            " (VLAN tags by traffic control)" if attachment.tags_taken_out else "",
            attachment.egress.value,
            f" ({'; '.join(attachment.reasons)})" if attachment.reasons else "",
        )
        agent.teller.announce(interface.name, events.Attached(attachment.ingress))
        return None

    def _begin(self, interface: Interface, received: Mapping[bytes, int]) -> None:
        """All that an interface needs whose programs have just been attached."""
        agent, index = self._agent, interface.index
        assert index is not None
        agent.host_mode.addresses_changed(interface, agent.addresses.usable(index))
        agent.expect_queriers(interface)
        for group, count in received.items():
            interface.kernel_receives(clock.now(), group, unknown(count, len(group)))
        agent.own_addresses.take(index, agent.addresses.of(index))
        agent.remark(interface)
        self._note(interface, self._settle_mode(interface))

    def _settle_mode(self, interface: Interface) -> str | None:
        """Takes over or gives back, as is wanted and can be. What is in the way, if anything is."""
        refusal = self._agent.host_mode.refusal(interface)
        if refusal is not None:
            if interface.mode is Mode.HOST:
                modes.change(self._agent, interface, Mode.OBSERVE)
            what = refusal.removeprefix(f"{interface.name} ")
            return f"{what}; it is observed" if interface.wanted_mode is Mode.HOST else None
        problem = modes.enter(self._agent, interface)
        if interface.index is not None:
            if problem is None:
                self._refused.pop(interface.index, None)
            else:  # another agent has it, and may end
                self._refuse(interface.index, interface)
        return problem and f"{problem.removeprefix(interface.name).lstrip(': ')}; it is observed"

    def _note(self, interface: Interface, problem: str | None) -> None:
        """Says what has begun to be in the way, and what has ceased to be."""
        earlier, interface.problem = interface.problem, problem
        if problem == earlier:
            return
        if problem is None:
            self._agent.teller.announce(interface.name, events.ProblemEnded(earlier or ""))
            log.info("%s: over: %s", interface.name, earlier)
            return
        self._agent.teller.announce(interface.name, events.ProblemBegan(problem))
        suppressed = self._limit.may_say(problem, clock.now())
        if suppressed is not None:
            more = f" ({suppressed} similar messages suppressed)" if suppressed else ""
            log.error("%s %s%s", interface.name, problem, more)
