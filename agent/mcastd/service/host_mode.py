"""Runs interfaces in host mode, in which the agent sends reports.

The kernel speaks for its own sockets. The agent speaks beside it, for memberships of its own; it
holds the kernel's reports back, and speaks for all groups, while a cap below the newest version is
set for a family, or while the kernel keeps to an older version that is not to be gone by. Fail
open: the programs hold nothing back without a fresh heartbeat.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from mcastd.fastpath.policies import Policy
from mcastd.gmp.family import FAMILIES, Address, ProtocolFamily
from mcastd.gmp.time import Duration, Instant
from mcastd.service.engine import AT_ONCE
from mcastd.service.events import FamilyEvent
from mcastd.service.heartbeat import Heartbeat
from mcastd.service.interface import Interface
from mcastd.service.kernel_question import general_query
from mcastd.service.machine import Machine
from mcastd.service.mode import Mode
from mcastd.service.observer import Observer
from mcastd.service.programs import Programs
from mcastd.service.reader import KernelReader, raise_error
from mcastd.service.transmit import FrameSender, Place, Transmitter
from mcastd.service.voice import CareForKernel, Voice

log = logging.getLogger("mcastd")

BUSY_SECONDS = 0.005
"""Until it is looked again whether more can be said."""

LINK_LOCAL_REPORTS = Path("/proc/sys/net/ipv4/igmp_link_local_mcast_reports")

SPEAKS_ITSELF = ("", "vrf")
"""Kinds of a master whose ports have addresses and memberships of their own; "" is no master."""


class HostMode:
    """All interfaces in host mode, and their heartbeat.

    `tell` is told what happens to an interface's family; `policy` says what the programs are to be
    told of an interface.
    """

    def __init__(
        self,
        fast_path: Programs,
        clock: Callable[[], Instant],
        tell: Callable[[Interface, str, FamilyEvent], None],
        policy: Callable[[Interface], Policy],
        reader: KernelReader,
        *,
        machine: Machine,
    ) -> None:
        self._fast_path = fast_path
        self._clock = clock
        self._tell = tell
        self._policy = policy
        self._reader = reader
        self._interfaces: dict[int, Interface] = {}
        self._voices: dict[tuple[int, str], Voice] = {}
        self._settling: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._capped: dict[tuple[int, str], bool] = {}
        """Where the agent speaks for the kernel: whether that is under a cap."""
        self._machine = machine
        self._locks = machine.locks()
        self._sender: FrameSender | None = None
        self._heartbeat = Heartbeat(clock, fast_path.beat, self._lapsed)

    def refusal(self, interface: Interface) -> str | None:
        """Why the interface cannot be run in host mode; None if it can."""
        if interface.link is None or interface.attachment is None:
            return f"{interface.name} {interface.problem or 'is not attached'}"
        master = interface.link.master_kind
        if master == "bridge":
            return (
                f"{interface.name} is a port of a bridge: snooping for what is behind it would "
                "break; run the bridge itself"
            )
        if master not in SPEAKS_ITSELF:
            return (
                f"{interface.name} is a port of a {master} device, which speaks for it; "
                f"run that {master} device itself"
            )
        return None

    def taken(self, interface: Interface) -> str | None:
        """Takes the interface for this process. Why it cannot be, if another agent has it."""
        assert interface.link is not None
        index = interface.link.index
        other = self._locks.take(index)
        if other is not None:
            who = f"process {other}" if other else "in another container"
            return (
                f"{interface.name} is in host mode by another agent ({who}): two would speak "
                "against each other; end that one, or observe here"
            )
        return None

    def voice(self, interface: Interface, protocol: str) -> Voice | None:
        return self._voices.get((interface.index or 0, protocol))

    async def room(self, interface: Interface) -> None:
        """Until no more waits to be said there than should: it drains with time."""
        for name in interface.observers:
            while (  # noqa: ASYNC110
                voice := self.voice(interface, name)
            ) is not None and voice.is_busy:
                await asyncio.sleep(BUSY_SECONDS)

    def is_holding(self) -> bool:
        """Whether the agent speaks for the kernel anywhere."""
        return any(
            observer.is_holding
            for interface in self._interfaces.values()
            for observer in interface.observers.values()
        )

    def start(self, interface: Interface, addresses: Iterable[Address]) -> None:
        """Begins to speak. OSError if packet sockets are not permitted."""
        link = interface.link
        assert link is not None
        sender = self._open()
        self._interfaces[link.index] = interface
        self._heartbeat.begin()
        interface.mode = Mode.HOST
        place = Place(link.index, hardware(link.hardware_address), link.mtu, {})
        for name, family in FAMILIES.items():
            observer = interface.observers[name]
            place.sources[name] = source_of(family, addresses)
            care = CareForKernel(observer)
            transmitter = Transmitter(family, place, sender, observer.host.statistics, care)
            ask = partial(self._ask_kernel, interface, observer)
            voice = Voice(transmitter, care, self._fast_path, self._reader.fresh, ask)
            self._voices[link.index, name] = voice
            self._report(interface, name, observer.speak(self._clock(), voice))
        self.settle(interface)

    def stop(self, interface: Interface) -> None:
        """Ends speaking; under a cap the kernel speaks for itself again.

        What only the agent has joined is not left here: it may come back soon.
        """
        index = interface.index or 0
        self._locks.leave(index)
        if self._interfaces.pop(index, None) is None:
            return
        self._end_settling(index)
        self._send_what_waits(interface)
        capped = [each for each in interface.observers.values() if each.is_holding]
        interface.mode = Mode.OBSERVE
        self._set_policy(interface)
        for name, observer in interface.observers.items():
            self._capped.pop((index, name), None)
            voice = self._voices.pop((index, name), None)
            if voice is not None:
                voice.close()
            self._report(interface, name, observer.speak(self._clock(), None))
        for observer in capped:
            observer.is_holding = False
            for group in list(observer.host.groups):
                observer.speak_for_kernel(self._clock(), group)
            self._ask_kernel(interface, observer)
        if not self._interfaces:
            self._heartbeat.end()

    def _send_what_waits(self, interface: Interface) -> None:
        found = (self.voice(interface, name) for name in interface.observers)
        voices = [voice for voice in found if voice is not None]
        if not any(voice.waits for voice in voices):
            return
        changes = self._reader.read_now()
        for index, group, joined in changes or ():
            if index == interface.index:
                observer = interface.of_width(len(group))
                told = observer.kernel_receives(self._clock(), group, joined)
                self._report(interface, observer.family.name, told)
        for voice in voices:
            voice.send_what_waits(is_known=changes is not None)

    def _open(self) -> FrameSender:
        if self._sender is None:
            self._sender = self._machine.sender()
            self._fast_path.own(self._sender.socket)
        return self._sender

    def _set_policy(self, interface: Interface) -> None:
        if interface.attachment is not None and interface.link is not None:
            self._fast_path.set_policy(interface.link.index, self._policy(interface))

    def _report(self, interface: Interface, name: str, told: list[FamilyEvent]) -> None:
        for event in told:
            self._tell(interface, name, event)

    # The cap.

    def settle(self, interface: Interface, *, announce: bool = False) -> None:
        """Does what the tunables now say: the programs, and who speaks for the kernel's groups.

        `announce`: all groups are reported in the new version now.
        """
        self._set_policy(interface)
        index = interface.index or 0
        if index not in self._interfaces:
            return
        for name, observer in interface.observers.items():
            if interface.holds(name) and not observer.is_holding:
                observer.is_taking_over = True
            if (index, name) in self._settling:
                continue  # it looks again before it ends
            task = asyncio.get_running_loop().create_task(self._settle(interface, name, announce))
            self._settling[index, name] = task
            task.add_done_callback(raise_error)

    async def _settle(self, interface: Interface, name: str, announce: bool) -> None:
        observer, key = interface.observers[name], (interface.index or 0, name)
        while interface.mode is Mode.HOST:
            wanted = interface.holds(name)
            if wanted == observer.is_holding and self._capped.get(key) in (
                None,
                observer.is_capped,
            ):
                break
            if wanted:
                self._capped[key] = observer.is_capped
                await self._begin_to_hold(interface, observer, announce)
            else:
                self._capped.pop(key, None)
                await self._end_holding(interface, observer)
        self._settling.pop(key, None)

    def _end_settling(self, index: int) -> None:
        for key in [each for each in self._settling if each[0] == index]:
            self._settling.pop(key).cancel()

    async def _begin_to_hold(
        self, interface: Interface, observer: Observer, announce: bool
    ) -> None:
        """The kernel's reports are held back already: what it had told before is known."""
        observer.is_holding = True
        observer.is_silent_about_link_local = is_silent_about_link_local(observer.family)
        await self._reader.fresh()
        announce = announce or not observer.is_capped  # routers have been told of no sources
        await self._for_kernels_groups(interface, observer, is_known=not announce)
        found = observer.say_what_is_owed(self._clock())
        self._report(interface, observer.family.name, found)

    async def _end_holding(self, interface: Interface, observer: Observer) -> None:
        observer.is_holding = False
        await self._for_kernels_groups(interface, observer, is_known=True)
        if interface.mode is Mode.HOST and not observer.is_holding:
            self._ask_kernel(interface, observer)

    async def _for_kernels_groups(
        self, interface: Interface, observer: Observer, *, is_known: bool
    ) -> None:
        for number, group in enumerate(list(observer.received.kernel)):
            at = self._clock()
            # Of a join that the kernel still repeats, the repeats are the agent's to send.
            known = is_known and not (observer.is_holding and observer.is_repeated(at, group))
            found = observer.speak_for_kernel(at, group, is_known=known)
            self._report(interface, observer.family.name, found)
            await let_others(number)
            await self.room(interface)

    def _ask_kernel(
        self, interface: Interface, observer: Observer, within: Duration | None = None
    ) -> None:
        """Has the kernel report all that it receives, if its programs are there to ask it."""
        if interface.link is None or interface.attachment is None:
            return
        question = general_query(observer, self._fast_path.asking, within)
        try:
            self._fast_path.inject(interface.link.index, question)
        except OSError as error:
            log.warning("%s: the kernel cannot be asked: %s", interface.name, error)

    # Time.

    def _lapsed(self) -> None:
        """What the kernel said meanwhile in its own version is said anew in the capped one."""
        if self.is_holding():
            self._reader.fresh().add_done_callback(self._tell_again)

    def _tell_again(self, _waited: asyncio.Future[bool]) -> None:
        for interface in self._interfaces.values():
            for name, observer in interface.observers.items():
                if observer.is_holding:
                    self._report(interface, name, observer.announce(self._clock()))

    @property
    def lapses(self) -> int:
        """How often the heartbeat was not there in time."""
        return self._heartbeat.lapses

    def age(self) -> float | None:
        """Seconds since the last heartbeat; None without an interface in host mode."""
        return self._heartbeat.age() if self._interfaces else None

    # Links and addresses.

    def link_changed(self, interface: Interface) -> None:
        """Another MTU, or another hardware address."""
        link = interface.link
        self._set_policy(interface)
        for name in FAMILIES:
            voice = self.voice(interface, name)
            if voice is not None and link is not None:
                voice.transmitter.place.mtu = link.mtu
                voice.transmitter.place.hardware_address = hardware(link.hardware_address)

    def addresses_changed(self, interface: Interface, addresses: Iterable[Address]) -> None:
        """Chooses anew where messages come from; also for an interface that is only observed."""
        for name, family in FAMILIES.items():
            source = source_of(family, addresses)
            voice = self.voice(interface, name)
            if voice is not None:
                voice.transmitter.place.sources[name] = source
            found = interface.observers[name].source_address(self._clock(), source)
            self._report(interface, name, found)

    def close(self) -> None:
        """Answers what is to be answered yet, and ends speaking everywhere."""
        for interface in list(self._interfaces.values()):
            for name, observer in interface.observers.items():
                self._report(interface, name, observer.engine.finish(self._clock()))
            self.stop(interface)
        if self._sender is not None:
            self._sender.close()


def is_silent_about_link_local(family: ProtocolFamily, path: Path = LINK_LOCAL_REPORTS) -> bool:
    """Whether the kernel never tells 224.0.0.0/24: for MLD there is no such setting."""
    try:
        return family.address_width == 4 and path.read_text().strip() == "0"
    except OSError:
        return False


async def let_others(number: int) -> None:
    """Lets the loop turn after each piece of something that concerns very many groups."""
    if number % AT_ONCE == AT_ONCE - 1:
        await asyncio.sleep(0)


def hardware(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", "")) or bytes(6)


def source_of(family: ProtocolFamily, addresses: Iterable[Address]) -> Address:
    """The address that messages come from, all zeros without one (RFC 9776 §4.2.14, RFC 3590).

    An interface may have a group for an address (ip address add ... autojoin): no message comes
    from that.
    """
    fitting = [
        each
        for each in addresses
        if len(each) == family.address_width and not family.is_multicast(each)
    ]
    if family.address_width == 16:
        fitting = [each for each in fitting if each[0] == 0xFE and each[1] & 0xC0 == 0x80]
    return fitting[0] if fitting else family.unspecified
