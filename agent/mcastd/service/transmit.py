"""Sends what the engine wants sent: makes frames late, in order, and in paced bursts."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Protocol

from mcastd.gmp.counters import Statistics
from mcastd.gmp.effects import SendLeave, SendRecords, SendReport
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.records import GroupRecord
from mcastd.wire import can_send, leave, membership_report, report_packets

log = logging.getLogger("mcastd")

BURST = 64
PAUSE_SECONDS = 0.002
"""Frames at once, and between bursts: queues of NICs and switches are short."""

WAITING = 100_000
"""Orders kept at the most while the link does not take them."""

BUSY = 1024
"""Orders: with more of them waiting, no others should be made that can be made later."""

MERGED = 4096
"""Records of single orders that share reports."""

Order = SendRecords | SendReport | SendLeave

Framed = tuple[bool, bytes]
"""Whether it is of records, which only the sender can count, and the frame."""

SO_PRIORITY, TC_PRIO_CONTROL = 12, 7
"""The kernel's own reports have it: on a link that is full they do not wait for streams."""

ETHERTYPES = {4: 0x0800, 16: 0x86DD}


def multicast_mac(group: Address) -> bytes:
    """Where a group's packets go on Ethernet (RFC 1112 §6.4, RFC 2464 §7)."""
    if len(group) == 4:
        return b"\x01\x00\x5e" + bytes([group[1] & 0x7F]) + group[2:]
    return b"\x33\x33" + group[12:]


def frame(packet: bytes, hardware_address: bytes, width: int) -> bytes:
    """An Ethernet frame to the multicast address that the packet goes to."""
    destination = packet[16:20] if width == 4 else packet[24:40]
    head = multicast_mac(destination) + hardware_address
    return head + ETHERTYPES[width].to_bytes(2, "big") + packet


@dataclass(slots=True)
class Place:
    """Where to send from; `source` by family: all zeros if there is no address."""

    index: int
    hardware_address: bytes
    mtu: int
    sources: dict[str, Address]


class Sending(Protocol):
    def send(self, index: int, content: bytes) -> bool:
        """Whether it was taken."""


class FrameSender(Sending, Protocol):
    """Sends frames by a socket whose own the programs let pass."""

    @property
    def socket(self) -> socket.socket: ...

    def close(self) -> None: ...


class Sender:
    """One packet socket for all interfaces, whose frames the egress program lets pass."""

    def __init__(self) -> None:
        """OSError if packet sockets are not permitted."""
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_PRIORITY, TC_PRIO_CONTROL)
        self.errors: Counter[int] = Counter()

    def send(self, index: int, content: bytes) -> bool:
        """Whether the kernel took it. Errors are counted by errno and never fatal."""
        try:
            self.socket.sendto(content, (socket.if_indextoname(index), 0))
        except OSError as error:
            self.errors[error.errno or 0] += 1
            return False
        return True

    def close(self) -> None:
        self.socket.close()


class Care(Protocol):
    """For others on this host, from whom nothing may be taken away."""

    def harmless(self, record: GroupRecord) -> GroupRecord | None:
        """The record less what others want; None if nothing is left of it."""

    def may_leave(self, group: Address) -> bool:
        """Whether nobody here wants the group."""


class Careless:
    """There are no others."""

    def harmless(self, record: GroupRecord) -> GroupRecord | None:
        return record

    def may_leave(self, _group: Address) -> bool:
        return True


class Transmitter:
    """One family's messages on one interface. `care` is asked when each is sent."""

    def __init__(
        self,
        family: ProtocolFamily,
        place: Place,
        sender: Sending,
        statistics: Statistics,
        care: Care | None = None,
    ) -> None:
        self.place = place
        self._care = care or Careless()
        self._statistics = statistics
        self._family = family
        self._sender = sender
        self._orders: deque[Order] = deque()
        self._frames: Iterator[Framed] = iter(())
        self._handle: asyncio.Handle | None = None

    def order(self, order: Order) -> None:
        """Sends it after what was ordered before, at the end of this turn of the loop."""
        if len(self._orders) >= WAITING:
            self._statistics.failed_to_send()
            return
        self._orders.append(order)
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_soon(self._burst)

    def order_at_once(self, order: Order) -> None:
        """Sends it before all that waits."""
        self._send(self._frames_of(order))

    @property
    def is_busy(self) -> bool:
        return len(self._orders) > BUSY

    def _burst(self) -> None:
        loop = asyncio.get_running_loop()
        burst = list(islice(chain(self._frames, self._next_frames()), BURST))
        self._send(burst)
        more = len(burst) == BURST
        self._handle = loop.call_later(PAUSE_SECONDS, self._burst) if more else None

    def _send(self, frames: Iterable[Framed]) -> None:
        for of_records, content in frames:
            if not self._sender.send(self.place.index, content):
                self._statistics.failed_to_send()
            elif of_records:
                self._statistics.sent_records(1)

    def _next_frames(self) -> Iterator[Framed]:
        """Makes frames of one order after the other, as they are asked for."""
        while self._orders:
            self._frames = self._frames_of(self._orders.popleft())
            # Not `yield from`, which would end them when this generator is dropped between bursts.
            for each in self._frames:  # noqa: UP028
                yield each

    def _frames_of(self, order: Order) -> Iterator[Framed]:
        family, place = self._family, self.place
        if not can_send(family, place.mtu):
            self._statistics.failed_to_send()
            return
        source = place.sources[family.name]
        match order:
            case SendRecords():
                packets: Iterable[bytes] = report_packets(
                    family, self._records(order), source, place.mtu
                )
            case SendReport(version, group):
                packets = [membership_report(family, version, group, source)]
            case SendLeave(_, group):
                packets = [leave(family, group, source)] if self._care.may_leave(group) else []
        for packet in packets:
            yield (
                isinstance(order, SendRecords),
                frame(packet, place.hardware_address, family.address_width),
            )

    def _records(self, order: SendRecords) -> Iterable[GroupRecord]:
        """The order's records, and those of the changes right behind it about other groups.

        Of changes only what takes nothing away from others.
        """
        if not order.is_state_change:
            return order.records
        harmless = map(self._care.harmless, self._merged(order))
        return [record for record in harmless if record is not None]

    def _merged(self, order: SendRecords) -> Iterable[GroupRecord]:
        records = list(order.records)
        told = {record.group for record in records}
        while self._orders and len(records) < MERGED:
            following = self._orders[0]
            if not isinstance(following, SendRecords) or not following.is_state_change:
                break
            more = list(following.records)
            groups = {record.group for record in more}
            if told & groups:
                self._orders[0] = SendRecords(more, True)
                break
            self._orders.popleft()
            told |= groups
            records += more
        return records

    def flush(self) -> None:
        """Sends at once what is ordered: there will be no other turn."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._send(chain(self._frames, self._next_frames()))
