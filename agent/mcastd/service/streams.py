"""Streams of the agent's interfaces: read in turns, judged, told, and shown."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mcastd.fastpath.streams import Streams
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.time import Instant, seconds
from mcastd.service.answer_documents import StreamData
from mcastd.service.clock import now, wall_clock
from mcastd.service.events import StreamChanged
from mcastd.service.growing import Growing
from mcastd.service.happenings import Teller
from mcastd.service.interface import Interface
from mcastd.service.pairs import PairReader
from mcastd.service.programs import Programs
from mcastd.streams import StreamObject, as_object
from mcastd.streams.sample import address_text
from mcastd.streams.states import Event, Place, StreamWatch, Watched
from mcastd.streams.table import packed_formats

if TYPE_CHECKING:
    from mcastd.service.config import Settings

log = logging.getLogger("mcastd")

READ_EVERY = 1.0
"""Seconds between two readings of all streams; rates are those of a second or more."""

PIECE_EVERY = 0.01
"""Seconds between two pieces of a reading, in which others have their turn."""

LOOKED_UP_FOR = seconds(2)
"""How long it is remembered which interfaces receive a group."""

MOST_LOOKED_UP = 8192

CROWDED = 0.875
"""Of the room is taken: what is joined and no longer comes is forgotten, too."""


class Totals(NamedTuple):
    """Of one interface, of all streams that were ever seen there: they never go back."""

    packets: int = 0
    bytes: int = 0
    lost: int = 0
    fragments: int = 0
    untracked: int = 0


SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")
"""RFC 4291 §2.7.1: what the first 13 bytes of such a group are."""


def is_solicited_node(group: bytes) -> bool:
    """Whether Neighbor Solicitations alone go there: every address joins one, and no data comes."""
    return group.startswith(SOLICITED_NODE)


class Flow(NamedTuple):
    """What comes on an interface now: streams and silent groups by state, packets and bits a second
    of all streams together, and when the last packet came.
    """

    states: Counter[str]
    rate: float = 0.0
    bit_rate: float = 0.0
    last: int | None = None


class Joins:
    """Who wants what, by the agent's interfaces."""

    def __init__(self, interfaces: Mapping[int, Interface]) -> None:
        self._interfaces = interfaces
        self._receivers: dict[bytes, tuple[Instant, frozenset[int]]] = {}

    def filter_of(self, ifindex: int, group: bytes) -> SourceFilter | None:
        interface = self._interfaces.get(ifindex)
        if interface is None:
            return None
        return interface.of_width(len(group)).received.groups.get(group)

    def is_joined_elsewhere(self, ifindex: int, group: bytes) -> bool:
        """As it was a moment ago: there may be many interfaces, and groups can be forged."""
        known = self._receivers.get(group)
        if known is None or now() - known[0] > LOOKED_UP_FOR:
            if len(self._receivers) >= MOST_LOOKED_UP:
                self._receivers.clear()
            found = (each for each in self._interfaces if self.filter_of(each, group) is not None)
            known = self._receivers[group] = (now(), frozenset(found))
        return bool(known[1] - {ifindex})

    def reported(self) -> Iterator[tuple[int, bytes, Instant]]:
        """As the groups were when their interface's turn came."""
        for index, interface in list(self._interfaces.items()):
            if interface.attachment is None or not interface.attachment.streams:
                continue
            for observer in interface.observers.values():
                for group in list(observer.received.groups):
                    if observer.family.is_reportable(group) and not is_solicited_node(group):
                        since = observer.reported(group)
                        if since is not None:
                            yield index, group, observer.times.since(group) or since


class StreamReader:
    """Reads the streams of all interfaces that count them, and tells of their states."""

    def __init__(
        self, fast_path: Programs, interfaces: Mapping[int, Interface], teller: Teller
    ) -> None:
        self._fast_path = fast_path
        self._interfaces = interfaces
        self._teller = teller
        self.joins = Joins(interfaces)
        self.watch = StreamWatch(self.joins)
        self.pairs = PairReader(interfaces, teller)
        self._place: Any = None
        self._timer: asyncio.TimerHandle | None = None
        self._totals: dict[str, Counter[str]] = {}
        self.flows: dict[int, Flow] = {}
        """By interface, as it was when all streams had been read."""
        self.growing: Growing[str] = Growing()
        """Of what is counted by interface alone: fragments and untracked."""

    @property
    def is_counting(self) -> bool:
        return self._fast_path.streams is not None

    def configure(self, settings: Settings) -> None:
        """At the start, and when the files are read anew. OSError."""
        self.watch.lossy = settings.streams.lossy
        self.watch.stalled_after = settings.streams.stalled_after
        streams, problem = self._fast_path.streams, self._fast_path.streams_problem
        if streams is None:
            if settings.counts_streams and problem is not None:
                log.warning("streams are not counted: %s", problem)
            return
        formats = list(settings.streams.formats)
        streams.use_formats(packed_formats(formats), len(formats))
        self.pairs.configure(streams.pairs, settings)

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Reads from now on, on this loop."""
        if self.is_counting:
            self._timer = loop.call_later(READ_EVERY, self._piece)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _piece(self) -> None:
        """One bounded piece of work. The next one comes whatever becomes of this one."""
        streams = self._fast_path.streams
        assert streams is not None
        try:
            self._read_some(streams, now())
        except OSError:
            self._place = None  # begins anew when what is short is there again
            raise
        finally:
            pause = READ_EVERY if self._place is None else PIECE_EVERY
            self._timer = asyncio.get_running_loop().call_later(pause, self._piece)

    def _read_some(self, streams: Streams, at: Instant) -> None:
        """Some streams; when all were read, some of the groups. OSError."""
        found, self._place = streams.read(self._place)
        readings = [(bytes(key), bytes(value)) for key, value in found]
        before = {key: self.watch.streams.get(key) for key, _ in readings}
        counts = {key: _counts(each) for key, each in before.items()}
        crowded = len(self.watch.streams) > CROWDED * streams.room
        outcome = self.watch.take(at, readings, crowded=crowded)
        for key, _ in readings:
            self._add(key, counts[key])
        for key in outcome.forgotten:
            streams.forget(key)
        self._tell(outcome.events)
        if self._place is not None:
            return
        self.watch.end_turn()
        self.pairs.read(at)
        streams.tidy(self.watch.streams)
        self._tell(self.watch.look_for_silence(at))
        self.flows = self._flowing()
        self.growing.look(at, dict(self._rests()))

    def _add(self, packed: bytes, before: tuple[int, int, int]) -> None:
        """To the totals of the stream's interface, what has come since the last reading."""
        watched = self.watch.streams.get(packed)
        interface = self._interfaces.get(watched.key.ifindex) if watched else None
        if interface is None:
            return
        totals = self._totals.setdefault(interface.name, Counter())
        for name, old, new in zip(
            ("packets", "bytes", "lost"), before, _counts(watched), strict=True
        ):
            totals[name] += max(0, new - old)

    def _tell(self, changes: list[Event]) -> None:
        for each in changes:
            interface = self._interfaces.get(each.subject[0])
            if interface is not None:
                self._teller.announce(interface.name, StreamChanged(each))

    # Interfaces come and go.

    def forget(self, index: int) -> None:
        """The interface is not run any more: its streams' room is free."""
        streams = self._fast_path.streams
        gone = self.watch.forget_interface(index)
        if streams is not None:
            for key in gone:
                streams.forget(key)
            interface = self._interfaces.get(index)
            if interface is not None:
                self._keep_rest(interface.name, streams, index)

    def _keep_rest(self, name: str, streams: Streams, index: int) -> None:
        totals = self._totals.setdefault(name, Counter())
        for what, count in zip(("fragments", "untracked"), streams.rest(index), strict=True):
            totals[what] += count

    def rename(self, old: str, new: str) -> None:
        """What was counted of a device goes with it, to what is left of one that is gone."""
        self.growing.rename(old, new)
        before = self._totals.pop(old, None)
        if before is None:
            return
        if new in self._totals:
            self.growing.forget(new)  # together they are more than either was
        self._totals[new] = self._totals.get(new, Counter()) + before

    # What is shown.

    def totals(self, name: str, index: int | None) -> Totals:
        """Of an interface; also of one that is gone, without `index`."""
        kept, streams = self._totals.get(name, Counter()), self._fast_path.streams
        rest = (0, 0) if streams is None or index is None else streams.rest(index)
        return Totals(
            kept["packets"],
            kept["bytes"],
            kept["lost"],
            kept["fragments"] + rest[0],
            kept["untracked"] + rest[1],
        )

    def _rests(self) -> Iterator[tuple[str, dict[str, int]]]:
        for index, interface in self._interfaces.items():
            if interface.attachment is None or not interface.attachment.streams:
                continue
            totals = self.totals(interface.name, index)
            rest = {"fragments": totals.fragments, "untracked": totals.untracked}
            yield interface.name, rest

    def _flowing(self) -> dict[int, Flow]:
        states: dict[int, Counter[str]] = {}
        sums: dict[int, list[float]] = {}
        for watched in self.watch.streams.values():
            ifindex, last = watched.key.ifindex, watched.sample.last
            states.setdefault(ifindex, Counter())[watched.state.value] += 1
            of_interface = sums.setdefault(ifindex, [0.0, 0.0, 0])
            of_interface[0] += watched.rate or 0.0
            of_interface[1] += watched.bit_rate or 0.0
            of_interface[2] = max(of_interface[2], last)
        for ifindex, _ in self.watch.silent:
            states.setdefault(ifindex, Counter())["silent"] += 1
        flows = {each: Flow(counter) for each, counter in states.items()}
        for each, (rate, bit_rate, latest) in sums.items():
            flows[each] = Flow(states[each], rate, bit_rate, int(latest))
        return flows

    def flow(self, index: int | None) -> Flow:
        """Of an interface; nothing of one that is gone."""
        return self.flows.get(index or 0) or Flow(Counter())

    def objects(
        self, name: str | None = None, group: bytes | None = None
    ) -> Iterator[StreamObject]:
        """Streams, and the groups from which nothing comes, of one interface or all."""
        for interface in list(self._interfaces.values()):
            index = interface.index
            if index is None or name not in (None, interface.name):
                continue
            for each in list(self.watch.streams.values()):
                if each.key.ifindex == index and group in (None, each.key.group):
                    yield stream_object(interface.name, each)
            for place in list(self.watch.silent):
                if place[0] == index and group in (None, place[1]):
                    yield silent_object(interface.name, place)

    def last_data(self, index: int | None, group: bytes) -> StreamData:
        """Rate and last packet of a group's streams together; {} where none are counted."""
        interface = None if index is None else self._interfaces.get(index)
        if interface is None or not interface.attachment or not interface.attachment.streams:
            return {}
        assert index is not None
        found = list(self.watch.of_group(index, group))
        rates = [each.rate for each in found if each.rate is not None]
        last = max((each.sample.last for each in found), default=None)
        return {
            "rate": sum(rates) if rates else None,
            "last_data": None if last is None else wall_clock(Instant(last)),
        }


def _counts(watched: Watched | None) -> tuple[int, int, int]:
    if watched is None:
        return 0, 0, 0
    sample = watched.sample
    return sample.packets, sample.size, sample.lost or 0


def stream_object(interface: str, watched: Watched) -> StreamObject:
    sample = watched.sample
    made = as_object(
        watched.key,
        sample,
        interface=interface,
        rate=None if watched.rate is None else round(watched.rate, 1),
        bit_rate=None if watched.bit_rate is None else round(watched.bit_rate),
        state=watched.state.value,
        joined=watched.joined,
        wanted=watched.wanted,
    )
    made["first"] = wall_clock(Instant(sample.first))
    made["last"] = wall_clock(Instant(sample.last))
    return made


def silent_object(interface: str, place: Place) -> StreamObject:
    """A group from which nothing comes: it has neither source nor port."""
    return {
        "interface": interface,
        "vlan": [],
        "source": None,
        "group": address_text(place[1]),
        "port": None,
        "packets": 0, "bytes": 0, "first": None, "last": None, "rate": None, "bit_rate": None,
        "longest_gap": None, "gaps": {}, "format": "none", "lost": None, "reordered": None,
        "duplicates": None, "resets": None,
        "state": "silent",
        "joined": True,
        "wanted": True,
    }  # fmt: skip
