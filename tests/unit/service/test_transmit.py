"""What the engine orders, as frames: their order, their coalescing, their bursts."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest
from mcastd.gmp.counters import IGMP_COUNTERS, Statistics
from mcastd.gmp.effects import SendLeave, SendRecords, SendReport
from mcastd.gmp.family import IGMP
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.native import SourceList
from mcastd.service.transmit import BURST, BUSY, Place, Transmitter, frame, multicast_mac

ETHERNET, IPV4 = 14, 24


class Wire:
    """Takes frames as a packet socket does, and gives them back."""

    def __init__(self) -> None:
        self._near, self._far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
        self._far.setblocking(False)
        self.is_up = True

    def send(self, index: int, content: bytes) -> bool:
        if self.is_up:
            self._near.send(content)
        return self.is_up

    def taken(self) -> list[bytes]:
        """IGMP messages, without the headers around them."""
        found = []
        while True:
            try:
                found.append(self._far.recv(65536)[ETHERNET + IPV4 :])
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._near.close()
        self._far.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


@pytest.fixture
def statistics() -> Statistics:
    return Statistics(IGMP_COUNTERS)


def transmitter(wire: Wire, statistics: Statistics, mtu: int = 1500) -> Transmitter:
    place = Place(7, bytes(6), mtu, {"igmp": IGMP.parse("192.0.2.10")})
    return Transmitter(IGMP, place, wire, statistics)


def change(group: int, *sources: str) -> SendRecords:
    listed = SourceList.of(map(IGMP.parse, sources), 4)
    record = GroupRecord(
        RecordType.ALLOW_NEW_SOURCES, bytes((239, 1, group >> 8, group & 255)), listed
    )
    return SendRecords([record], True)


def run(*orders: SendRecords | SendReport | SendLeave, of: Transmitter, turns: float = 0.2) -> None:
    async def turn() -> None:
        for order in orders:
            of.order(order)
        await asyncio.sleep(turns)

    asyncio.run(turn())


def groups_of(report: bytes) -> list[bytes]:
    """Of an IGMPv3 report whose records have one source each."""
    count = int.from_bytes(report[6:8], "big")
    return [report[8 + 12 * i + 4 : 8 + 12 * i + 8] for i in range(count)]


def test_changes_of_one_turn_share_a_report(wire: Wire, statistics: Statistics) -> None:
    run(*(change(each, "10.0.0.2") for each in range(5)), of=transmitter(wire, statistics))
    (report,) = wire.taken()
    assert groups_of(report) == [bytes((239, 1, 0, each)) for each in range(5)]
    assert statistics.as_mapping()["igps_snd_reports"] == 1


def test_two_changes_of_a_group_stay_apart_and_in_order(wire: Wire, statistics: Statistics) -> None:
    orders = (change(1, "10.0.0.2"), change(2, "10.0.0.2"), change(1, "10.0.0.3"))
    run(*orders, of=transmitter(wire, statistics))
    first, second = wire.taken()
    assert [group[3] for group in groups_of(first)] == [1, 2]
    assert [group[3] for group in groups_of(second)] == [1]
    assert second.endswith(IGMP.parse("10.0.0.3"))


def test_older_messages_keep_their_order(wire: Wire, statistics: Statistics) -> None:
    group = IGMP.parse("239.1.1.1")
    orders = (SendReport(2, group), SendLeave(2, group), SendReport(1, group))
    run(*orders, of=transmitter(wire, statistics))
    assert [each[0] for each in wire.taken()] == [0x16, 0x17, 0x12]


@pytest.mark.parametrize("count", [BURST - 1, BURST, BURST + 1, 5 * BURST])
def test_a_long_report_goes_out_whole_over_many_bursts(
    wire: Wire, statistics: Statistics, count: int
) -> None:
    """Each of these packets holds one record's 35 sources: the MTU is small."""
    mtu = 20 + 4 + 8 + 8 + 35 * 4
    sources = [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}" for i in range(1, 35 * count + 1)]
    run(change(1, *sources), of=transmitter(wire, statistics, mtu), turns=0.5)
    taken = wire.taken()
    assert len(taken) == count
    told = b"".join(each[16:] for each in taken)
    assert told == b"".join(map(IGMP.parse, sources))
    assert statistics.as_mapping()["igps_snd_reports"] == count


def test_bursts_have_pauses(wire: Wire, statistics: Statistics) -> None:
    of = transmitter(wire, statistics)

    async def turn() -> int:
        for each in range(3 * BURST):
            of.order(SendReport(2, bytes((239, 1, 0, each))))
        await asyncio.sleep(0)
        return len(wire.taken())

    assert asyncio.run(turn()) == BURST


def test_what_is_not_taken_is_counted(wire: Wire, statistics: Statistics) -> None:
    wire.is_up = False
    run(change(1, "10.0.0.2"), of=transmitter(wire, statistics))
    counted = statistics.as_mapping()
    assert (counted["igps_snd_errors"], counted["igps_snd_reports"]) == (1, 0)


def test_a_flush_sends_at_once(wire: Wire, statistics: Statistics) -> None:
    of = transmitter(wire, statistics)

    async def turn() -> None:
        of.order(change(1, "10.0.0.2"))
        of.flush()

    asyncio.run(turn())
    assert len(wire.taken()) == 1


def test_frames_go_to_their_groups() -> None:
    assert multicast_mac(IGMP.parse("224.0.0.22")) == bytes.fromhex("01005e000016")
    assert multicast_mac(IGMP.parse("239.129.2.3")) == bytes.fromhex("01005e010203")
    assert multicast_mac(bytes.fromhex("ff02" + "00" * 12 + "0016")) == bytes.fromhex(
        "333300000016"
    )
    packet = bytes(16) + IGMP.parse("239.1.2.3")
    own = bytes.fromhex("020000000001")
    assert frame(packet, own, 4) == bytes.fromhex("01005e010203") + own + b"\x08\x00" + packet


def test_it_is_busy_while_much_waits(wire: Wire, statistics: Statistics) -> None:
    of = transmitter(wire, statistics)

    async def turn() -> list[bool]:
        seen = [of.is_busy]
        for each in range(BUSY + 1):
            of.order(SendReport(2, bytes((239, 1, each >> 8, each & 255))))
        seen.append(of.is_busy)
        of.flush()
        return [*seen, of.is_busy]

    assert asyncio.run(turn()) == [False, True, False]
    assert len(wire.taken()) == BUSY + 1
