"""Makes good for copies of the kernel's messages that were lost in a full ring.

A copy may have told that the kernel took something away at the routers that the agent holds. Which
group that was is not known, so all that the agent speaks for is said again; what the sockets want
is read anew in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mcastd.fastpath.counters import CAUSES, RINGS, Counters

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

    def rename(self, old: str, new: str) -> None:
        """Goes with the counters, which go on under the new name."""
        if old in self._seen and new not in self._seen:
            self._seen[new] = self._seen.pop(old)
            if old in self._waiting:
                self._waiting[new] = self._waiting.pop(old)


def lost_events(counters: Counters) -> dict[str, dict[str, int]]:
    """By ring and cause."""
    return {
        ring: dict(zip(CAUSES, counters.lost[index], strict=True))
        for index, ring in enumerate(RINGS)
    }


def by_ring_and_cause(counted: Mapping[str, Counters]) -> dict[str, dict[tuple[str, str], int]]:
    """Events that were lost, of each interface."""
    return {
        name: {
            (ring, cause): count
            for ring, causes in lost_events(values).items()
            for cause, count in causes.items()
        }
        for name, values in counted.items()
    }
