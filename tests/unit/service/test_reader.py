"""Readings of what the kernel receives: coalesced, beside the loop, never two at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from mcastd.gmp.filters import exclude
from mcastd.native import SourceList
from mcastd.service import reader
from mcastd.service.joined import Change, Joined, Look
from mcastd.service.reader import KernelReader

GROUP = b"\xef\1\1\1"
JOINED = Joined(exclude(SourceList(b"", 4)), True, 1)


class Reading:
    """A kernel that is read, how often, and what came of it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.readings = 0
        self.applied: list[Change] = []
        self.fails = False
        patch.setattr(reader, "look", self.look)
        self.reader = KernelReader(lambda: None, dict, self.apply, lambda: False)

    def look(self, *_given: object) -> Look:
        self.readings += 1
        if self.fails:
            raise OSError(5, "Input/output error")
        return Look([(1, GROUP, JOINED)], {1: 3})

    async def apply(self, changes: Sequence[Change]) -> None:
        self.applied += changes


Story = Callable[[Reading], Awaitable[None]]


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Callable[[Story], Reading]:
    def told(story: Story) -> Reading:
        async def run() -> Reading:
            made = Reading(monkeypatch)
            await story(made)
            made.reader.close()
            return made

        return asyncio.run(run())

    return told


def test_requests_that_come_together_are_one_reading(tell: Callable[[Story], Reading]) -> None:
    async def story(made: Reading) -> None:
        waiting = [made.reader.fresh() for _ in range(10)]
        for _ in range(10):
            made.reader.request()
        assert await asyncio.gather(*waiting) == [True] * 10

    found = tell(story)
    assert found.readings == 1
    assert found.applied == [(1, GROUP, JOINED)]


def test_who_asks_during_a_reading_waits_for_the_next(tell: Callable[[Story], Reading]) -> None:
    async def story(made: Reading) -> None:
        first = made.reader.fresh()
        made.reader._apply = slow(made)
        while not made.readings:  # noqa: ASYNC110 (it is a thread that reads)
            await asyncio.sleep(0.001)
        second = made.reader.fresh()
        assert await first
        assert made.readings == 1
        assert await second
        assert made.readings == 2

    tell(story)


def slow(made: Reading) -> Callable[[Sequence[Change]], Awaitable[None]]:
    async def apply(changes: Sequence[Change]) -> None:
        await asyncio.sleep(0.02)
        await made.apply(changes)

    return apply


def test_a_reading_that_fails_is_told_to_who_waits(tell: Callable[[Story], Reading]) -> None:
    async def story(made: Reading) -> None:
        made.fails = True
        assert await made.reader.fresh() is False
        assert made.reader.problem == "what sockets have joined cannot be read: Input/output error"
        made.fails = False
        assert await made.reader.fresh() is True
        assert made.reader.problem is None

    assert tell(story).readings == 2
