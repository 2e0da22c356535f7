"""Programs that somebody has detached are noticed, however many interfaces there are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mcastd.gmp.time import Instant, seconds
from mcastd.service.program_watch import AT_ONCE, ProgramWatch


def interface(name: str, *, whole: bool | None) -> Any:
    """`whole`: whether its programs are there; None if it is not attached."""
    attachment = None if whole is None else SimpleNamespace(is_whole=lambda: whole)
    return SimpleNamespace(name=name, attachment=attachment)


def test_only_what_lacks_a_program_is_found() -> None:
    found: list[Any] = []
    states = {"eth0": True, "eth1": False, "eth2": None}
    interfaces = {
        index: interface(name, whole=whole) for index, (name, whole) in enumerate(states.items())
    }

    ProgramWatch(interfaces, found.append).look(Instant(0))

    assert [each.name for each in found] == ["eth1"]


def test_all_are_looked_at_in_turn_and_few_at_once() -> None:
    found: list[Any] = []
    many = {index: interface(f"eth{index}", whole=False) for index in range(3 * AT_ONCE)}
    watch = ProgramWatch(many, found.append)

    for turn in range(3):
        watch.look(Instant(seconds(turn)))
        assert len(found) == (turn + 1) * AT_ONCE

    assert {each.name for each in found} == {each.name for each in many.values()}


def test_those_that_went_meanwhile_are_passed_over() -> None:
    found: list[Any] = []
    many = {index: interface(f"eth{index}", whole=False) for index in range(2 * AT_ONCE)}
    watch = ProgramWatch(many, found.append)
    watch.look(Instant(0))
    many.clear()

    watch.look(Instant(seconds(1)))

    assert len(found) == AT_ONCE
