"""Deadlines by key, in one heap; stopped and moved ones vanish when they come to its top."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from heapq import heapify, heappop, heappush
from typing import Any, Generic, Protocol, TypeVar

from mcastd.gmp.time import Instant


class Ordered(Hashable, Protocol):
    """Keys decide which of two timers due at the same instant goes first."""

    def __lt__(self, other: Any, /) -> bool: ...


Key = TypeVar("Key", bound=Ordered)

SLACK = 64
"""Dead entries that are always tolerated, so that a small heap is not rebuilt all the time."""


class Timers(Generic[Key]):
    """At most one running timer a key; starting it again moves it.

    A heap entry is alive if it says what `_deadlines` says. Dead ones are at most as many as the
    living, and `SLACK`; so no sequence of starts and stops makes the heap grow without bound.
    """

    __slots__ = ("_deadlines", "_heap")

    def __init__(self) -> None:
        self._deadlines: dict[Key, Instant] = {}
        self._heap: list[tuple[Instant, Key]] = []

    def __len__(self) -> int:
        return len(self._deadlines)

    def __contains__(self, key: Key) -> bool:
        return key in self._deadlines

    def start(self, key: Key, deadline: Instant) -> None:
        self._deadlines[key] = deadline
        heappush(self._heap, (deadline, key))
        self._compact()

    def start_all(self, batch: Sequence[tuple[Instant, Key]]) -> None:
        """Starts many at once, in linear time where they outnumber what is running."""
        if len(batch) * 8 < len(self._heap):
            for deadline, key in batch:
                self.start(key, deadline)
            return
        self._deadlines.update((key, deadline) for deadline, key in batch)
        self._heap.extend(batch)
        heapify(self._heap)
        self._compact()

    def stop(self, key: Key) -> bool:
        """Whether it was running."""
        running = self._deadlines.pop(key, None) is not None
        if running:
            self._compact()
        return running

    def deadline(self, key: Key) -> Instant | None:
        return self._deadlines.get(key)

    def next_deadline(self) -> Instant | None:
        """The earliest of all that run."""
        heap, deadlines = self._heap, self._deadlines
        while heap:
            deadline, key = heap[0]
            if deadlines.get(key) == deadline:
                return deadline
            heappop(heap)
        return None

    def pop_due(self, until: Instant) -> Key | None:
        """Stops the earliest timer if it is due by `until`; returns its key."""
        deadline = self.next_deadline()
        if deadline is None or deadline > until:
            return None
        key = heappop(self._heap)[1]
        del self._deadlines[key]
        return key

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._deadlines) + SLACK:
            self._heap = [(deadline, key) for key, deadline in self._deadlines.items()]
            heapify(self._heap)
