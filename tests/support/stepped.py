"""An event loop whose clock only goes on when nothing else is left to do: hours take milliseconds.

What the product runs in threads runs at once, so that a story has one order and no race.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

import pytest
from mcastd.service import clock, engine

Result = TypeVar("Result")

BEGIN = 1_000_000_000_000
"""Nanoseconds since the boot of the machine that is played."""

BEGIN_WALL = 1_700_000_000.0
"""Seconds since 1970, at the same moment."""


class Clock:
    """Stands for the module `time` in `mcastd.service.clock`."""

    def __init__(self) -> None:
        self._now = BEGIN

    def monotonic_ns(self) -> int:
        return self._now

    def time(self) -> float:
        return BEGIN_WALL + (self._now - BEGIN) / 1e9

    def go_on(self, seconds: float) -> None:
        self._now += round(seconds * 1e9)


class SteppedSelector(selectors.DefaultSelector):
    """Waits for nothing: where the loop would sleep, the clock goes on instead."""

    clock: Clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        assert timeout is not None, "the story waits for something that never comes"
        self.clock.go_on(timeout + 1e-6)
        return []


class SteppedLoop(asyncio.SelectorEventLoop):
    def __init__(self, stepped: Clock) -> None:
        selector = SteppedSelector()
        selector.clock = stepped
        self._stepped = stepped
        super().__init__(selector)

    def time(self) -> float:
        return self._stepped.monotonic_ns() / 1e9

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """At once, instead of in a thread."""
        done: asyncio.Future[Any] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


def play(patch: pytest.MonkeyPatch, story: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Runs a story on a clock of its own, with dice that fall alike in each run."""
    stepped = Clock()
    patch.setattr(clock, "time", stepped)
    patch.setattr(engine, "Random", lambda: Random(1))
    with asyncio.Runner(loop_factory=lambda: SteppedLoop(stepped)) as runner:
        return runner.run(story())
