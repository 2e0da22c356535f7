"""Copies of what the kernel said that could not be handed over: what they told is made good.

A copy may have told that the kernel took something away at the routers that the agent holds. Which
group that was is not known, so all that the agent speaks for is said again; what the sockets want
is read anew in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mcastd.fastpath.counters import CAUSES, RINGS, Counters
from mcastd.gmp.time import Instant

EGRESS = RINGS.index("egress")

PATIENCE = 5
"""Looks: until then it is waited for the end of the losses, so that all is said again once."""


class Losses:
    """By interface."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._waiting: dict[str, int] = {}

    def look(self, counted: Mapping[str, Counters]) -> Iterator[str]:
        """The interfaces on which copies were lost, and no more are now; or for too long."""
        for name, values in counted.items():
            lost = sum(values.lost[EGRESS])
            grown = lost > self._seen.get(name, 0)
            self._seen[name] = lost
            if grown:
                self._waiting[name] = self._waiting.get(name, 0) + 1
            if name in self._waiting and (not grown or self._waiting[name] >= PATIENCE):
                del self._waiting[name]
                yield name
        for name in self._seen.keys() - counted.keys():
            del self._seen[name]
            self._waiting.pop(name, None)


class Lost(NamedTuple):
    """Events that were not handed over: all, and when the number was seen to have grown last."""

    number: int
    at: Instant


class LastLosses:
    """By interface, ring and cause, when events were lost last. What was lost before the first look
    at an interface has no time."""

    def __init__(self) -> None:
        self._seen: dict[str, Counters] = {}
        self._last: dict[str, dict[tuple[str, str], Lost]] = {}

    def of(self, interface: str) -> Mapping[tuple[str, str], Lost]:
        return self._last.get(interface, {})

    def look(self, now: Instant, counted: Mapping[str, Counters]) -> None:
        for name in self._seen.keys() - counted.keys():
            self._last.pop(name, None)
        for name, values in counted.items():
            before = self._seen.get(name, values)
            for index, ring in enumerate(RINGS):
                causes = zip(CAUSES, values.lost[index], before.lost[index], strict=True)
                for cause, count, earlier in causes:
                    if count > earlier:
                        self._last.setdefault(name, {})[ring, cause] = Lost(count, now)
        self._seen = dict(counted)

    def rename(self, old: str, new: str) -> None:
        """Goes with the counters, which go on under the new name."""
        if old in self._seen and new not in self._seen:
            self._seen[new] = self._seen.pop(old)
            if old in self._last:
                self._last[new] = self._last.pop(old)
