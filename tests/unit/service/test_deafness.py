"""Interfaces of which nothing is heard although their programs are there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from mcastd.gmp.time import Instant, seconds
from mcastd.service.deafness import AT_ONCE, IN_VAIN, Deafness


class Story:
    """Interfaces, which questions were put, and what was found."""

    def __init__(self, count: int = 1) -> None:
        self.interfaces: dict[int, Any] = {
            index: SimpleNamespace(name=f"eth{index}", attachment=object())
            for index in range(count)
        }
        self.asked: list[int] = []
        self.found: list[int] = []
        self.is_drained = True
        self.refusal: OSError | None = None
        self.deafness = Deafness(
            self.interfaces, self.ask, lambda: self.is_drained, self.found.append
        )

    def ask(self, index: int) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(index)

    def look(self, second: float) -> None:
        self.deafness.look(Instant(seconds(second)))


def test_who_hears_is_asked_once_a_round() -> None:
    story = Story()
    for second in range(60):
        story.look(second)
        story.deafness.heard(0)
    assert (story.asked, story.found) == ([0] * 6, [])


def test_who_does_not_hear_is_asked_again_and_then_found() -> None:
    story = Story()
    for second in range(IN_VAIN):
        story.look(second)
        assert story.found == []
    story.look(IN_VAIN)
    assert (story.asked, story.found) == ([0] * IN_VAIN, [0])


def test_one_that_is_heard_late_is_not_found() -> None:
    story = Story()
    for second in range(IN_VAIN):
        story.look(second)
    story.deafness.heard(0)
    for second in range(IN_VAIN, 10):
        story.look(second)
    assert story.found == []


@pytest.mark.parametrize("lost", range(1, IN_VAIN + 1))
def test_one_that_goes_while_it_is_asked_is_not_found(lost: int) -> None:
    """Whoever is told would look for it, in vain."""
    story = Story()
    for second in range(lost):
        story.look(second)
    story.interfaces.clear()
    for second in range(lost, 20):
        story.look(second)
    assert story.found == []


def test_nothing_is_judged_while_the_ring_is_not_drained() -> None:
    """A flood, or an agent without CPU, is not deafness."""
    story = Story()
    story.look(0)
    story.is_drained = False
    for second in range(1, 9):
        story.look(second)
    assert (story.asked, story.found) == ([0], [])


@pytest.mark.parametrize("change", ["gone", "detached"])
def test_who_is_not_there_any_more_is_not_found(change: str) -> None:
    story = Story()
    story.look(0)
    if change == "gone":
        story.interfaces.clear()
    else:
        story.interfaces[0].attachment = None
    for second in range(1, 10):
        story.look(second)
    assert story.found == []


def test_where_the_kernel_cannot_ask_nothing_is_found() -> None:
    story = Story()
    story.refusal = OSError(22, "Invalid argument")
    for second in range(100):
        story.look(second)
    assert story.found == []


def test_few_are_asked_at_once_and_all_in_turn() -> None:
    story = Story(3 * AT_ONCE)
    for second in range(3):
        story.look(second)
        assert len(story.asked) == (second + 1) * AT_ONCE
        for index in story.asked:
            story.deafness.heard(index)
    assert set(story.asked) == set(story.interfaces)
