"""Chance, as an argument: who draws the random delays of the protocol."""

from __future__ import annotations

from random import Random
from typing import Protocol

from mcastd.gmp.time import Duration


class Delays(Protocol):
    """Draws delays; tests and simulations give their own."""

    def draw(self, limit: Duration) -> Duration:
        """A delay from (0, limit] (RFC 9776 §5.2); 0 only for a limit of 0."""


class RandomDelays:
    """Uniformly distributed delays, of nanoseconds: a float has more than enough of them."""

    def __init__(self, random: Random) -> None:
        self._random = random.random

    def draw(self, limit: Duration) -> Duration:
        return Duration(1 + int(self._random() * limit)) if limit else limit
