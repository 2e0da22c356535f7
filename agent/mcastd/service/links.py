"""Follows links and addresses, and runs interfaces as they appear, change and go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from mcastd.manager import PATIENCE_SECONDS
from mcastd.net.links import LinkWatcher, Snapshot
from mcastd.net.rtnetlink import AddressChanged, Change, Link, LinkChanged, LinkGone
from mcastd.service import events
from mcastd.service.agent import Agent
from mcastd.service.clock import now, wall_now
from mcastd.service.config import Settings
from mcastd.service.events import Cause
from mcastd.service.faults import Fault, said
from mcastd.service.interface import Interface
from mcastd.service.interface_settings import InterfaceSettings
from mcastd.service.mode import Mode
from mcastd.service.owned import Owned
from mcastd.service.renaming import Renaming
from mcastd.service.settling import Settling

AGAIN_SECONDS = 10.0
"""Until an interface is taken up again that was given up."""

log = logging.getLogger("mcastd")


class Links:
    """All links there are; those that the settings name are an agent's interfaces."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._teller = agent.teller
        self._fast_path = agent.fast_path
        self._own_addresses = agent.own_addresses
        self._links: dict[int, Link] = {}
        self._watcher: LinkWatcher | None = None
        self._looking: set[asyncio.Task[None]] = set()
        agent.turns.failed = self.failed
        self._settling = Settling(agent)
        self._renaming = Renaming(agent, self._release, self._run_as_wanted)
        agent.settle = self._settling.soon

    async def start(self, snapshot: Snapshot) -> None:
        """Until all interfaces are attached that are there already."""
        self.take(snapshot)
        await self._settling.settled()

    async def follow(self, watcher: LinkWatcher) -> None:
        """Follows what changes, for ever."""
        self._watcher = watcher
        async for batch in watcher.changes():
            self.take(batch)

    def take(self, batch: list[Change] | Snapshot) -> None:
        """What has changed, or all that there is: what was known besides is gone."""
        if isinstance(batch, Snapshot):
            batch = [*self._gone_by(batch), *batch.addresses, *batch.links]
        self._renaming.expect(batch)
        readdressed: set[int] = set()
        for change in batch:
            try:
                self._take_one(change)
            except OSError as error:
                self.failed(index_of(change), error)
            if isinstance(change, AddressChanged):
                readdressed.add(change.index)
        self._choose_sources(readdressed)
        self._renaming.expect(())
        touched = readdressed | {each.link.index for each in batch if isinstance(each, LinkChanged)}
        self._agent.turns.arm(touched & self._agent.by_index.keys())

    def _take_one(self, change: Change) -> None:
        match change:
            case LinkChanged():
                self._link_changed(change)
            case LinkGone(index):
                self._link_gone(index)
            case AddressChanged():
                self._address_changed(change)

    def _gone_by(self, snapshot: Snapshot) -> list[Change]:
        """What is known and not in the snapshot. A link with another's index is not that other."""
        there = {each.link.index: each.link for each in snapshot.links}
        links = [
            LinkGone(index)
            for index, known in self._links.items()
            if index not in there or is_another(known, there[index])
        ]
        return [*self._agent.addresses.gone_by(snapshot), *links]

    # Links.

    def _link_changed(self, change: LinkChanged) -> None:
        link = change.link
        before, self._links[link.index] = self._links.get(link.index), link
        interface = self._agent.by_index.get(link.index)
        if interface is None:
            if self._agent.settings.of(link.name, link.alternative_names) is not None:
                self._adopt(link)
            return
        self._update(interface, link, before or link)
        if change.resends:
            self._teller.tell_all(interface, interface.announce(now()))
            self._teller.announce(interface.name, events.Announced(Cause.IGMP_RESEND))

    def _update(self, interface: Interface, link: Link, before: Link) -> None:
        interface.link, interface.alternative_names = link, link.alternative_names
        if link.name != interface.name:
            self._renaming.rename(interface, link.name)
        if link.is_running != before.is_running:
            self._run(interface, running=link.is_running)
        elif link.is_running and link.carrier_losses != before.carrier_losses:
            self._run(interface, running=False)  # nobody told of it in time
            self._run(interface, running=True)
        if link.active_port != before.active_port:
            self._failed_over(interface, before.active_port, link.active_port)
        if link.has_multicast != before.has_multicast:
            self._teller.announce(interface.name, events.MulticastSwitched(link.has_multicast))
        self._agent.host_mode.link_changed(interface)
        self._settling.soon(interface)  # also what a driver does may be another now

    def _run(self, interface: Interface, *, running: bool) -> None:
        """The interface is up and has a carrier, or no longer so.

        Who has left a group meanwhile is looked up before the kernel's groups are told anew: what a
        socket does while the link is down makes the kernel say nothing.
        """
        self._expect_addresses(interface)
        if running and interface.is_holding:
            self._agent.reader.fresh().add_done_callback(lambda _: self._up_again(interface))
        else:
            self._agent.reader.request()
            self._teller.tell_all(interface, interface.set_running(now(), running))
        self._teller.announce(interface.name, events.LinkChanged(running))
        log.info("%s: the link is %s", interface.name, "up" if running else "down")

    def _up_again(self, interface: Interface) -> None:
        """What the kernel receives is known, or could not be looked up."""
        if interface.link is not None and interface.link.is_running:
            self._teller.tell_all(interface, interface.set_running(now(), True))
            self._agent.turns.arm({interface.link.index})

    def _failed_over(self, interface: Interface, old: int, new: int) -> None:
        """A bond has another active port. What is to be reported again, the kernel says besides."""
        names = [self._links[each].name if each in self._links else None for each in (old, new)]
        log.warning("%s: the active port is %s now, after %s", interface.name, *reversed(names))
        self._teller.announce(interface.name, events.FailedOver(*names))

    def _adopt(self, link: Link, run_as: str | None = None) -> None:
        """An interface that the configuration names has appeared, for the first time or again.

        `run_as`: by which of its earlier names, if not by the one that it has.
        """
        if run_as is None:
            settings = self._agent.settings_of(link.name, link.alternative_names)
        else:
            settings = self._agent.settings_of(run_as)
        assert settings is not None
        self._renaming.clear(link.name)
        earlier = self._agent.interfaces.get(link.name) or self._agent.former.pop(link.name, None)
        interface = Interface(
            link.name,
            dict(settings.configs),
            settings.guard,
            link=link,
            wanted_mode=settings.mode,
            alternative_names=link.alternative_names,
            own_addresses=self._own_addresses,
            run_as=run_as,
        )
        if earlier is not None:
            interface.go_on_from(earlier)
        self._agent.interfaces[link.name] = interface
        self._agent.by_index[link.index] = interface
        if not link.is_running:
            self._teller.tell_all(interface, interface.set_running(now(), False))
        self._expect_addresses(interface)
        self._settling.soon(interface)
        self._renaming.is_taken(link.name)

    def _link_gone(self, index: int) -> None:
        self._links.pop(index, None)
        interface = self._agent.by_index.get(index)
        if interface is not None:
            log.warning("%s is gone", interface.name)
            self._release(interface)
            self._teller.announce(interface.name, events.Gone())
            # The latest of those that are gone is the last.
            if self._agent.interfaces.get(interface.name) is interface:
                self._agent.interfaces[interface.name] = self._agent.interfaces.pop(interface.name)
            self._agent.forget_names()
        self._agent.addresses.forget(index)

    def _release(self, interface: Interface) -> None:
        index = interface.index
        if interface.mode is Mode.HOST:
            self._agent.give_back(interface)
        if interface.attachment is not None:
            interface.attachment.close()
            interface.attachment = None
        if index is None:
            return
        self._agent.streams.forget(index)
        self._agent.by_index.pop(index, None)
        self._agent.turns.forget(index)
        for address in interface.known_queriers:
            self._fast_path.know_querier(index, address, known=False)
        interface.known_queriers = set()
        assigned = [*self._agent.addresses.release(index), *interface.groups()]
        self._own_addresses.remove(index, assigned)
        self._fast_path.forget(index)
        interface.link = None
        interface.problem = "is not there"
        self._teller.tell_all(interface, interface.set_running(now(), False))
        self._settling.forget(index)

    # Addresses.

    def _address_changed(self, change: AddressChanged) -> None:
        """Addresses are kept for all links: one may become ours later."""
        changed = self._agent.addresses.take(change, is_down=self._is_down(change.index))
        if change.index in self._agent.by_index:
            self._own_addresses.take(change.index, changed)

    def _expect_addresses(self, interface: Interface) -> None:
        """Looks at those that are probed, where the kernel's reports from them are held back.

        The kernel says nothing of them until they can be used.
        """
        link = interface.link
        capped = any(observer.is_capped for observer in interface.observers.values())
        wanted = capped and interface.wanted_mode is Mode.HOST
        if self._watcher and wanted and link and link.is_running:
            task = asyncio.get_running_loop().create_task(self._look_at(self._watcher, link.index))
            self._looking.add(task)
            task.add_done_callback(self._looking.discard)

    async def _look_at(self, watcher: LinkWatcher, index: int) -> None:
        try:
            found = await watcher.probed(index)
        except OSError as error:
            log.warning("netlink: the addresses of link %d cannot be read: %s", index, said(error))
            return
        usable = self._agent.addresses.usable(index)  # told meanwhile
        self.take([each for each in found if each.address not in usable])

    def _is_down(self, index: int) -> bool:
        link = self._links.get(index)
        return link is not None and not link.is_running

    def _choose_sources(self, indices: Iterable[int]) -> None:
        """Once for all addresses of an interface that came or went together."""
        for index in indices:
            interface = self._agent.by_index.get(index)
            if interface is not None:
                known = self._agent.addresses.usable(index)
                try:
                    self._agent.host_mode.addresses_changed(interface, known)
                except OSError as error:
                    self.failed(index, error)

    # Settings.

    def configure(self, settings: Settings) -> None:
        """Takes over other settings: for new, gone and changed interfaces. The rest stays as is."""
        before = {
            name: self._agent.memberships.wanted(each)
            for name, each in self._agent.interfaces.items()
        }
        self._agent.settings = settings
        self._agent.streams.configure(settings)
        self._agent.reloaded_at = wall_now()
        for interface in list(self._agent.interfaces.values()):
            wanted = self._agent.settings_of(interface.name, interface.alternative_names)
            if wanted is None:
                self._release(interface)
                self._agent.former[interface.name] = self._agent.interfaces.pop(interface.name)
                continue
            self._run_as_wanted(interface, wanted, before[interface.name])
        for link in self._links.values():
            named = settings.of(link.name, link.alternative_names) is not None
            if link.index not in self._agent.by_index and named:
                self._adopt(link)
        self._agent.forget_names()
        self._agent.turns.arm()

    def _run_as_wanted(
        self, interface: Interface, wanted: InterfaceSettings, before: list[Owned]
    ) -> None:
        """`before`: the memberships that were wanted until now."""
        interface.run_as, interface.guard = None, wanted.guard
        self._teller.tell_all(interface, interface.configure(now(), wanted.configs))
        interface.wanted_mode = wanted.mode
        if interface.index in self._agent.by_index and interface.attachment is not None:
            self._agent.host_mode.settle(interface)
        self._settling.now(interface)
        self._agent.memberships.configure(interface, before)

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
        asyncio.get_running_loop().call_later(
            AGAIN_SECONDS, self._try_again, index, interface.run_as
        )

    def _try_again(self, index: int, run_as: str | None) -> None:
        link = self._links.get(index)
        if link is None or index in self._agent.by_index:
            return
        if run_as is not None and self._is_still(link, run_as):
            try:
                self._adopt(link, run_as)
            except OSError as error:
                self.failed(index, error)
                return
        self.take([LinkChanged(link)])

    def _is_still(self, link: Link, run_as: str) -> bool:
        """Whether the files, which may be others now, name only the earlier name of a device."""
        settings = self._agent.settings
        named = settings.of(link.name, link.alternative_names) is not None
        return not named and settings.of(run_as) is not None

    def outlast(self, patience: float = PATIENCE_SECONDS) -> bool:
        """Has what is attached go on without this process; whether it will, for the next agent.

        `patience`: seconds for which the loop may wait for the service manager.
        """
        attached = ((each.name, each.attachment) for each in self._agent.by_index.values())
        return self._fast_path.outlast(
            ((name, each) for name, each in attached if each is not None), patience=patience
        )

    def leave(self) -> None:
        """Lets go of all interfaces as they are: the agent that is started next goes on."""
        self._settling.close()
        for interface in self._agent.by_index.values():
            if interface.attachment is not None:
                interface.attachment.leave()

    def close(self) -> None:
        """Gives back and lets go of all interfaces."""
        self._settling.close()
        for interface in list(self._agent.by_index.values()):
            self._release(interface)
        self._settling.close()


def index_of(change: Change) -> int:
    return change.link.index if isinstance(change, LinkChanged) else change.index


def is_another(known: Link, there: Link) -> bool:
    """Whether the index is another device's now, as far as can be told."""
    return (known.kind, known.hardware_address) != (there.kind, there.hardware_address)
