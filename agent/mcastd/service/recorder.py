"""Records the last control messages, events and counters, in bounded memory.

What is kept costs the same whatever there is already: one entry is put in, and as many taken out as
have no room any more. An interface that floods pushes out what is its own first.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, cast

from mcastd.fastpath.counters import Counters
from mcastd.fastpath.ring import Captured, Fate
from mcastd.gmp.family import ProtocolFamily
from mcastd.gmp.time import Instant
from mcastd.service.clock import wall_clock
from mcastd.service.describe import family_fields, interface_fields, name_of
from mcastd.service.documents import Json, JsonObject
from mcastd.service.events import FamilyEvent, InterfaceEvent

FRAME_BYTES = 448 * 1024
EVENT_BYTES = 320 * 1024
COUNTER_BYTES = 256 * 1024
"""1 MiB together."""

ENTRY_BYTES = 200
"""What an entry takes beside what is in it."""

LONGEST_FRAME = 2048
"""Bytes of one that are kept."""

LONGEST_TEXT = 120
"""Characters of a field."""

EVENT_BYTES_EACH = 500
ADDRESS_BYTES = 16
"""What an event takes beside its text, and each source in it."""


class FrameKept(NamedTuple):
    """`fate`: what became of it, as `watch` tells."""

    at: int
    is_outbound: bool
    fate: int
    length: int
    data: bytes


class EventKept(NamedTuple):
    """`family`: None for what concerns the interface as a whole."""

    at: float
    interface: str
    family: ProtocolFamily | None
    event: FamilyEvent | InterfaceEvent

    def fields(self) -> JsonObject:
        """As `watch` shows them, but for lists and long texts."""
        head: JsonObject = {"interface": self.interface}
        if self.family is None:
            own = interface_fields(cast(InterfaceEvent, self.event))
        else:
            head["protocol"] = self.family.name
            own = family_fields(self.family, cast(FamilyEvent, self.event))
        return head | {key: shortened(value) for key, value in own.items()}


class CountersKept(NamedTuple):
    """All numbers, in the order of `Counters`."""

    at: float
    interface: str
    numbers: array[int]


class Recorder:
    """Of one agent."""

    def __init__(self) -> None:
        self._frames: dict[str, deque[FrameKept]] = {}
        self._sizes: dict[str, int] = {}
        self._frame_bytes = 0
        self._largest = ""
        self._events: deque[EventKept] = deque()
        self._event_bytes = 0
        self._counters: deque[CountersKept] = deque()
        self._counter_bytes = 0
        self._counted: dict[str, Counters] = {}

    @property
    def size(self) -> int:
        """Bytes that are taken, about."""
        return self._frame_bytes + self._event_bytes + self._counter_bytes

    # Frames.

    def frame(self, name: str, captured: Captured, *, is_outbound: bool) -> None:
        """A control message as it was at the NIC of the interface of this name."""
        data = bytes(captured.frame[:LONGEST_FRAME])
        kept = FrameKept(captured.at, is_outbound, captured.fate, captured.frame_length, data)
        frames = self._frames.get(name)
        if frames is None:
            frames, self._sizes[name] = self._frames.setdefault(name, deque()), 0
        frames.append(kept)
        self._grow(name, ENTRY_BYTES + len(data))
        while self._frame_bytes > FRAME_BYTES:
            self._drop_frame(name)

    def _grow(self, name: str, size: int) -> None:
        self._sizes[name] += size
        self._frame_bytes += size
        if self._sizes[name] > self._sizes.get(self._largest, 0):
            self._largest = name

    def _drop_frame(self, writer: str) -> None:
        """The oldest of who has most; of who writes, if that has no more."""
        name = self._largest if self._frames.get(self._largest) else writer
        gone = self._frames[name].popleft()
        self._grow(name, -(ENTRY_BYTES + len(gone.data)))
        if not self._frames[name]:
            del self._frames[name], self._sizes[name]

    def frames(self) -> Iterator[tuple[str, FrameKept]]:
        """With the interface's name, in their order for each."""
        for name, frames in list(self._frames.items()):
            for each in list(frames):
                yield name, each

    # Events.

    def event(
        self,
        at: float,
        interface: str,
        event: FamilyEvent | InterfaceEvent,
        family: ProtocolFamily | None = None,
    ) -> None:
        """What happened, as it is: text is made of it by who reads it."""
        kept = EventKept(at, interface, family, event)
        self._events.append(kept)
        self._event_bytes += cost_of(kept)
        while self._event_bytes > EVENT_BYTES:
            self._event_bytes -= cost_of(self._events.popleft())

    def events(self) -> Iterator[EventKept]:
        return iter(list(self._events))

    # Counters.

    def count(self, at: float, counted: Mapping[str, Counters]) -> None:
        """Those of the interfaces that are not as they were; such that are gone are forgotten."""
        for name, values in counted.items():
            if self._counted.get(name) != values:
                self._keep_counters(CountersKept(at, name, array("Q", numbers(values))))
        self._counted = dict(counted)

    def _keep_counters(self, kept: CountersKept) -> None:
        self._counters.append(kept)
        self._counter_bytes += size_of(kept)
        while self._counter_bytes > COUNTER_BYTES:
            self._counter_bytes -= size_of(self._counters.popleft())

    def counters(self) -> Iterator[CountersKept]:
        return iter(list(self._counters))


def shortened(value: object) -> Json:
    """A number as it is, a text cut, and of anything else how many there are."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}..."
    if isinstance(value, list | tuple | dict):
        return f"{len(value)} of them"
    return type(value).__name__


def cost_of(kept: EventKept) -> int:
    """Bytes, about and at the most."""
    event = kept.event
    held = getattr(event, "filter", None)
    sources = len(held.sources) if held is not None else 0
    return EVENT_BYTES_EACH + len(getattr(event, "text", "")) + ADDRESS_BYTES * sources


def size_of(kept: CountersKept) -> int:
    return ENTRY_BYTES + kept.numbers.itemsize * len(kept.numbers)


def numbers(values: Iterable[object]) -> Iterator[int]:
    """All of nested tuples."""
    for each in values:
        if isinstance(each, int):
            yield each
        elif isinstance(each, Iterable):
            yield from numbers(each)


def objects(recorder: Recorder, only: str | None = None) -> Iterator[JsonObject]:
    """As JSON: frames, then events, then counters, each kind in the order in which it came.

    `only`: of one interface.
    """
    for name, frame in recorder.frames():
        if only in (None, name):
            yield {
                "kind": "frame",
                "ts_ns": round(wall_clock(Instant(frame.at)) * 1e9),
                "interface": name,
                "direction": "tx" if frame.is_outbound else "rx",
                "fate": Fate(frame.fate).name.lower(),
                "length": frame.length,
                "data": frame.data.hex(),
            }
    for event in recorder.events():
        if only in (None, event.interface):
            name = name_of(event.event)
            yield {"kind": "event", "ts": event.at, "event": name, "fields": event.fields()}
    for kept in recorder.counters():
        if only in (None, kept.interface):
            yield {
                "kind": "counters",
                "ts": kept.at,
                "interface": kept.interface,
                "numbers": list(kept.numbers),
            }
