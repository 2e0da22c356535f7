"""Links and addresses: interfaces come, change and go with what the kernel and the settings say."""

from __future__ import annotations

import asyncio
import logging
import time

from mcastd.fastpath import FastPathError, said
from mcastd.net import AddressChanged, Link, LinkChanged, LinkGone, LinkWatcher
from mcastd.service.agent import Agent
from mcastd.service.clock import now
from mcastd.service.config import Settings
from mcastd.service.faults import Fault
from mcastd.service.interface import Interface

AGAIN_SECONDS = 10.0
"""Until an interface is taken up again that was given up."""

log = logging.getLogger("mcastd")


class Links:
    """All links there are; those that the settings name are an agent's interfaces."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._teller = agent.teller
        self._fast_path = agent.fast_path
        self._links: dict[int, Link] = {}
        agent.turns.failed = self.failed

    async def follow(self, watcher: LinkWatcher) -> None:
        """Follows the interfaces for ever; they are all attached that are there already."""
        async for change in watcher.changes():
            self.change(change)

    def change(self, change: LinkChanged | LinkGone | AddressChanged) -> None:
        try:
            match change:
                case LinkChanged(link):
                    self._link_changed(link)
                case LinkGone(index):
                    self._link_gone(index)
                case AddressChanged():
                    self._address_changed(change)
        except OSError as error:
            self.failed(
                change.link.index if isinstance(change, LinkChanged) else change.index, error
            )
        self._agent.turns.arm()

    def _link_changed(self, link: Link) -> None:
        self._links[link.index] = link
        interface = self._agent.by_index.get(link.index)
        if interface is None:
            if self._agent.settings.of(link.name) is not None:
                self._adopt(link)
            return
        was_running = interface.link is not None and interface.link.is_running
        interface.link = link
        if link.name != interface.name:
            self._rename(interface, link.name)
        if link.is_running != was_running:
            self._teller.tell_all(interface, interface.set_running(now(), link.is_running))
            self._teller.announce("link", interface.name, running=link.is_running)
        if interface.attachment is None:
            self._attach(interface)
        else:
            self._renew(interface)
        self._agent.host_mode.link_changed(interface)
        if interface.mode == "host" and (problem := self._agent.host_mode.refusal(interface)):
            log.error("%s; it is observed", problem)
            self._agent.set_mode(interface, "observe")
            interface.problem = problem

    def _adopt(self, link: Link) -> None:
        """An interface that the configuration names has appeared, for the first time or again."""
        settings = self._agent.settings.of(link.name)
        assert settings is not None
        earlier = self._agent.interfaces.get(link.name)
        if earlier is not None and earlier.index is not None:
            self._release(earlier)  # it was renamed to this once; the name is another's now
        interface = Interface(link.name, dict(settings.configs), settings.guard, link=link)
        self._agent.interfaces[link.name] = interface
        self._agent.by_index[link.index] = interface
        self._attach(interface)
        if not link.is_running:
            self._teller.tell_all(interface, interface.set_running(now(), False))

    def _renew(self, interface: Interface) -> None:
        """Attaches anew where another hook is wanted, or is right, than the one that is held."""
        attachment, choice = interface.attachment, self._agent.hook_choice(interface)
        if attachment is None or not attachment.is_outdated(choice):
            return
        attachment.close()
        interface.attachment = None
        if self._take_hooks(interface):
            self._announce_attached(interface)
        elif interface.mode == "host":
            problem = interface.problem
            self._agent.set_mode(interface, "observe")
            interface.problem = problem

    def _take_hooks(self, interface: Interface) -> bool:
        """Attaches the programs, or says why they cannot be."""
        link = interface.link
        assert link is not None
        problem = link.unfit
        if problem is None:
            policy, choice = self._agent.policy(interface), self._agent.hook_choice(interface)
            try:
                interface.attachment = self._fast_path.attach(
                    interface.name, link.index, policy, choice
                )
            except OSError as error:
                problem = f"cannot attach: {said(error)}"
            except FastPathError as error:
                problem = str(error)
        if problem != interface.problem and problem is not None:
            log.error("%s %s", interface.name, problem)
        interface.problem = problem
        attachment = interface.attachment
        if attachment is None:
            return False
        log.info(
            "%s: %s%s and %s%s",
            interface.name,
            attachment.ingress.value,
            " (VLAN tags by traffic control)" if attachment.tags_taken_out else "",
            attachment.egress.value,
            f" ({'; '.join(attachment.reasons)})" if attachment.reasons else "",
        )
        return True

    def _attach(self, interface: Interface) -> None:
        link = interface.link
        assert link is not None
        if not self._take_hooks(interface):
            return
        self._agent.host_mode.addresses_changed(
            interface, self._agent.addresses.get(link.index, {})
        )
        self._agent.expect_queriers(interface)
        interface.seed(now())
        self._teller.assign(link.index, self._assigned(interface, link.index), assigned=True)
        self._announce_attached(interface)
        self._agent.remark(interface)
        self._agent.enter_mode(interface)

    def _announce_attached(self, interface: Interface) -> None:
        assert interface.attachment is not None
        hook = interface.attachment.ingress.value
        self._teller.announce("attached", interface.name, hook=hook)

    def _assigned(self, interface: Interface, index: int) -> list[bytes]:
        """The interface's unicast addresses and the groups that it receives."""
        groups = (group for each in interface.observers.values() for group in each.host.groups)
        return [*self._agent.addresses.get(index, ()), *groups]

    def _rename(self, interface: Interface, name: str) -> None:
        """The device is the same: it is followed under its new name."""
        log.warning("%s is called %s now", interface.name, name)
        self._teller.announce("renamed", interface.name, to=name)
        other = self._agent.interfaces.get(name)
        if other is not None and other is not interface and other.index is None:
            del self._agent.interfaces[name]
        self._fast_path.rename(interface.name, name)
        self._agent.floods.rename(interface.name, name)
        self._agent.interfaces.pop(interface.name, None)
        interface.name = name
        self._agent.interfaces[name] = interface

    def _link_gone(self, index: int) -> None:
        self._links.pop(index, None)
        self._agent.addresses.pop(index, None)
        interface = self._agent.by_index.get(index)
        if interface is None:
            return
        log.warning("%s is gone", interface.name)
        self._release(interface)
        self._teller.announce("gone", interface.name)
        # The latest of those that are gone is the last.
        if self._agent.interfaces.get(interface.name) is interface:
            self._agent.interfaces[interface.name] = self._agent.interfaces.pop(interface.name)
        self._agent.forget_names()

    def _release(self, interface: Interface) -> None:
        index = interface.index
        if interface.mode == "host":
            self._agent.give_back(interface)
        if interface.attachment is not None:
            interface.attachment.close()
            interface.attachment = None
        if index is None:
            return
        self._agent.by_index.pop(index, None)
        self._agent.turns.forget(index)
        for address in interface.known_queriers:
            self._fast_path.know_querier(index, address, known=False)
        interface.known_queriers = set()
        self._teller.assign(index, self._assigned(interface, index), assigned=False)
        self._fast_path.forget(index)
        interface.link = None
        interface.problem = "is not there"
        self._teller.tell_all(interface, interface.set_running(now(), False))

    def _address_changed(self, change: AddressChanged) -> None:
        """Addresses are kept for all links: one may become ours later."""
        known = self._agent.addresses.setdefault(change.index, {})
        if change.usable:
            known[change.address] = None
        else:
            known.pop(change.address, None)
        interface = self._agent.by_index.get(change.index)
        if interface is not None:
            self._teller.assign(change.index, [change.address], assigned=change.usable)
            self._agent.host_mode.addresses_changed(interface, known)

    def configure(self, settings: Settings) -> None:
        """Takes over other settings: for new, gone and changed interfaces. The rest stays as is."""
        before = {name: self._agent.wanted(each) for name, each in self._agent.interfaces.items()}
        self._agent.settings = settings
        self._agent.reloaded_at = time.time()
        for interface in list(self._agent.interfaces.values()):
            wanted = settings.of(interface.name)
            if wanted is None:
                self._release(interface)
                del self._agent.interfaces[interface.name]
                continue
            interface.guard = wanted.guard
            self._teller.tell_all(interface, interface.configure(now(), wanted.configs))
            self._renew(interface)
            if interface.index in self._agent.by_index and interface.attachment is not None:
                policy = self._agent.policy(interface)
                self._fast_path.set_policy(interface.attachment.ifindex, policy)
                problem = self._agent.set_mode(interface, wanted.mode)
                if problem is not None:
                    log.error("%s; it is observed", problem)
            self._agent.configure_memberships(interface, before[interface.name])
        for link in self._links.values():
            if link.index not in self._agent.by_index and settings.of(link.name) is not None:
                self._adopt(link)
        self._agent.turns.arm()

    # What the kernel refuses for one interface.

    def failed(self, index: int, error: OSError) -> None:
        """The interface is let go of, and taken up anew in a while; the others go on."""
        interface = self._agent.by_index.get(index)
        if interface is None:
            return
        self._agent.faults.tell_error(Fault.INTERFACE, interface.name, error)
        try:
            self._release(interface)
        except OSError as more:
            self._agent.faults.tell_error(Fault.INTERFACE, f"{interface.name}, given up", more)
            self._agent.by_index.pop(index, None)
            interface.link = None
        interface.problem = f"was given up: {said(error)}; it is tried again"
        asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._try_again, index)

    def _try_again(self, index: int) -> None:
        link = self._links.get(index)
        if link is not None and index not in self._agent.by_index:
            self.change(LinkChanged(link))

    def close(self) -> None:
        """Gives back and lets go of all interfaces."""
        for interface in list(self._agent.by_index.values()):
            self._release(interface)
