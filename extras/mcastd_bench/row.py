"""What is measured: rows, each with our way of doing something and the others' it is up against.

To add a row, write a function that returns `Row` values and name it in `registry.SUITES`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain, repeat
from time import perf_counter
from typing import Any

Sampler = Callable[[float], float]
"""One figure, in the row's unit, from about so many seconds of work."""

SECOND = {"ns": 1e9, "us": 1e6, "ms": 1e3, "s": 1.0}
"""How many of a unit of time are a second."""


class Better(Enum):
    """Which figures are the better ones."""

    SMALLER = "smaller"
    LARGER = "larger"


@dataclass(frozen=True, slots=True)
class Missing:
    """A baseline that cannot be measured here, and why."""

    reason: str


class Unavailable(Exception):
    """Raised by `Row.prepare` where the row cannot be measured here; says why."""


@dataclass(frozen=True, slots=True)
class Details:
    """What a row's figure does not say: figures for the report, and in words for the table."""

    figures: Mapping[str, Any] = field(default_factory=dict)
    said: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Contest:
    """Who is measured in a row, ready to start.

    `details` is asked for once at the end, and may measure for about so many seconds.
    """

    ours: Sampler
    baselines: Mapping[str, Sampler | Missing] = field(default_factory=dict)
    close: Callable[[], object] = lambda: None
    """Frees what `prepare` took; called also after a failure."""

    details: Callable[[float], Details] = lambda seconds: Details()


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the report. `prepare` is called right before it is measured.

    `once`: what is measured takes long, and is measured only once.
    """

    name: str
    unit: str
    prepare: Callable[[], Contest]
    better: Better = Better.SMALLER
    once: bool = False


@dataclass(slots=True)
class Timed:
    """The time of one call, over different inputs in turn, so that no branch predictor learns them.

    The loop around the calls runs in C, and costs all the same: some 20 ns.
    """

    call: Callable[..., object]
    inputs: Sequence[tuple[Any, ...]]
    unit: str = "ns"
    _passes: int = 1

    def __call__(self, seconds: float) -> float:
        elapsed = self._run()
        while elapsed * 2 < seconds:
            self._passes = max(self._passes + 1, int(self._passes * seconds / elapsed))
            elapsed = self._run()
        calls = self._passes * len(self.inputs)
        self._passes = max(1, int(self._passes * seconds / elapsed))
        return elapsed / calls * SECOND[self.unit]

    def _run(self) -> float:
        columns = [
            chain.from_iterable(repeat(column, self._passes))
            for column in zip(*self.inputs, strict=True)
        ]
        start = perf_counter()
        deque(map(self.call, *columns), 0)
        return perf_counter() - start
