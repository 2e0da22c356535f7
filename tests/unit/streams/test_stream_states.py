"""States of streams, by a clock that is stepped by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from mcastd._native import ffi
from mcastd.gmp.filters import SourceFilter, exclude, include
from mcastd.gmp.time import Instant, seconds
from mcastd.native import SourceList
from mcastd.streams import Key
from mcastd.streams.states import Event, Outcome, State, StreamWatch, Watched

ETH0, ETH1 = 2, 3
GROUP, OTHER = bytes((239, 1, 1, 1)), bytes((239, 1, 1, 2))
SOURCE = bytes((10, 0, 0, 2))
NOBODY = SourceList(b"", 4)
RTP, NONE = 1, 0


class Joins:
    """Who wants what, as the test says."""

    def __init__(self) -> None:
        self.filters: dict[tuple[int, bytes], SourceFilter] = {}
        self.since = Instant(0)

    def filter_of(self, ifindex: int, group: bytes) -> SourceFilter | None:
        return self.filters.get((ifindex, group))

    def is_joined_elsewhere(self, ifindex: int, group: bytes) -> bool:
        return any(of == group and index != ifindex for index, of in self.filters)

    def reported(self) -> Iterator[tuple[int, bytes, Instant]]:
        return ((index, group, self.since) for index, group in list(self.filters))


class Network:
    """Streams that come as the test says, read once a second."""

    def __init__(self) -> None:
        self.joins = Joins()
        self.watch = StreamWatch(self.joins)
        self.now = seconds(100)
        self.events: list[tuple[State, State | None]] = []
        self.forgotten: list[bytes] = []
        self._streams: dict[Key, dict[str, int]] = {}

    def join(self, ifindex: int = ETH0, group: bytes = GROUP, *, only: bytes = b"") -> None:
        wanted = include(SourceList(only, 4)) if only else exclude(NOBODY)
        self.joins.filters[ifindex, group] = wanted

    def leave(self, ifindex: int = ETH0, group: bytes = GROUP) -> None:
        del self.joins.filters[ifindex, group]

    def sends(
        self, packets: int = 100, *, ifindex: int = ETH0, lost: int = 0, format: int = RTP
    ) -> None:
        """In the second that ends now."""
        key = Key(ifindex, (), SOURCE, GROUP, 5004)
        counts = self._streams.setdefault(
            key, {"packets": 0, "bytes": 0, "lost": 0, "received": 0, "first": self.now}
        )
        counts["packets"] += packets
        counts["bytes"] += 1000 * packets
        counts["received"] += packets
        counts["lost"] += lost
        counts["last"], counts["format"] = self.now, format

    def read(self, *, crowded: bool = False) -> Outcome:
        readings = [(key.pack(), packed(counts)) for key, counts in self._streams.items()]
        outcome = self.watch.take(Instant(self.now), readings, crowded=crowded)
        for gone in outcome.forgotten:
            del self._streams[Key.unpack(gone)]
        self.watch.end_turn()
        silence = self.watch.look_for_silence(Instant(self.now))
        self.events += [(each.state, each.before) for each in (*outcome.events, *silence)]
        self.forgotten += outcome.forgotten
        return outcome

    def pass_seconds(self, count: float, **sent: int) -> None:
        for _ in range(round(count)):
            self.now = seconds(self.now / 1e9 + 1)
            if sent:
                self.sends(**sent)
            self.read()

    def state(self) -> State:
        return self.stream.state

    @property
    def stream(self) -> Watched:
        (found,) = self.watch.streams.values()
        return found


def packed(counts: dict[str, int], gaps: int = 8) -> bytes:
    """All gaps are of one class."""
    made = ffi.new("struct mcast_stream *", counts)
    made.gaps[gaps] = max(0, counts["packets"] - 1)
    return bytes(ffi.buffer(made))


@pytest.fixture
def network() -> Network:
    return Network()


def test_a_stream_that_is_wanted_and_comes_is_live(network: Network) -> None:
    network.join()
    network.pass_seconds(5, packets=100)

    assert network.events == [(State.LIVE, None)]
    assert (network.stream.rate, network.stream.bit_rate) == (100, 800_000)


def test_a_rate_is_not_known_before_a_second_has_passed(network: Network) -> None:
    network.join()
    network.sends(100)
    network.read()
    network.now = seconds(100.5)
    network.sends(50)
    network.read()

    assert network.stream.rate is None


def test_what_stops_is_stalled_and_live_when_it_comes_again(network: Network) -> None:
    network.join()
    network.pass_seconds(2, packets=100)
    network.pass_seconds(3)
    assert network.state() is State.LIVE
    network.pass_seconds(1)
    assert network.state() is State.STALLED
    network.pass_seconds(1, packets=100)

    assert network.events == [
        (State.LIVE, None), (State.STALLED, State.LIVE), (State.LIVE, State.STALLED),
    ]  # fmt: skip


def test_a_slow_stream_is_live_for_ten_of_its_usual_gaps(network: Network) -> None:
    network.join()
    key, counts = Key(ETH0, (), SOURCE, GROUP, 5004), {"packets": 9, "last": seconds(100)}

    def state(after: float) -> State:
        value = packed(counts, gaps=14)  # of 1,024 ms
        network.watch.take(Instant(seconds(100 + after)), [(key.pack(), value)])
        return network.stream.state

    assert (state(10.2), state(10.3)) == (State.LIVE, State.STALLED)


@pytest.mark.parametrize(("lost", "state"), [(0, State.LIVE), (1, State.LIVE), (2, State.LOSSY)])
def test_a_stream_is_lossy_when_more_than_one_in_a_thousand_is_lost_in_ten_seconds(
    network: Network, lost: int, state: State
) -> None:
    network.join()
    network.pass_seconds(10, packets=100)
    network.pass_seconds(1, packets=100 - lost, lost=lost)

    assert network.state() is state


def test_a_stream_is_no_longer_lossy_ten_seconds_after_the_loss(network: Network) -> None:
    network.join()
    network.pass_seconds(3, packets=100)
    network.pass_seconds(1, packets=50, lost=50)
    network.pass_seconds(9, packets=100)
    assert network.state() is State.LOSSY
    network.pass_seconds(1, packets=100)

    assert network.state() is State.LIVE


def test_what_came_late_is_no_loss(network: Network) -> None:
    network.join()
    network.pass_seconds(3, packets=100)
    network.pass_seconds(1, packets=50, lost=50)
    network.pass_seconds(1, packets=150, lost=-50)

    assert network.state() is State.LIVE


def test_without_numbers_nothing_is_lossy(network: Network) -> None:
    network.join()
    network.pass_seconds(5, packets=100, lost=10, format=NONE)

    assert network.state() is State.LIVE


def test_what_nobody_has_joined_is_unwanted_and_forgotten_after_a_minute(
    network: Network,
) -> None:
    network.pass_seconds(2, packets=100)
    assert (network.stream.state, network.stream.joined) == (State.UNWANTED, False)
    network.pass_seconds(59)
    assert network.forgotten == []
    network.pass_seconds(1)

    assert network.watch.streams == {}
    assert network.forgotten == [Key(ETH0, (), SOURCE, GROUP, 5004).pack()]


def test_a_source_that_the_filter_does_not_let_through_is_unwanted(network: Network) -> None:
    network.join(only=bytes((10, 0, 0, 3)))
    network.pass_seconds(2, packets=100)

    assert network.state() is State.UNWANTED
    assert (network.stream.joined, network.stream.wanted) == (True, False)


def test_what_is_joined_on_another_interface_only_is_elsewhere(network: Network) -> None:
    network.join(ETH1)
    network.pass_seconds(2, packets=100)
    assert network.state() is State.ELSEWHERE
    network.join(ETH0)
    network.pass_seconds(1, packets=100)

    assert network.state() is State.LIVE


def test_a_joined_stream_is_never_forgotten_while_there_is_room(network: Network) -> None:
    network.join()
    network.pass_seconds(2, packets=100)
    network.pass_seconds(120)
    assert network.forgotten == []
    network.read(crowded=True)

    assert len(network.forgotten) == 1


def test_a_group_is_silent_when_nothing_comes_for_three_seconds(network: Network) -> None:
    network.join()
    network.joins.since = Instant(seconds(100))
    network.pass_seconds(3)
    assert network.events == []
    network.pass_seconds(2)
    assert network.events == [(State.SILENT, None)]
    network.pass_seconds(3, packets=1)

    assert network.events[1:] == [(State.LIVE, None)]
    assert network.watch.silent == {}


def test_a_group_that_was_left_is_not_silent(network: Network) -> None:
    network.join()
    network.pass_seconds(6)
    network.leave()
    network.pass_seconds(2)

    assert network.watch.silent == {}


def test_a_stream_has_at_most_one_event_a_second(network: Network) -> None:
    network.join()
    network.sends()
    network.read()
    for number in range(1, 10):
        network.now = seconds(100 + number / 10)
        (network.leave if number % 2 else network.join)()
        network.read()
    assert network.events == [(State.LIVE, None)]
    network.pass_seconds(1)

    assert network.events == [(State.LIVE, None), (State.UNWANTED, State.LIVE)]


def test_a_stream_that_has_gone_from_the_kernel_is_gone_here(network: Network) -> None:
    network.pass_seconds(2, packets=100)
    network.watch.end_turn()

    assert network.watch.streams == {}
    assert list(network.watch.of_group(ETH0, GROUP)) == []


def test_the_streams_of_an_interface_go_with_it(network: Network) -> None:
    network.pass_seconds(1, packets=1)
    network.pass_seconds(1, packets=1, ifindex=ETH1)

    assert network.watch.forget_interface(ETH0) == [Key(ETH0, (), SOURCE, GROUP, 5004).pack()]
    assert [each.key.ifindex for each in network.watch.streams.values()] == [ETH1]


def test_a_look_for_silence_is_bounded_whatever_is_joined(network: Network) -> None:
    for number in range(2000):
        network.join(group=bytes((239, 2, number >> 8, number & 255)))
    found: list[Event] = []
    sizes = []
    for _ in range(12):
        events = network.watch.look_for_silence(Instant(network.now))
        sizes.append(len(events))
        found += events

    assert max(sizes) <= 256
    assert len({each.subject for each in found}) == 2000


def test_a_turn_takes_no_longer_the_more_streams_there_are(network: Network) -> None:
    """256 of 4,096 streams, all of which have changed: the times of both are of this machine."""

    def turn(streams: int) -> float:
        watch, now = StreamWatch(network.joins), seconds(100)
        counts = {"packets": 5, "bytes": 5000, "last": now, "format": RTP}

        def readings(packets: int) -> list[tuple[bytes, bytes]]:
            value = packed(counts | {"packets": packets})
            return [
                (Key(ETH0, (), number.to_bytes(4), GROUP, 5004).pack(), value)
                for number in range(streams)
            ]

        watch.take(Instant(now), readings(5))
        some = readings(6)[:256]
        best = []
        for step in range(1, 6):
            started = time.perf_counter()
            watch.take(Instant(now + seconds(step)), some)
            best.append(time.perf_counter() - started)
        return min(best)

    assert turn(4096) < 10 * turn(256)
