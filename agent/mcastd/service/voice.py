"""Sends for one engine, and first asks whether a report would harm the kernel's sockets.

What takes something away at the routers is sent only when it has been looked up that nobody on this
host wants it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from mcastd.gmp.caution import TAKES_AWAY, without_harm
from mcastd.gmp.effects import Listening, ReportsMatter, SendLeave, SendRecords, SendReport
from mcastd.gmp.family import Address
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.gmp.time import Duration
from mcastd.service.observer import Observer
from mcastd.service.programs import Programs
from mcastd.service.transmit import Order, Transmitter

STOPPED_AT_ONCE = 1024
"""Groups for which other hosts' reports cease to matter, in one turn."""


class CareForKernel:
    """Of what an observer says, what would take away from the kernel's sockets.

    `is_known`: whether what these want could be looked up the last time.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.is_known = True

    def harmless(self, record: GroupRecord) -> GroupRecord | None:
        own = self._observer.host.groups.get(record.group, self._observer.nothing)
        others = self._observer.received.of_kernel(record.group) if self.is_known else None
        return without_harm(record, own, others)

    def may_leave(self, group: Address) -> bool:
        received = self._observer.received
        return self.is_known and group not in received.kernel and group not in received.groups

    def may_report(self, group: Address) -> bool:
        """In older versions one of the two answers for a group: the kernel, if it holds it."""
        return self._observer.is_holding or group not in self._observer.received.kernel


class Voice:
    """`fresh` has it looked up anew what the kernel's sockets want: done when it is known, with
    False if it could not be. `refresh` has the kernel report what it speaks for."""

    def __init__(
        self,
        transmitter: Transmitter,
        care: CareForKernel,
        fast_path: Programs,
        fresh: Callable[[], asyncio.Future[bool]],
        refresh: Callable[[Duration], None],
    ) -> None:
        self.transmitter = transmitter
        self._care = care
        self._fast_path = fast_path
        self._fresh = fresh
        self._refresh = refresh
        self._cautious: list[Order] = []
        self._delaying: set[Address] = set()
        self._stopping: set[Address] = set()
        self._handle: asyncio.Handle | None = None

    @property
    def is_busy(self) -> bool:
        return self.transmitter.is_busy

    def send(self, order: Order, *, urgent: bool = False) -> None:
        """`urgent`: before all that waits, whoever else may speak of the group."""
        if urgent and only_adds(order):
            self.transmitter.order_at_once(order)
        elif isinstance(order, SendReport):
            if self._care.may_report(order.group):
                self.transmitter.order(order)
        else:
            self._send_with_care(order)

    def _send_with_care(self, order: SendRecords | SendLeave) -> None:
        """At once what adds; what takes away waits until it is known whom it would harm."""
        if isinstance(order, SendLeave):
            self._wait(order)
            return
        if not order.is_state_change:
            self.transmitter.order(order)
            return
        adding, taking = apart(order.records)
        if adding:
            self.transmitter.order(SendRecords(tuple(adding), True))
        if taking:
            self._wait(SendRecords(tuple(taking), True))

    def _wait(self, order: Order) -> None:
        self._cautious.append(order)
        if len(self._cautious) == 1:
            self._fresh().add_done_callback(self._known)

    def _known(self, waited: asyncio.Future[bool]) -> None:
        """Those ordered meanwhile go, too: what is looked at is what is known by then."""
        if waited.cancelled():
            return
        self.send_what_waits(is_known=waited.result())

    def send_what_waits(self, *, is_known: bool) -> None:
        """`is_known`: what the kernel's sockets want has been looked up."""
        self._care.is_known = is_known
        waiting, self._cautious = self._cautious, []
        for order in waiting:
            self.transmitter.order(order)

    @property
    def waits(self) -> bool:
        """Whether something waits until it is known what the kernel's sockets want."""
        return bool(self._cautious)

    def refresh(self, within: Duration) -> None:
        self._refresh(within)

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
            self._delay(group, delaying=started)
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
            self._delay(self._stopping.pop(), delaying=False)
        self._handle = None
        if self._stopping:
            self._handle = asyncio.get_running_loop().call_soon(self._stop_some)

    def _delay(self, group: Address, *, delaying: bool) -> None:
        self._fast_path.delay(self.transmitter.place.index, group, delaying=delaying)


def only_adds(order: Order) -> bool:
    """Whether the order is short, and takes nothing away: what was due besides may be with it."""
    if isinstance(order, SendRecords):
        return not order.is_state_change and isinstance(order.records, tuple)
    return isinstance(order, SendReport)


def apart(records: Iterable[GroupRecord]) -> tuple[list[GroupRecord], list[GroupRecord]]:
    """Records that only add, and those that may take something away."""
    adding: list[GroupRecord] = []
    taking: list[GroupRecord] = []
    for record in records:
        widest = record.type is RecordType.CHANGE_TO_EXCLUDE_MODE and not record.sources
        (adding if record.type not in TAKES_AWAY or widest else taking).append(record)
    return adding, taking
