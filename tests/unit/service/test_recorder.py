"""The flight recorder: what it keeps, in how much room, and for whom."""

from __future__ import annotations

from collections import Counter
from struct import pack

import pytest
from mcastd.fastpath.counters import ZERO
from mcastd.gmp.family import FAMILIES
from mcastd.gmp.filters import include
from mcastd.native import SourceList
from mcastd.service.events import Joined, LinkChanged, ProblemBegan
from mcastd.service.recorder import (
    COUNTER_BYTES,
    EVENT_BYTES,
    FRAME_BYTES,
    LONGEST_TEXT,
    Recorder,
    objects,
)


class Seen:
    """As much of an event of the ring as is recorded."""

    ifindex, fate = 2, 0

    def __init__(self, at: int, frame: bytes = bytes(60)) -> None:
        self.at, self.frame, self.frame_length = at, frame, len(frame)


def frame(recorder: Recorder, name: str, at: int, data: bytes = bytes(60)) -> None:
    recorder.frame(name, Seen(at, data), is_outbound=False)  # type: ignore[arg-type]


def test_the_last_messages_are_kept_and_the_oldest_go() -> None:
    recorder = Recorder()
    for number in range(20_000):
        frame(recorder, "eth0", number)
    kept = [each.at for _, each in recorder.frames()]
    assert kept[-1] == 19_999
    assert kept == list(range(kept[0], 20_000))
    assert FRAME_BYTES - 1000 < recorder.size <= FRAME_BYTES


def test_an_interface_that_floods_pushes_out_its_own_first() -> None:
    recorder = Recorder()
    for number in range(100):
        frame(recorder, "quiet", number)
    for number in range(50_000):
        frame(recorder, "flooded", number, bytes(number % 1500))
    found = Counter(name for name, _ in recorder.frames())
    assert found["quiet"] == 100
    assert recorder.size <= FRAME_BYTES


def test_many_interfaces_that_all_flood_share_the_room() -> None:
    recorder = Recorder()
    for number in range(50_000):
        frame(recorder, f"eth{number % 10}", number)
    found = Counter(name for name, _ in recorder.frames())
    assert len(found) == 10
    assert max(found.values()) < 2 * min(found.values())
    assert recorder.size <= FRAME_BYTES


def test_a_frame_of_any_length_is_cut_and_says_how_long_it_was() -> None:
    recorder = Recorder()
    frame(recorder, "eth0", 1, bytes(60_000))
    ((_, kept),) = recorder.frames()
    assert (kept.length, len(kept.data)) == (60_000, 2048)


def test_an_event_takes_bounded_room_whatever_is_in_it() -> None:
    recorder = Recorder()
    sources = SourceList(b"".join(pack(">I", number) for number in range(1, 4097)), 4)
    joined = Joined(bytes([239, 1, 1, 1]), "api:tuner", include(sources))
    for number in range(100):
        recorder.event(float(number), "eth0", joined, FAMILIES["igmp"])
    *_, last = recorder.events()
    assert last.at == 99.0
    assert last.fields() == {
        "interface": "eth0",
        "protocol": "igmp",
        "group": "239.1.1.1",
        "application": "api:tuner",
        "mode": "include",
        "sources": "4096 of them",
    }
    assert recorder.size <= EVENT_BYTES
    for number in range(10_000):
        recorder.event(float(number), "eth0", ProblemBegan("x" * 1000))
    *_, last = recorder.events()
    assert last.fields() == {
        "interface": "eth0",
        "state": "began",
        "text": "x" * LONGEST_TEXT + "...",
    }
    assert recorder.size <= EVENT_BYTES


def test_counters_are_kept_when_they_are_not_as_they_were() -> None:
    recorder = Recorder()
    more = ZERO._replace(held_back=(1, 2))
    for at, values in ((1.0, ZERO), (2.0, ZERO), (3.0, more)):
        recorder.count(at, {"eth0": values})
    assert [each.at for each in recorder.counters()] == [1.0, 3.0]
    for number in range(1_000):
        recorder.count(float(number), {"eth0": ZERO._replace(held_back=(number, 0))})
    assert recorder.size <= COUNTER_BYTES


@pytest.mark.parametrize(("only", "expected"), [(None, 6), ("eth0", 3), ("eth9", 0)])
def test_one_interface_or_all_are_told(only: str | None, expected: int) -> None:
    recorder = Recorder()
    for name in ("eth0", "eth1"):
        frame(recorder, name, 1)
        recorder.event(1.0, name, LinkChanged(is_running=True))
    recorder.count(1.0, {"eth0": ZERO, "eth1": ZERO})
    found = list(objects(recorder, only))
    assert len(found) == expected
    assert {each["kind"] for each in found} <= {"frame", "event", "counters"}
