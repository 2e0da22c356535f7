"""Host mode: the agent speaks for an interface, and the kernel's own reports stay inside.

Fail open: the programs hold nothing back once the heartbeat is older than BEAT_LASTS, so that the
kernel speaks again whatever happens to this process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from mcastd.fastpath import FastPath
from mcastd.gmp.effects import Listening, ReportsMatter, SendLeave, SendRecords, SendReport
from mcastd.gmp.family import FAMILIES, Address, ProtocolFamily
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.time import Duration, Instant, after, milliseconds, seconds
from mcastd.service.interface import Interface
from mcastd.service.observer import AT_ONCE, KERNEL, Happening
from mcastd.service.transmit import Place, Sender, Transmitter, frame
from mcastd.wire import query

log = logging.getLogger("mcastd")

BEAT_LASTS = seconds(2)
BEAT_EVERY = milliseconds(500)
CHECK_SECONDS = 30.0
"""Between two comparisons of what the kernel says with what is known."""

RECHECK_SECONDS = 2.0
"""For what is still under way: the kernel repeats its reports within a second."""

STOPPED_AT_ONCE = 1024
"""Groups for which other hosts' reports cease to matter, in one turn."""


SPEAKS_ITSELF = ("", "vrf")
"""Kinds of a master whose ports have addresses and memberships of their own; "" is no master."""


class Voice:
    """Carries out what one family's engine on one interface wants sent and heard."""

    def __init__(self, transmitter: Transmitter, fast_path: FastPath) -> None:
        self.transmitter = transmitter
        self._fast_path = fast_path
        self._delaying: set[Address] = set()
        self._stopping: set[Address] = set()
        self._handle: asyncio.Handle | None = None

    @property
    def is_busy(self) -> bool:
        return self.transmitter.is_busy

    def send(self, order: SendRecords | SendReport | SendLeave) -> None:
        self.transmitter.order(order)

    def listen(self, matter: ReportsMatter) -> None:
        """Has other hosts' older reports handed over for these groups only."""
        if matter.groups is None:
            self._stopping |= self._delaying
            self._delaying = set()
            if self._handle is None:
                self._stop_some()
            return
        started = matter.listening is Listening.STARTED
        for group in matter.groups:
            self._assign(group, delaying=started)
            self._stopping.discard(group)
            (self._delaying.add if started else self._delaying.discard)(group)

    def close(self) -> None:
        """Nothing is said or heard any more; what is ordered is sent at once."""
        self.transmitter.flush()
        if self._handle is not None:
            self._handle.cancel()

    def _stop_some(self) -> None:
        """A few groups in a turn: until it comes to one, its reports are handed over in vain."""
        for _ in range(min(len(self._stopping), STOPPED_AT_ONCE)):
            self._assign(self._stopping.pop(), delaying=False)
        self._handle = None
        if self._stopping:
            self._handle = asyncio.get_running_loop().call_soon(self._stop_some)

    def _assign(self, group: Address, *, delaying: bool) -> None:
        self._fast_path.assign(self.transmitter.place.index, group, delaying=delaying)


class HostMode:
    """All interfaces in host mode, their heartbeat, and the check against drift.

    `tell` is told what happens to an interface's family.
    """

    def __init__(
        self,
        fast_path: FastPath,
        clock: Callable[[], Instant],
        tell: Callable[[Interface, str, Happening], None],
    ) -> None:
        self._fast_path = fast_path
        self._clock = clock
        self._tell = tell
        self._interfaces: dict[int, Interface] = {}
        self._voices: dict[tuple[int, str], Voice] = {}
        self._sender: Sender | None = None
        self._beats_until = Instant(0)
        self._timers: list[asyncio.TimerHandle] = []
        self._check: asyncio.Task[None] | None = None
        self.drift_repairs = 0
        self.lapses = 0

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

    def voice(self, interface: Interface, protocol: str) -> Voice | None:
        return self._voices.get((interface.index or 0, protocol))

    def start(self, interface: Interface, addresses: Iterable[Address]) -> None:
        """Takes the interface over from the kernel. OSError if packet sockets are not permitted."""
        link = interface.link
        assert link is not None
        sender = self._open()
        self._interfaces[link.index] = interface
        self._beat()
        self._set_policy(interface, host_mode=True)
        place = Place(link.index, hardware(link.hardware_address), link.mtu, {})
        for name, family in FAMILIES.items():
            place.sources[name] = source_of(family, addresses)
            statistics = interface.observers[name].host.statistics
            voice = Voice(Transmitter(family, place, sender, statistics), self._fast_path)
            self._voices[link.index, name] = voice
            found = interface.observers[name].speak(self._clock(), voice)
            self._report(interface, name, found)
        interface.mode = "host"
        self.ask_kernel(interface)

    def stop(self, interface: Interface) -> None:
        """Gives the interface back to the kernel, which cannot speak for what it does not receive.

        What only the agent has joined is not left here: it may come back soon.
        """
        index = interface.index or 0
        if self._interfaces.pop(index, None) is None:
            return
        for name in interface.observers:
            self._voices[index, name].close()
        spoken = {name: each.host.version for name, each in interface.observers.items()}
        if interface.attachment is not None and interface.link is not None:
            self._set_policy(interface, host_mode=False)
        for name, observer in interface.observers.items():
            del self._voices[index, name]
            self._report(interface, name, observer.speak(self._clock(), None))
        interface.mode = "observe"
        if interface.link is not None:
            self.ask_kernel(interface, spoken)
        if not self._interfaces:
            self._quiet()

    def _open(self) -> Sender:
        if self._sender is None:
            self._sender = Sender()
            self._fast_path.own(self._sender.socket)
        return self._sender

    def _set_policy(self, interface: Interface, *, host_mode: bool) -> None:
        assert interface.index is not None
        policy = self._fast_path.policy(interface.index)
        self._fast_path.set_policy(interface.index, policy._replace(host_mode=host_mode))

    def _report(self, interface: Interface, name: str, happenings: list[Happening]) -> None:
        for happening in happenings:
            self._tell(interface, name, happening)

    # The kernel.

    def ask_kernel(self, interface: Interface, versions: dict[str, int] | None = None) -> None:
        """Has the kernel report all that it receives: a general query that only this host hears."""
        assert interface.link is not None
        for name, family in FAMILIES.items():
            version = (versions or {}).get(name, family.newest)
            asked = query(
                family,
                version,
                source=family.unspecified if family.address_width == 4 else ASKING,
                max_response=milliseconds(100),
                robustness=0,
                query_interval=Duration(0),
            )
            own = hardware(interface.link.hardware_address)
            content = frame(asked, b"\x02" + own[1:], family.address_width)
            try:
                self._fast_path.inject(interface.link.index, content)
            except OSError as error:
                log.warning("%s: the kernel cannot be asked: %s", interface.name, error)

    async def check(self) -> None:
        """Compares the kernel's own lists with what is known; what differs is looked at again."""
        suspects = [
            (interface, found)
            for interface in list(self._interfaces.values())
            if (found := await self._differences(interface, await kernel_filters(interface)))
        ]
        if suspects:
            await asyncio.sleep(RECHECK_SECONDS)
        for interface, found in suspects:
            await self._repair(interface, found)

    async def _differences(
        self, interface: Interface, held: dict[Address, SourceFilter]
    ) -> set[Address]:
        """Groups that only the kernel, or only the agent takes to be received by its sockets.

        Those that are never reported are the kernel's own affair.
        """
        found: set[Address] = set()
        for observer in interface.observers.values():
            known: set[Address] = set()
            for number, group in enumerate(observer.host.ascending_groups()):
                if observer.asked_by(KERNEL, group):
                    known.add(group)
                await let_others(number)
            there = {group for group in held if len(group) == observer.family.address_width}
            found |= {group for group in known ^ there if observer.family.is_reportable(group)}
        return found

    async def _repair(self, interface: Interface, suspects: set[Address]) -> None:
        """Groups that still differ did not change just then: a report of the kernel was missed."""
        held = await kernel_filters(interface)
        for number, group in enumerate(suspects & await self._differences(interface, held)):
            if interface.mode != "host":
                return
            self.drift_repairs += 1
            observer = interface.of_width(len(group))
            wanted = held.get(group, observer.nothing)
            found = observer.listen(self._clock(), KERNEL, group, wanted)
            self._report(interface, observer.family.name, found)
            await let_others(number)

    # Time.

    def _beat(self) -> None:
        """Says that the agent lives; after a pause the kernel may have spoken, so ask it again."""
        now = self._clock()
        lapsed = Instant(0) < self._beats_until < now
        self._beats_until = after(now, BEAT_LASTS)
        self._fast_path.beat(self._beats_until)
        if lapsed:
            self.lapses += 1
            log.warning("the heartbeat lapsed: the kernel spoke meanwhile, taking over again")
            for interface in self._interfaces.values():
                self.ask_kernel(interface)
        if not self._timers:
            self._schedule()

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()

        def beat() -> None:
            self._beat()
            self._timers[0] = loop.call_later(BEAT_EVERY / 1e9, beat)

        def check() -> None:
            if self._check is None or self._check.done():
                self._check = loop.create_task(self.check())
                self._check.add_done_callback(raise_error)
            self._timers[1] = loop.call_later(CHECK_SECONDS, check)

        self._timers = [
            loop.call_later(BEAT_EVERY / 1e9, beat),
            loop.call_later(CHECK_SECONDS, check),
        ]

    def _quiet(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers = []
        if self._check is not None:
            self._check.cancel()
        self._beats_until = Instant(0)
        self._fast_path.beat(0)

    def age(self) -> float | None:
        """Seconds since the last heartbeat; None without an interface in host mode."""
        if not self._interfaces:
            return None
        return (self._clock() - (self._beats_until - BEAT_LASTS)) / 1e9

    # Links and addresses.

    def link_changed(self, interface: Interface) -> None:
        """Another MTU, or another hardware address."""
        link = interface.link
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
        for interface in list(self._interfaces.values()):
            self.stop(interface)
        if self._sender is not None:
            self._sender.close()


ASKING = bytes.fromhex("fe800000000000000000000000000001")
"""Where the questions to the kernel's MLD seem to come from: it must be link-local."""


async def kernel_filters(interface: Interface) -> dict[Address, SourceFilter]:
    """What the kernel says, beside the loop: it takes a second to read of very many groups."""
    return await asyncio.to_thread(interface.kernel_filters)


async def let_others(number: int) -> None:
    """Lets the loop turn after each piece of something that concerns very many groups."""
    if number % AT_ONCE == AT_ONCE - 1:
        await asyncio.sleep(0)


def raise_error(task: asyncio.Task[None]) -> None:
    """A bug in a task is the agent's end, as it is anywhere else."""
    if not task.cancelled():
        task.result()


def hardware(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", "")) or bytes(6)


def source_of(family: ProtocolFamily, addresses: Iterable[Address]) -> Address:
    """The address that messages come from, all zeros without one (RFC 9776 §4.2.14, RFC 3590)."""
    fitting = [each for each in addresses if len(each) == family.address_width]
    if family.address_width == 16:
        fitting = [each for each in fitting if each[0] == 0xFE and each[1] & 0xC0 == 0x80]
    return fitting[0] if fitting else family.unspecified
