"""The agent: its interfaces, in which mode they are, and what it receives of its own accord."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from mcastd.fastpath import HookChoice, Policy
from mcastd.gmp.config import HostConfig
from mcastd.gmp.family import FAMILIES
from mcastd.gmp.time import Instant, after, seconds
from mcastd.service import coexistence, events
from mcastd.service.addresses import Addresses
from mcastd.service.by_hand import ByHand, Difference
from mcastd.service.clock import now, wall_now
from mcastd.service.config import Settings
from mcastd.service.connections import Door
from mcastd.service.deafness import Deafness
from mcastd.service.events import Cause, FamilyEvent
from mcastd.service.faults import Faults, said
from mcastd.service.floods import LOOK_SECONDS, FloodWatch
from mcastd.service.happenings import Teller
from mcastd.service.host_history import HostHistory
from mcastd.service.host_mode import HostMode, hardware, let_others
from mcastd.service.interface import Interface
from mcastd.service.interface_settings import InterfaceSettings
from mcastd.service.joined import Change, Joined
from mcastd.service.keys import is_pattern
from mcastd.service.known_queriers import KnownQueriers
from mcastd.service.losses import Losses
from mcastd.service.machine import Machine
from mcastd.service.memberships import OwnedMemberships
from mcastd.service.mode import Mode
from mcastd.service.observer import Observer
from mcastd.service.own_addresses import OwnAddresses
from mcastd.service.own_memberships import OwnMemberships
from mcastd.service.policy import policy_of
from mcastd.service.program_watch import ProgramWatch
from mcastd.service.programs import Programs
from mcastd.service.reader import KernelReader
from mcastd.service.signs import SignOnLink
from mcastd.service.streams import StreamReader
from mcastd.service.turns import Turns

log = logging.getLogger("mcastd")

STILL_IN_FORCE_SECONDS = 60.0
"""How often the state files are touched, so that their mtime says until when they were valid."""

RETRY_SECONDS = 5.0
"""Between two attempts to keep what could not be kept."""

MOST_REMARKS = 1000
"""That are known to be logged: they name interfaces, which come and go."""

RECORD_EVERY = seconds(10)
"""Between two readings of the counters that are recorded."""

KEEP_SECONDS = 1.0
"""After which a change of the queriers that are known is kept."""


class Agent:
    """All interfaces, and what they share.

    `interfaces`: by name, also those that are not there now; `by_index`: those that are run.
    `former`: those that the files no longer name, for what they have counted.
    `addresses`: of all links: one may become ours later.
    """

    def __init__(
        self,
        settings: Settings,
        fast_path: Programs,
        owned: OwnedMemberships | None = None,
        known_queriers: KnownQueriers | None = None,
        faults: Faults | None = None,
        *,
        machine: Machine | None = None,
    ) -> None:
        self.machine = machine or Machine()
        self.settings = self.started_with = settings
        self.by_hand = ByHand()
        self.faults = faults or Faults()
        self.doors: list[Door] = []
        self.fast_path = fast_path
        self.interfaces: dict[str, Interface] = {}
        self.by_index: dict[int, Interface] = {}
        self.former: dict[str, Interface] = {}
        self.addresses = Addresses()
        self.teller = Teller(fast_path.hand_over_reports)
        self.own_addresses = OwnAddresses(fast_path, self.faults)
        self.reader = KernelReader(
            lambda: fast_path.sockets,
            self._kernel_known,
            self._kernel_changed,
            self._is_holding,
            self._kernel_speaks,
            receives=self.machine.receives,
        )
        self.turns = Turns(
            fast_path, self.teller, self.by_index, self._known_changed, self.reader.request
        )
        self.streams = StreamReader(fast_path, self.by_index, self.teller)
        self.streams.configure(settings)
        self.started = self.turned_at = now()
        self.known_queriers = (
            KnownQueriers(None, self.started) if known_queriers is None else known_queriers
        )
        self.floods = FloodWatch(self.started)
        self._losses = Losses()
        self.host_history = HostHistory()
        self.sign = SignOnLink()
        self._recorded = Instant(0)
        self.programs = ProgramWatch(self.by_index, self._detached)
        self.deafness = Deafness(self.by_index, fast_path.probe, fast_path.is_drained, self._deaf)
        self.turns.probed = self.deafness.heard
        self.started_at = self.reloaded_at = wall_now()
        self.owned = OwnedMemberships(None) if owned is None else owned
        self.host_mode = HostMode(
            fast_path, now, self._tell_of_host_mode, self.policy, self.reader, machine=self.machine
        )
        self.memberships = OwnMemberships(
            lambda: self.settings,
            self.owned,
            self.interfaces,
            listened=self._listened,
            changed=self.reader.request,
            machine=self.machine,
            faults=self.faults,
        )
        self.reload: Callable[[bool], str | None] = lambda undo: None
        """Takes over the files; `undo`: also where something else was set by hand."""
        self.looked: Callable[[], object] = lambda: None
        """Is called now and then, when it has been looked at all that may have changed."""
        self.settle: Callable[[Interface], None] = lambda interface: None
        """Has it looked at again how the interface is to be run."""
        self._remarked: dict[str, None] = {}
        self._flood_timer: asyncio.TimerHandle | None = None
        self._keep_timer: asyncio.TimerHandle | None = None

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Takes events from now on, on this loop."""
        self._loop = loop
        self.turns.listen(loop)
        self.streams.listen(loop)
        self.host_history.listen(loop)
        loop.call_later(STILL_IN_FORCE_SECONDS, self._still_in_force)
        self.reader.request()
        loop.call_later(RETRY_SECONDS, self._retry_keeping)
        self._flood_timer = loop.call_later(LOOK_SECONDS, self._look)

    def started_up(self) -> None:
        """All present links are processed: what was kept is not for those that come later."""
        self.owned.is_fresh = False

    def _still_in_force(self) -> None:
        self.owned.touch()
        self.known_queriers.touch()
        self._loop.call_later(STILL_IN_FORCE_SECONDS, self._still_in_force)

    def _retry_keeping(self) -> None:
        """What could not be written is tried again: the disk may have room now."""
        self.owned.retry()
        self.known_queriers.retry()
        self._loop.call_later(RETRY_SECONDS, self._retry_keeping)

    def _look(self) -> None:
        counted = self.fast_path.counters()
        for change in self.floods.look(now(), counted):
            self.teller.flood(
                change.interface, events.FloodChanged(change.state, change.ring, change.flood)
            )
        for name in self._losses.look(counted):
            self._make_good(name)
        self.programs.look(now())
        self.deafness.look(now())
        self.sign.update(self.by_index)
        if now() >= after(self._recorded, RECORD_EVERY):
            self._recorded = now()
            self.teller.recorder.count(wall_now(), counted)
        self.looked()
        self.turned_at = now()
        self._flood_timer = self._loop.call_later(LOOK_SECONDS, self._look)

    def _make_good(self, name: str) -> None:
        """Copies of what the kernel said there were lost."""
        self.reader.request()
        interface = self.interfaces.get(name)
        if interface is not None and interface.mode is Mode.HOST:
            self.teller.tell_all(interface, interface.announce(now()))
            self.teller.announce(interface.name, events.Announced(Cause.COPIES_LOST))
            self.turns.arm({interface.index} if interface.index is not None else None)

    def _detached(self, interface: Interface) -> None:
        self.teller.announce(interface.name, events.Detached())
        self.settle(interface)

    def _deaf(self, index: int) -> None:
        """Its maps are written anew with all else."""
        self.teller.announce(self.by_index[index].name, events.Deaf())
        self.turns.failed(index, OSError(errno.EIO, "the programs hand nothing over"))

    def _tell_of_host_mode(self, interface: Interface, family: str, event: FamilyEvent) -> None:
        """What it does between turns."""
        self.teller.tell(interface, family, event)
        if interface.index is not None:
            self.turns.arm({interface.index})

    def _listened(self, interface: Interface, family: str, told: list[FamilyEvent]) -> None:
        """What came of a request for a group; the engine may have to say it, told or not."""
        self.teller.tell_all(interface, ((family, event) for event in told))
        if interface.index is not None:
            self.turns.arm({interface.index})

    # What the kernel receives.

    def _is_holding(self) -> bool:
        return self.host_mode.is_holding()

    def _kernel_known(self) -> dict[int, dict[bytes, Joined]]:
        return {index: interface.kernel() for index, interface in self.by_index.items()}

    async def _kernel_changed(self, changes: Sequence[Change]) -> None:
        """What was looked up, in bounded pieces, and no faster than it can be said."""
        for number, (index, group, joined) in enumerate(changes):
            interface = self.by_index.get(index)
            if interface is None:
                continue
            self.teller.tell_all(interface, interface.kernel_receives(now(), group, joined))
            await let_others(number)
            await self.host_mode.room(interface)
        self.turns.arm({index for index, _, _ in changes})

    def _kernel_speaks(self, at: Instant, versions: Mapping[int, int]) -> None:
        """In which IGMP versions, by index; of MLD it is seen when the kernel says something."""
        for index, interface in self.by_index.items():
            if index in versions:
                interface.kernel_versions["igmp"].speaks(at, versions[index])
            for name, kernel in interface.kernel_versions.items():
                kernel.is_forced = kernel.spoken not in (None, FAMILIES[name].newest) and (
                    coexistence.is_forced(interface.name, name)
                )
                if interface.observers[name].is_holding != interface.holds(name):
                    self.host_mode.settle(interface)

    # Queriers.

    def expect_queriers(self, interface: Interface) -> None:
        """Those of before a restart are known at once: in a flood, nobody new would be."""
        for observer in interface.observers.values():
            for address, until in self.known_queriers.earlier(
                interface.name, observer.family, now()
            ):
                observer.queriers.expect(address, until)
        if interface.index is not None:
            self.turns.know_queriers(interface.index)

    def _known_changed(self) -> None:
        """Has all changes of the next second kept together."""
        if self._keep_timer is None:
            loop = asyncio.get_running_loop()
            self._keep_timer = loop.call_later(KEEP_SECONDS, self._keep_queriers)

    def _keep_queriers(self) -> None:
        self._keep_timer = None
        self.known_queriers.keep(
            (interface.name, protocol, observer.family.format(address))
            for interface in self.by_index.values()
            for protocol, observer in interface.observers.items()
            for address in observer.queriers.known
        )

    # Modes.

    def policy(self, interface: Interface) -> Policy:
        """What the programs are to be told of the interface as it is now."""
        reports = self.teller.bus.needs_reports
        link = interface.link
        return policy_of(
            interface.configs,
            interface.guard,
            reports=reports,
            host_mode=interface.mode is Mode.HOST,
            hardware=hardware(link.hardware_address if link else ""),
            held=[name for name in interface.observers if interface.holds(name)],
        )

    def settings_of(
        self, name: str, alternative_names: Iterable[str] = ()
    ) -> InterfaceSettings | None:
        """The files', and what was set by hand; None if the files do not name the interface."""
        written = self.settings.of(name, alternative_names)
        return None if written is None else self.by_hand.applied(name, written)

    def differences(self, interface: Interface) -> list[Difference]:
        """What was set by hand on an interface, and is otherwise in the files."""
        written = self.settings.of(interface.name, interface.alternative_names)
        return list(self.by_hand.differences(interface.name, written)) if written else []

    def hook_choice(self, interface: Interface) -> HookChoice:
        """Which ingress hook the interface is to have."""
        settings = self.settings.of(interface.name, interface.alternative_names)
        return settings.hook if settings else HookChoice.AUTO

    def counts_streams(self, interface: Interface) -> bool:
        """Whether its streams are to be counted, and can be."""
        settings = self.settings.of(interface.name, interface.alternative_names)
        return self.streams.is_counting and settings is not None and settings.streams

    def enter_mode(self, interface: Interface) -> str | None:
        """Runs it in the mode that is wanted. Why it cannot be, if it cannot."""
        resumes = interface.wanted_mode is Mode.HOST is not interface.mode and self.owned.is_fresh
        if resumes:
            kept = {each.key for each in self.owned.kept}  # routers know of these
            wanted = self.memberships.wanted(interface)
            self.memberships.put_all(
                interface, (each for each in wanted if each.key in kept and not each.kernel)
            )
        problem = self.change_mode(interface, interface.wanted_mode)
        if resumes and problem is None:
            self.teller.tell_all(interface, interface.resume(now()))
        return problem

    def set_mode(self, interface: Interface, mode: Mode) -> str | None:
        """Hands an interface over, either way, as the operator wants it from now on.

        Why it cannot be, if it cannot: then what was wanted before still is.
        """
        problem = self.change_mode(interface, mode)
        if problem is None:
            interface.wanted_mode = mode
            self.by_hand.set(interface.name, "mode", mode)
            self.settle(interface)
        return problem

    def change_mode(self, interface: Interface, mode: Mode) -> str | None:
        """Hands an interface over, either way. Why it cannot be, if it cannot."""
        if mode is interface.mode:
            return None
        if mode is Mode.HOST:
            problem = self.host_mode.refusal(interface) or self.host_mode.taken(interface)
            if problem is not None:
                return problem
            assert interface.index is not None
            try:
                self.host_mode.start(interface, self.addresses.usable(interface.index))
            except OSError as error:
                self.host_mode.stop(interface)
                needs = " (host mode needs CAP_NET_RAW)" if error.errno == errno.EPERM else ""
                return f"{interface.name}: cannot be taken over: {said(error)}{needs}"
            self.memberships.put_all(interface, self.memberships.wanted(interface))
        else:
            self.give_back(interface)
        self.memberships.keep_configured()
        self.remark(interface)
        log.info("%s: %s mode", interface.name, mode.value)
        self.teller.announce(interface.name, events.ModeChanged(mode))
        self.turns.arm({interface.index} if interface.index is not None else None)
        return None

    def give_back(self, interface: Interface) -> None:
        """Only the kernel speaks from now on; what only the agent had joined is left first."""
        for membership in list(interface.own.values()):
            self.memberships.withdraw(interface, membership)
        self.host_mode.stop(interface)

    def remark(self, interface: Interface) -> None:
        """Logs once what gets in the way; `mcastctl status` says it as long as it is so."""
        for text in coexistence.of_interface(interface):
            if text not in self._remarked:
                log.warning("%s: %s", interface.name, text)
            self._remarked[text] = None
        while len(self._remarked) > MOST_REMARKS:
            del self._remarked[next(iter(self._remarked))]

    # The operator.

    def configure_family(
        self, interface: Interface, observer: Observer, config: HostConfig
    ) -> None:
        """Other tunables for one family, at once."""
        interface.configs[observer.family.name] = config
        announce = config.announce_version_change
        for event in observer.configure(now(), config):
            self.teller.tell(interface, observer.family.name, event)
        if interface.attachment is not None:
            self.host_mode.settle(interface, announce=announce)
        self.turns.arm()

    def forget_names(self) -> None:
        """Of interfaces that are gone, only so many names stay, the latest; their counters go on if
        they come back.
        """
        most = self.settings.gone_interfaces
        gone = [name for name, each in self.interfaces.items() if each.index is None]
        for name in gone[: max(0, len(gone) - most)]:
            del self.interfaces[name]
            self.by_hand.forget(name)
        for name in list(self.former)[: max(0, len(self.former) - most)]:
            del self.former[name]
            self.by_hand.forget(name)
        self.fast_path.forget_gone(most)

    def missing(self) -> list[str]:
        """Interfaces that are configured by name and are not there."""
        known = {name for each in self.interfaces.values() for name in each.alternative_names}
        return [
            name
            for name in self.settings.interfaces
            if not is_pattern(name) and name not in self.interfaces and name not in known
        ]

    def close(self) -> None:
        """The kernel speaks again; what only the agent had joined is not left: it may be back."""
        if self._flood_timer is not None:
            self._flood_timer.cancel()
        self.turns.close()
        self.host_history.close()
        self.sign.close()
        self.streams.close()
        self.owned.close()
        if self._keep_timer is not None:
            self._keep_timer.cancel()
            self._keep_queriers()
        self.known_queriers.close()
        self.reader.close()
        self.host_mode.close()
        self.memberships.close()
