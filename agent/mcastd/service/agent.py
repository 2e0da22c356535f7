"""The agent: holds all interfaces, and makes and connects the parts that serve them."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Iterable, Mapping, Sequence

from mcastd.fastpath.hooks import HookChoice
from mcastd.fastpath.policies import Policy
from mcastd.gmp.config import HostConfig
from mcastd.gmp.family import FAMILIES
from mcastd.gmp.time import Instant
from mcastd.service import coexistence, events
from mcastd.service.addresses import Addresses
from mcastd.service.after_leave import AfterLeave
from mcastd.service.by_hand import ByHand, Difference
from mcastd.service.clock import now, wall_now
from mcastd.service.config import Settings
from mcastd.service.connections import Door
from mcastd.service.deafness import Deafness
from mcastd.service.events import Cause, FamilyEvent
from mcastd.service.faults import Faults
from mcastd.service.happenings import Teller
from mcastd.service.host_history import HostHistory
from mcastd.service.host_mode import HostMode, hardware, let_others
from mcastd.service.interface import Interface
from mcastd.service.interface_names import is_pattern
from mcastd.service.interface_settings import InterfaceSettings
from mcastd.service.joined import Change, Joined
from mcastd.service.known_queriers import KnownQueriers
from mcastd.service.machine import Machine
from mcastd.service.memberships import OwnedMemberships
from mcastd.service.mode import Mode
from mcastd.service.observer import Observer
from mcastd.service.own_addresses import OwnAddresses
from mcastd.service.own_memberships import OwnMemberships
from mcastd.service.owned import Owned
from mcastd.service.policy import policy_of
from mcastd.service.program_watch import ProgramWatch
from mcastd.service.programs import Programs
from mcastd.service.reader import KernelReader
from mcastd.service.regular_look import RegularLook
from mcastd.service.state_upkeep import StateUpkeep
from mcastd.service.streams import StreamReader
from mcastd.service.turns import Turns


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
        self.after_leave = AfterLeave(self.end)
        self.fast_path = fast_path
        self.interfaces: dict[str, Interface] = {}
        self.by_index: dict[int, Interface] = {}
        self.former: dict[str, Interface] = {}
        self.addresses = Addresses()
        self.teller = Teller(fast_path.hand_over_reports)
        self.own_addresses = OwnAddresses(fast_path, self.faults)
        self.started = now()
        self.started_at = self.reloaded_at = wall_now()
        self.known_queriers = (
            KnownQueriers(None, self.started) if known_queriers is None else known_queriers
        )
        self.owned = OwnedMemberships(None) if owned is None else owned
        self._upkeep = StateUpkeep(self.owned, self.known_queriers, self.by_index)
        self._remarks = coexistence.Remarks()
        self.reload: Callable[[bool], str | None] = lambda undo: None
        """Takes over the files; `undo`: also where something else was set by hand."""
        self.settle: Callable[[Interface], None] = lambda interface: None
        """Has it looked at again how the interface is to be run."""
        self.changed: list[Callable[[Mapping[Owned, Owned]], None]] = []
        """Are told memberships that are other ones now, by what they were: with another name of
        their device, or without some of their sources."""
        self._read()
        self._look()
        self._speak()

    def _read(self) -> None:
        """Makes what takes events: of the kernel's lists, of the rings, of streams."""
        fast_path = self.fast_path
        self.reader = KernelReader(
            lambda: fast_path.sockets,
            self._kernel_known,
            self._kernel_changed,
            self._is_holding,
            self._kernel_speaks,
            receives=self.machine.receives,
        )
        self.turns = Turns(
            fast_path,
            self.teller,
            self.by_index,
            self._upkeep.queriers_changed,
            self.reader.request,
        )
        self.streams = StreamReader(fast_path, self.by_index, self.teller)
        self.streams.configure(self.settings)
        self.host_history = HostHistory()

    def _look(self) -> None:
        """Makes what looks now and then whether all is as it should be."""
        fast_path = self.fast_path
        self.programs = ProgramWatch(self.by_index, self._detached)
        self.deafness = Deafness(self.by_index, fast_path.probe, fast_path.is_drained, self._deaf)
        self.turns.probed = self.deafness.heard
        self.look = RegularLook(
            fast_path,
            self.by_index,
            self.teller,
            programs=self.programs,
            deafness=self.deafness,
            sign=self.machine.sign(),
            lost=self._make_good,
        )

    def _speak(self) -> None:
        """Makes what sends and joins."""
        self.host_mode = HostMode(
            self.fast_path,
            now,
            self._tell_of_host_mode,
            self.policy,
            self.reader,
            machine=self.machine,
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

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Takes events from now on, on this loop."""
        self.turns.listen(loop)
        self.streams.listen(loop)
        self.host_history.listen(loop)
        self._upkeep.listen(loop)
        self.reader.request()
        self.look.listen(loop)

    def started_up(self) -> None:
        """All present links are processed: what was kept is not for those that come later."""
        self.owned.is_fresh = False

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
        written = interface.written(self.settings)
        return list(self.by_hand.differences(interface.name, written)) if written else []

    def hook_choice(self, interface: Interface) -> HookChoice:
        """Which ingress hook the interface is to have."""
        settings = interface.written(self.settings)
        return settings.hook if settings else HookChoice.AUTO

    def counts_streams(self, interface: Interface) -> bool:
        """Whether its streams are to be counted, and can be."""
        settings = interface.written(self.settings)
        return self.streams.is_counting and settings is not None and settings.streams

    def give_back(self, interface: Interface) -> None:
        """Only the kernel speaks from now on; what only the agent had joined is left first."""
        for membership in list(interface.own.values()):
            self.memberships.withdraw(interface, membership)
        self.host_mode.stop(interface)

    def end(self, membership: Owned) -> None:
        """A membership that was asked for ends, whether its interface is there or not."""
        interface = self.interfaces.get(membership.interface)
        if interface is not None:
            self.memberships.withdraw(interface, membership)
        self.owned.drop(membership)

    def remark(self, interface: Interface) -> None:
        """Logs once what gets in the way; `mcastctl status` says it as long as it is so."""
        self._remarks.log(interface)

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
        self.look.close()
        self.after_leave.close()
        self.turns.close()
        self.host_history.close()
        self.streams.close()
        self._upkeep.close()
        self.reader.close()
        self.host_mode.close()
        self.memberships.close()
