"""Chance as a scenario writes it: the same delays in every run."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mcastd.gmp.delays import Delays, RandomDelays
from mcastd.gmp.time import Duration, milliseconds


@dataclass(frozen=True, slots=True)
class Shortest:
    """Every delay is 1 ms."""

    def begin(self) -> Delays:
        return self

    def draw(self, limit: Duration) -> Duration:
        return min(limit, milliseconds(1))


@dataclass(frozen=True, slots=True)
class Fractions:
    """Each delay is a fraction of its limit: these in order, the last one for ever."""

    fractions: tuple[float, ...]

    def begin(self) -> Delays:
        return _Running(self.fractions)


class _Running:
    def __init__(self, fractions: tuple[float, ...]) -> None:
        self._left = list(reversed(fractions))

    def draw(self, limit: Duration) -> Duration:
        fraction = self._left.pop() if len(self._left) > 1 else self._left[0]
        return Duration(max(1, round(limit * fraction))) if limit else limit


@dataclass(frozen=True, slots=True)
class Seeded:
    """Random delays, the same for the same seed."""

    seed: int

    def begin(self) -> Delays:
        return RandomDelays(Random(self.seed))


DelayScript = Shortest | Fractions | Seeded

NAMED: dict[str, DelayScript] = {
    "max": Fractions((1.0,)),
    "min": Shortest(),
    "half": Fractions((0.5,)),
}
