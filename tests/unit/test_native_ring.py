"""The reading end of a ring, on one made of plain memory: what the kernel does is done by hand."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator

import pytest
from mcastd._native import lib as abi
from mcastd.native import Captured, RingReader

PAGE = mmap.PAGESIZE
SIZE = PAGE
BUSY, DISCARD = 1 << 31, 1 << 30
HEAD = struct.Struct("=I4x")
EVENT = struct.Struct("=QIIIBB2xBBBB2HHHI")
"""struct mcast_event of bpf/abi.h."""

IPV4_SOURCE, IPV4_DESTINATION = bytes((192, 0, 2, 1)), bytes((224, 0, 0, 1))
GROUP = bytes((239, 1, 2, 3))


def event(at: int = 0, frame: bytes = b"frame", *, captured: int | None = None) -> bytes:
    length = len(frame) if captured is None else captured
    return EVENT.pack(at, 7, 1000, length, 0, 2, 3, 0, 1, 1, 5, 0, 14, 38, 12) + frame


class FakeRing:
    """A ring in a memory file: the consumer's page, the producer's, the data and its double."""

    def __init__(self, start: int = 0) -> None:
        self._fd = os.memfd_create("ring")
        os.ftruncate(self._fd, 2 * PAGE + 2 * SIZE)
        self._memory = mmap.mmap(self._fd, 0)
        self._memory[: 2 * PAGE] = bytes(2 * PAGE)
        self._produced = start
        self._set(0, start)
        self._set(PAGE, start)
        self.reader = RingReader(self._fd, SIZE)

    def _set(self, offset: int, value: int) -> None:
        struct.pack_into("=Q", self._memory, offset, value)

    @property
    def consumed(self) -> int:
        position: int = struct.unpack_from("=Q", self._memory, 0)[0]
        return position

    def put(self, record: bytes, flags: int = 0, *, length: int | None = None) -> int:
        """Appends a record; where it is."""
        at = self._produced
        content = HEAD.pack((len(record) if length is None else length) | flags) + record
        content += bytes(-len(content) % 8)
        self._write(at, content)
        self._produced += len(content)
        self._set(PAGE, self._produced)
        return at

    def finish(self, at: int, record: bytes) -> None:
        self._write(at, HEAD.pack(len(record)))

    def _write(self, at: int, content: bytes) -> None:
        """The data's double shows the same memory in the kernel's mapping."""
        for offset, byte in enumerate(content, at):
            for double in (0, SIZE):
                self._memory[2 * PAGE + offset % SIZE + double] = byte

    def drain(self, most: int = 100) -> list[int]:
        return [each.at for each in self.reader.drain(most)]

    def close(self) -> None:
        self.reader.close()
        self._memory.close()
        os.close(self._fd)


@pytest.fixture
def ring() -> Iterator[FakeRing]:
    made = FakeRing()
    yield made
    made.close()


def test_an_empty_ring_has_no_events(ring: FakeRing) -> None:
    assert ring.drain() == []
    assert ring.reader.waiting() == 0


def test_events_come_in_their_order_and_make_room(ring: FakeRing) -> None:
    for at in range(3):
        ring.put(event(at))
    assert ring.reader.waiting() > 0
    assert ring.drain() == [0, 1, 2]
    assert ring.reader.waiting() == 0
    assert ring.consumed == 3 * (8 + 48)


def test_no_more_are_taken_than_asked_for(ring: FakeRing) -> None:
    for at in range(3):
        ring.put(event(at))
    assert ring.drain(2) == [0, 1]
    assert ring.drain(2) == [2]
    assert ring.drain(0) == []


def test_a_discarded_record_is_passed_over(ring: FakeRing) -> None:
    ring.put(event(1), DISCARD)
    ring.put(event(2))
    assert ring.drain() == [2]


def test_a_producer_that_is_stuck_holds_up_what_comes_behind_it(ring: FakeRing) -> None:
    ring.put(event(1))
    stuck = ring.put(event(2), BUSY)
    ring.put(event(3))
    assert ring.drain() == [1]
    assert ring.drain() == []
    ring.finish(stuck, event(2))
    assert ring.drain() == [2, 3]


@pytest.mark.parametrize("start", [0, SIZE - 24, 5 * SIZE - 8, (1 << 63) - 16])
def test_events_go_on_over_the_end_of_the_ring(start: int) -> None:
    ring = FakeRing(start)
    for at in range(500):
        ring.put(event(at, bytes(at % 90)))
        assert ring.drain() == [at]
    ring.close()


def test_a_full_ring_is_read_to_its_end(ring: FakeRing) -> None:
    count = SIZE // 64
    for at in range(count):
        ring.put(event(at, bytes(16)))
    assert ring.reader.waiting() == SIZE
    assert ring.drain(count + 1) == list(range(count))


@pytest.mark.parametrize("length", [SIZE, 100, (1 << 30) - 1])
def test_a_length_beyond_what_is_written_is_not_believed(ring: FakeRing, length: int) -> None:
    ring.put(event(1), length=length)
    assert ring.drain() == []


@pytest.mark.parametrize("record", [b"", b"short", event(1, captured=6), event(1)[:-1]])
def test_a_record_too_short_for_its_event_is_passed_over(ring: FakeRing, record: bytes) -> None:
    ring.put(record)
    ring.put(event(2))
    assert ring.drain() == [2]


def test_an_event_tells_what_is_in_it() -> None:
    seen = Captured(event(99, b"frame and room", captured=5))
    assert (seen.at, seen.ifindex, seen.frame_length, seen.hook, seen.fate) == (99, 7, 1000, 0, 2)
    assert (seen.kind, seen.reason, seen.flags, seen.tags, seen.vlan) == (3, 0, 1, 1, (5,))
    assert (seen.network, seen.message, seen.length) == (14, 38, 12)
    assert seen.frame == b"frame"


@pytest.mark.parametrize(("tags", "vlan"), [(0, ()), (1, (5,)), (2, (5, 6)), (3, (5, 6))])
def test_an_event_has_as_many_identifiers_as_tags(tags: int, vlan: tuple[int, ...]) -> None:
    seen = Captured(EVENT.pack(0, 7, 0, 0, 0, 0, 3, 0, 0, tags, 5, 6, 14, 38, 12))
    assert seen.vlan == vlan


def kind_of_event(kind: int, frame: bytes) -> Captured:
    return Captured(EVENT.pack(0, 7, 0, len(frame), 0, 0, kind, 0, 0, 0, 0, 0, 0, 24, 12) + frame)


def test_an_event_tells_the_addresses_without_decoding_the_rest() -> None:
    ip = bytes(12) + IPV4_SOURCE + IPV4_DESTINATION + bytes(4)
    seen = kind_of_event(abi.MCAST_IGMP_QUERY_3, ip + bytes(4) + GROUP + bytes(4))
    assert (seen.source, seen.destination, seen.group) == (IPV4_SOURCE, IPV4_DESTINATION, GROUP)

    source, destination, group = bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48))
    head = EVENT.pack(0, 7, 0, 64, 0, 0, abi.MCAST_MLD_QUERY_2, 0, 0, 0, 0, 0, 0, 40, 28)
    seen = Captured(head + bytes(8) + source + destination + bytes(8) + group)
    assert (seen.source, seen.destination, seen.group) == (source, destination, group)


def test_an_address_that_was_not_captured_is_none() -> None:
    seen = kind_of_event(abi.MCAST_IGMP_QUERY_3, bytes(15))
    assert (seen.source, seen.destination, seen.group) == (None, None, None)


@pytest.mark.parametrize("kind", [abi.MCAST_IGMP_REPORT_3, abi.MCAST_IGMP_OTHER])
def test_a_message_that_is_about_no_one_group_has_none(kind: int) -> None:
    assert kind_of_event(kind, bytes(60)).group is None


def test_the_same_message_at_another_time_has_the_same_content() -> None:
    assert Captured(event(1)).content == Captured(event(2)).content
    assert Captured(event(1)).content != Captured(event(1, b"other")).content


def test_a_record_too_short_is_no_event() -> None:
    with pytest.raises(ValueError, match="too short"):
        Captured(b"short")


@pytest.mark.parametrize("size", [0, -1, 3, PAGE + 1])
def test_a_size_that_is_no_power_of_two_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        RingReader(0, size)


def test_what_cannot_be_mapped_is_an_error() -> None:
    with pytest.raises(OSError, match="Bad file descriptor"):
        RingReader(-1, PAGE)


def test_a_closed_ring_says_so(ring: FakeRing) -> None:
    ring.reader.close()
    ring.reader.close()
    for use in (lambda: ring.reader.drain(1), ring.reader.waiting):
        with pytest.raises(ValueError, match="closed"):
            use()
