"""The agent: events of the NIC, the kernel and the clock to the interfaces that they concern."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import chain
from typing import Any

from mcastd.classify import as_object
from mcastd.fastpath import Captured, FastPath, FastPathError, Fate, Policy, said
from mcastd.gmp.config import HostConfig, RouterAlertPolicy
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.time import Instant
from mcastd.gmp.timers import Timers
from mcastd.net import AddressChanged, Link, LinkChanged, LinkGone, LinkWatcher
from mcastd.service import coexistence
from mcastd.service.bus import Bus
from mcastd.service.config import Settings
from mcastd.service.filters import HardwareFilter
from mcastd.service.host_mode import HostMode
from mcastd.service.interface import Decoder, Event, Interface
from mcastd.service.limit import SayingLimit
from mcastd.service.observer import Happening, Observer
from mcastd.service.owned import CONFIG, Owned, OwnedMemberships

log = logging.getLogger("mcastd")

IPV4_WIDTH = 4

STILL_IN_FORCE_SECONDS = 60.0
"""How often the file of the agent's own memberships is touched."""

REPORTS_AT_ONCE = 64
"""In one turn of the loop, behind all queries and what this host says."""


def now() -> Instant:
    return Instant(time.monotonic_ns())


def policy_of(configs: dict[str, HostConfig], *, reports: bool) -> Policy:
    """How the programs are to read an interface's packets."""
    igmp, mld = configs["igmp"], configs["mld"]
    return Policy(
        igmp_max_version=igmp.max_version,
        mld_max_version=mld.max_version,
        require_ttl1=igmp.require_ttl1,
        require_router_alert=igmp.require_router_alert is RouterAlertPolicy.STRICT,
        hand_over_reports=reports,
    )


class Agent:
    """All interfaces, and what they share."""

    def __init__(
        self, settings: Settings, fast_path: FastPath, owned: OwnedMemberships | None = None
    ) -> None:
        self.settings = settings
        self.fast_path = fast_path
        self.bus = Bus(self._watched)
        self.interfaces: dict[str, Interface] = {}
        self.started = now()
        self.started_at = self.reloaded_at = time.time()
        self.owned = owned or OwnedMemberships(None)
        self.host_mode = HostMode(fast_path, now, self._tell_of_host_mode)
        self.hardware_filter = HardwareFilter()
        self._decode = Decoder()
        self.reload: Callable[[], str | None] = lambda: None
        self._remarked: set[str] = set()
        self._by_index: dict[int, Interface] = {}
        self._addresses: dict[int, dict[bytes, None]] = {}
        self._links: dict[int, Link] = {}
        self._limit = SayingLimit()
        self._timer: asyncio.TimerHandle | None = None
        self._deadlines: Timers[int] = Timers()
        self._armed_for: Instant | None = None
        self._watcher: LinkWatcher | None = None

    # Events of the fast path.

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Takes events from now on, on this loop."""
        self._loop = loop
        for ring in self.fast_path.rings.values():
            loop.add_reader(ring.fileno(), self._turn)
        loop.call_later(STILL_IN_FORCE_SECONDS, self._still_in_force)

    def started_up(self) -> None:
        """All links there are have been met: one that comes later comes without a past."""
        self.owned.is_fresh = False

    def _still_in_force(self) -> None:
        self.owned.touch()
        self._loop.call_later(STILL_IN_FORCE_SECONDS, self._still_in_force)

    def _turn(self) -> None:
        """One bounded piece of work: queries first, other hosts' reports last."""
        rings = self.fast_path.rings
        queries, spoken = rings["query"].drain(), rings["egress"].drain()
        reports = rings["report"].drain(REPORTS_AT_ONCE)
        for captured in queries:
            self._take(captured, from_outside=True)
        for captured in spoken:
            self._take(captured, from_outside=False)
        for captured in reports:
            self._take(captured, from_outside=True)
        self._arm({captured.ifindex for captured in chain(queries, spoken, reports)})

    def _take(self, captured: Captured, *, from_outside: bool) -> None:
        interface = self._by_index.get(captured.ifindex)
        event = self._decode(captured)
        if interface is None or event is None:
            return
        if self.bus.is_watched:
            self.bus.publish(self._message(interface, event, from_outside))
        if captured.fate == Fate.OWN:
            return
        happenings = interface.hear(event) if from_outside else interface.overhear(event)
        if from_outside:
            self._know_queriers(interface, captured.ifindex)
        for happening in happenings:
            self._tell(interface, event.decoded.family.name, happening)

    def _know_queriers(self, interface: Interface, index: int) -> None:
        """Tells the programs whose queries have precedence over strangers'."""
        observers = interface.observers.values()
        known = {address for each in observers for address in each.queriers.known}
        for address in known ^ interface.known_queriers:
            self.fast_path.know_querier(index, address, known=address in known)
        interface.known_queriers = known

    def _message(self, interface: Interface, event: Event, from_outside: bool) -> dict[str, Any]:
        at = self.wall_clock(Instant(event.captured.at))
        cut = len(event.captured.frame) < event.captured.frame_length
        line = as_object(0, round(at * 1e9), event.decoded, cut)
        del line["n"]
        head = {"event": "message", "interface": interface.name}
        if event.captured.fate != Fate.PASSED:
            head["fate"] = Fate(event.captured.fate).name.lower()
        return head | {"direction": "rx" if from_outside else "tx"} | line

    def wall_clock(self, at: Instant) -> float:
        """Seconds since 1970 of a monotonic instant."""
        return time.time() - (now() - at) / 1e9

    def _tell(self, interface: Interface, family: str, happening: Happening) -> None:
        fields = {"interface": interface.name, "protocol": family, **happening.fields}
        if happening.name in ("querier", "version", "unanswered", "warning"):
            self._log(interface.name, family, happening.name, fields)
        if happening.name in ("joined", "left") and interface.index is not None:
            group = interface.observers[family].family.parse(str(happening.fields["group"]))
            self._assign(interface.index, [group], assigned=happening.name == "joined")
        if self.bus.is_watched:
            self.bus.publish({"event": happening.name, "ts": time.time(), **fields})

    def _log(self, interface: str, family: str, name: str, fields: dict[str, Any]) -> None:
        """Not more often than people can read: queries can be forged."""
        suppressed = self._limit.may_say((interface, family, name), now())
        if suppressed is None:
            return
        level = logging.INFO if name == "querier" else logging.WARNING
        more = f" ({suppressed} more like this were not told)" if suppressed else ""
        log.log(level, "%s%s", sentence(name, fields), more)

    def _tell_all(self, interface: Interface, happenings: Iterable[tuple[str, Happening]]) -> None:
        for family, happening in happenings:
            self._tell(interface, family, happening)

    def _tell_of_host_mode(self, interface: Interface, family: str, happening: Happening) -> None:
        """What comes of its own checks, between turns."""
        self._tell(interface, family, happening)
        if interface.index is not None:
            self._arm({interface.index})

    def _watched(self, interest: bool) -> None:
        self.fast_path.hand_over_reports(interest)

    # Time.

    def _arm(self, touched: Iterable[int] | None = None) -> None:
        """One timer for all that time brings.

        `touched`: the interfaces to which something happened, by index; all if None.
        """
        for index in self._by_index if touched is None else touched:
            interface = self._by_index.get(index)
            if interface is not None:
                self._set_deadline(index, interface.next_deadline())
        due = self._deadlines.next_deadline()
        if due == self._armed_for and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed_for = due
        if due is not None:
            self._timer = self._loop.call_later(max(0.0, (due - now()) / 1e9), self._expire)

    def _set_deadline(self, index: int, deadline: Instant | None) -> None:
        if deadline is None:
            self._deadlines.stop(index)
        elif self._deadlines.deadline(index) != deadline:
            self._deadlines.start(index, deadline)

    def _expire(self) -> None:
        """Lets those interfaces act whose time has come, and no others."""
        self._timer = None
        at = now()
        expired = []
        while (index := self._deadlines.pop_due(at)) is not None:
            expired.append(index)
            interface = self._by_index.get(index)
            if interface is not None:
                self._tell_all(interface, interface.advance(at))
        self._arm(expired)

    # Links and addresses.

    async def follow(self, watcher: LinkWatcher) -> None:
        """Follows the interfaces for ever; they are all attached that are there already."""
        async for change in watcher.changes():
            self.change(change)

    def change(self, change: LinkChanged | LinkGone | AddressChanged) -> None:
        match change:
            case LinkChanged(link):
                self._link_changed(link)
            case LinkGone(index):
                self._link_gone(index)
            case AddressChanged():
                self._address_changed(change)
        self._arm()

    def _link_changed(self, link: Link) -> None:
        self._links[link.index] = link
        interface = self._by_index.get(link.index)
        if interface is None:
            if self.settings.of(link.name) is not None:
                self._adopt(link)
            return
        was_running = interface.link is not None and interface.link.is_running
        interface.link = link
        if link.name != interface.name:
            self._rename(interface, link.name)
        if link.is_running != was_running:
            self._tell_all(interface, interface.set_running(now(), link.is_running))
            self.announce("link", interface.name, running=link.is_running)
        if interface.attachment is None:
            self._attach(interface)
        self.host_mode.link_changed(interface)
        if interface.mode == "host" and (problem := self.host_mode.refusal(interface)):
            log.error("%s; it is observed", problem)
            self.set_mode(interface, "observe")
            interface.problem = problem

    def _adopt(self, link: Link) -> None:
        """An interface that the configuration names has appeared, for the first time or again."""
        settings = self.settings.of(link.name)
        assert settings is not None
        earlier = self.interfaces.get(link.name)
        if earlier is not None and earlier.index is not None:
            self._release(earlier)  # it was renamed to this once; the name is another's now
        interface = Interface(link.name, dict(settings.configs), link=link)
        self.interfaces[link.name] = interface
        self._by_index[link.index] = interface
        self._attach(interface)
        if not link.is_running:
            self._tell_all(interface, interface.set_running(now(), False))

    def _attach(self, interface: Interface) -> None:
        link = interface.link
        assert link is not None
        problem = link.unfit
        if problem is None:
            policy = policy_of(interface.configs, reports=self.bus.is_watched)
            try:
                interface.attachment = self.fast_path.attach(interface.name, link.index, policy)
            except OSError as error:
                problem = f"cannot attach: {said(error)}"
            except FastPathError as error:
                problem = str(error)
        if problem != interface.problem and problem is not None:
            log.error("%s %s", interface.name, problem)
        interface.problem = problem
        if interface.attachment is None:
            return
        attachment = interface.attachment
        log.info(
            "%s: %s and %s%s",
            interface.name,
            attachment.ingress.value,
            attachment.egress.value,
            f" ({'; '.join(attachment.reasons)})" if attachment.reasons else "",
        )
        self.host_mode.addresses_changed(interface, self._addresses.get(link.index, {}))
        interface.seed(now())
        self._assign(link.index, self._assigned(interface, link.index), assigned=True)
        self.announce("attached", interface.name, hook=attachment.ingress.value)
        self._remark(interface)
        self._enter_mode(interface)

    def _remark(self, interface: Interface) -> None:
        """Logs once what gets in the way; `mcastctl status` says it as long as it is so."""
        speaking = interface.mode == "host"
        for text in coexistence.remarks(interface.name, interface.index or 0, host_mode=speaking):
            if text not in self._remarked:
                log.warning("%s: %s", interface.name, text)
            self._remarked.add(text)

    def _assigned(self, interface: Interface, index: int) -> list[bytes]:
        """The interface's unicast addresses and the groups that it receives."""
        groups = (group for each in interface.observers.values() for group in each.host.groups)
        return [*self._addresses.get(index, ()), *groups]

    def _rename(self, interface: Interface, name: str) -> None:
        """The device is the same: it is followed under its new name."""
        log.warning("%s is called %s now", interface.name, name)
        self.announce("renamed", interface.name, to=name)
        other = self.interfaces.get(name)
        if other is not None and other is not interface and other.index is None:
            del self.interfaces[name]
        self.fast_path.rename(interface.name, name)
        self.interfaces.pop(interface.name, None)
        interface.name = name
        self.interfaces[name] = interface

    def _link_gone(self, index: int) -> None:
        self._links.pop(index, None)
        self._addresses.pop(index, None)
        interface = self._by_index.get(index)
        if interface is None:
            return
        log.warning("%s is gone", interface.name)
        self._release(interface)
        self.announce("gone", interface.name)

    def _enter_mode(self, interface: Interface) -> None:
        """Takes over at once, if the settings want host mode; else the kernel goes on."""
        settings = self.settings.of(interface.name)
        if settings is None or settings.mode != "host" or interface.mode == "host":
            return
        if self.owned.is_fresh:  # routers know of these: from before a restart
            kept = {each.key for each in self.owned.kept}
            for membership in self.wanted(interface):
                if membership.key in kept:
                    self.put(interface, membership)
        problem = self.set_mode(interface, "host")
        if problem is not None:
            interface.problem = problem
            log.error("%s; it is observed", problem)

    def wanted(self, interface: Interface) -> list[Owned]:
        """What the agent itself is to receive on an interface: its file's, and what was asked."""
        settings = self.settings.of(interface.name)
        configured = settings.memberships if settings else ()
        asked = [each for each in self.owned if each.interface == interface.name]
        return [replace(each, interface=interface.name) for each in configured] + asked

    def put(self, interface: Interface, membership: Owned) -> None:
        """Puts one in force. OSError if the NIC's filter cannot have it."""
        if interface.index is None:
            return
        group, observer = membership.address, interface.observers[membership.family.name]
        if observer.asked_by(membership.application, group) is None:
            self.hardware_filter.add(interface.index, group)
        interface.own[membership.key] = membership
        self.listen_for(interface, membership.application, group, membership.filter)

    def withdraw(self, interface: Interface, membership: Owned) -> None:
        """The application no longer asks for the group."""
        interface.own.pop(membership.key, None)
        observer = interface.observers[membership.family.name]
        group = membership.address
        if interface.index is not None and observer.asked_by(membership.application, group):
            self.hardware_filter.drop(interface.index, group)
        self.listen_for(interface, membership.application, group, observer.nothing)

    def listen_for(
        self, interface: Interface, application: str, group: bytes, wanted: SourceFilter
    ) -> None:
        protocol = "igmp" if len(group) == IPV4_WIDTH else "mld"
        observer = interface.observers[protocol]
        for happening in observer.listen(now(), application, group, wanted):
            self._tell(interface, protocol, happening)
        self._arm()

    def set_mode(self, interface: Interface, mode: str) -> str | None:
        """Hands an interface over, either way. Why it cannot be, if it cannot."""
        if mode == interface.mode:
            return None
        if mode == "host":
            problem = self.host_mode.refusal(interface)
            if problem is not None:
                return problem
            assert interface.index is not None
            self.host_mode.start(interface, self._addresses.get(interface.index, {}))
            for membership in self.wanted(interface):
                self.put(interface, membership)
        else:
            self._give_back(interface)
        self._keep_configured()
        self._remark(interface)
        log.info("%s: %s mode", interface.name, mode)
        self.announce("mode", interface.name, mode=mode)
        self._arm()
        return None

    def _give_back(self, interface: Interface) -> None:
        """The kernel speaks from now on; what only the agent itself had joined is left first."""
        for membership in list(interface.own.values()):
            self.withdraw(interface, membership)
        self.host_mode.stop(interface)

    def _keep_configured(self) -> None:
        """Has the memberships of the files kept, where they are in force."""
        speaking = [each for each in self.interfaces.values() if each.mode == "host"]
        wanted = (membership for each in speaking for membership in self.wanted(each))
        self.owned.configure(each for each in wanted if each.application == CONFIG)

    def _release(self, interface: Interface) -> None:
        index = interface.index
        if interface.mode == "host":
            self._give_back(interface)
        if interface.attachment is not None:
            interface.attachment.close()
            interface.attachment = None
        if index is None:
            return
        self._by_index.pop(index, None)
        self._deadlines.stop(index)
        for address in interface.known_queriers:
            self.fast_path.know_querier(index, address, known=False)
        interface.known_queriers = set()
        self._assign(index, self._assigned(interface, index), assigned=False)
        self.fast_path.forget(index)
        interface.link = None
        interface.problem = "is not there"
        self._tell_all(interface, interface.set_running(now(), False))

    def _address_changed(self, change: AddressChanged) -> None:
        """Addresses are kept for all links: one may become ours later."""
        known = self._addresses.setdefault(change.index, {})
        if change.usable:
            known[change.address] = None
        else:
            known.pop(change.address, None)
        interface = self._by_index.get(change.index)
        if interface is not None:
            self._assign(change.index, [change.address], assigned=change.usable)
            self.host_mode.addresses_changed(interface, known)

    def _assign(self, index: int, addresses: Iterable[bytes], *, assigned: bool) -> None:
        """Tells the programs which addresses and groups are the interface's own."""
        put = self.fast_path.assign if assigned else self.fast_path.unassign
        try:
            for address in addresses:
                put(index, address)
        except OSError as error:
            log.warning("interface %d: %s", index, error)

    def announce(self, name: str, interface: str, **fields: Any) -> None:
        """Tells those who watch of something that concerns the whole interface."""
        if self.bus.is_watched:
            event = {"event": name, "ts": time.time(), "interface": interface}
            self.bus.publish(event | fields)

    def configure(self, settings: Settings) -> None:
        """Takes over other settings: for new, gone and changed interfaces. The rest stays as is."""
        before = {name: self.wanted(each) for name, each in self.interfaces.items()}
        self.settings = settings
        self.reloaded_at = time.time()
        for interface in list(self.interfaces.values()):
            wanted = settings.of(interface.name)
            if wanted is None:
                self._release(interface)
                del self.interfaces[interface.name]
                continue
            self._tell_all(interface, interface.configure(now(), wanted.configs))
            if interface.index in self._by_index and interface.attachment is not None:
                policy = policy_of(interface.configs, reports=self.bus.is_watched)
                policy = replace(policy, host_mode=interface.mode == "host")
                self.fast_path.set_policy(interface.attachment.ifindex, policy)
                problem = self.set_mode(interface, wanted.mode)
                if problem is not None:
                    log.error("%s; it is observed", problem)
            self._configure_memberships(interface, before[interface.name])
        for link in self._links.values():
            if link.index not in self._by_index and settings.of(link.name) is not None:
                self._adopt(link)
        self._arm()

    def _configure_memberships(self, interface: Interface, before: list[Owned]) -> None:
        """Puts in force what the files now want, and withdraws what they no longer do."""
        if interface.mode != "host":
            return
        wanted = {each.key: each for each in self.wanted(interface)}
        for membership in before:
            if membership.key not in wanted:
                self.withdraw(interface, membership)
        for membership in wanted.values():
            self.put(interface, membership)
        self._keep_configured()

    def configure_family(
        self, interface: Interface, observer: Observer, config: HostConfig
    ) -> None:
        """Other tunables for one family, at once."""
        interface.configs[observer.family.name] = config
        for happening in observer.configure(now(), config):
            self._tell(interface, observer.family.name, happening)
        self._arm()

    def missing(self) -> list[str]:
        """Interfaces that are configured by name and are not there."""
        return [
            name
            for name in self.settings.interfaces
            if not set(name) & set("*?[") and name not in self.interfaces
        ]

    def close(self) -> None:
        self.owned.touch()
        self.host_mode.close()
        self.hardware_filter.close()
        for interface in list(self._by_index.values()):
            self._release(interface)
        self.fast_path.close()


def sentence(name: str, fields: dict[str, Any]) -> str:
    """A log line: what happened, then its fields."""
    rest = " ".join(f"{key}={value}" for key, value in fields.items())
    return f"{name} {rest}"
