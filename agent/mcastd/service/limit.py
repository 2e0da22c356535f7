"""Limits how often the log says the same, so that a forged flood cannot fill it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from mcastd.gmp.time import Instant, seconds

BURST = 5
EVERY = seconds(10)

MOST = 1000
"""Things that are remembered: names come and go."""


@dataclass(slots=True)
class _Said:
    left: float
    at: Instant
    suppressed: int = 0


class SayingLimit:
    """Lets each thing be said BURST times, then once in EVERY."""

    def __init__(self) -> None:
        self._said: dict[Hashable, _Said] = {}

    def may_say(self, thing: Hashable, now: Instant) -> int | None:
        """How often it was kept back since the last time; None if it must be now, too."""
        if thing not in self._said and len(self._said) >= MOST:
            self._forget(now)
        said = self._said.setdefault(thing, _Said(BURST, now))
        said.left = min(BURST, said.left + (now - said.at) / EVERY)
        said.at = now
        if said.left < 1:
            said.suppressed += 1
            return None
        said.left -= 1
        suppressed, said.suppressed = said.suppressed, 0
        return suppressed

    def _forget(self, now: Instant) -> None:
        """What may be said BURST times again, and if that is nothing, the one known the longest."""
        rested = [
            thing for thing, said in self._said.items() if now - said.at >= (BURST + 1) * EVERY
        ]
        for thing in rested or [next(iter(self._said))]:
            del self._said[thing]
