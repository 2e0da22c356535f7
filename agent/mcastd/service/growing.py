"""Notes when counters that mean trouble last grew. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

from mcastd.gmp.time import Instant

K = TypeVar("K")


class Grown(NamedTuple):
    """The counter, and when it was seen to have grown last."""

    number: int
    at: Instant


class Growing(Generic[K]):
    """Counters of each interface by name. What they were at the first look has no time."""

    def __init__(self) -> None:
        self._seen: dict[str, Mapping[K, int]] = {}
        self._last: dict[str, dict[K, Grown]] = {}

    def of(self, interface: str) -> Mapping[K, Grown]:
        """Those that have grown since the first look at the interface."""
        return self._last.get(interface, {})

    def look(self, now: Instant, counted: Mapping[str, Mapping[K, int]]) -> None:
        """At all interfaces that there are: of others all is forgotten."""
        for name in self._seen.keys() - counted.keys():
            self._last.pop(name, None)
        for name, counters in counted.items():
            before = self._seen.get(name, counters)
            for key, number in counters.items():
                if number > before.get(key, 0):
                    self._last.setdefault(name, {})[key] = Grown(number, now)
        self._seen = dict(counted)

    def rename(self, old: str, new: str) -> None:
        """Goes with the counters, which go on under the new name."""
        if old in self._seen and new not in self._seen:
            self._seen[new] = self._seen.pop(old)
            if old in self._last:
                self._last[new] = self._last.pop(old)

    def forget(self, interface: str) -> None:
        """What its counters were; the next look is the first."""
        self._seen.pop(interface, None)
