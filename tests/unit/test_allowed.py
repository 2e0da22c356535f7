"""What settings may be: readers, words and JSON Schema say the same, in every table."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from mcastd.allowed import Allowed, interval, number, whole
from mcastd.gmp.config import TUNABLES
from mcastd.service import config, guard, interface_settings, stream_settings

WRONG_KINDS: list[Any] = [None, True, "1", [], {}, math.nan, 10**30]


def tables() -> Iterator[tuple[str, Allowed]]:
    yield from ((".".join(name), key.allowed) for name, key in config.KEYS.items())
    yield from ((name, key.allowed) for name, key in stream_settings.KEYS.items())
    yield from guard.KEYS.items()
    yield from interface_settings.KEYS.items()
    yield from ((name, tunable.allowed) for name, tunable in TUNABLES.items())


ALL = dict(tables())


def bounds(allowed: Allowed) -> tuple[float, float] | None:
    """Of a number, by its schema."""
    for each in (allowed.schema, *allowed.schema.get("anyOf", ())):
        if "minimum" in each:
            return each["minimum"], each["maximum"]
    return None


NUMBERS = [name for name, each in ALL.items() if bounds(each)]


def takes(allowed: Allowed, value: Any) -> bool:
    try:
        allowed.read(value)
    except (TypeError, ValueError):
        return False
    return True


@pytest.mark.parametrize("made", [whole(2, 7), number(0.5, 7), interval(0.5, 7)])
def test_a_number_is_within_its_bounds_and_no_truth_value(made: Allowed) -> None:
    assert takes(made, 2)
    assert takes(made, 7)
    assert not takes(made, 0)
    assert not takes(made, 8)
    assert [each for each in WRONG_KINDS if takes(made, each)] == []


def test_a_whole_number_has_no_fraction() -> None:
    assert not takes(whole(2, 7), 3.0)


def test_an_interval_may_have_its_unit_and_may_be_never() -> None:
    assert interval(0.5, 7).read("2.5s") == 2.5
    for wrong in ("2.5", "8s", "2 s", "-2s", "1e0s"):
        assert not takes(interval(0.5, 7), wrong)
    assert not takes(interval(0.5, 7), 0)
    assert interval(0.5, 7, or_never=True).read(0) == 0
    assert not takes(interval(0.5, 7, or_never=True), False)


@pytest.mark.parametrize("name", NUMBERS)
def test_the_bounds_of_a_number_are_those_of_its_schema(name: str) -> None:
    allowed, (least, most) = ALL[name], bounds(ALL[name]) or (0, 0)
    assert takes(allowed, least)
    assert takes(allowed, most)
    assert not takes(allowed, least - 1)
    assert not takes(allowed, most + 1)
    said = (f"a number from {least:g} to", f"a whole number from {least} to", f"{least:g}")
    assert allowed.text.startswith(said)


@pytest.mark.parametrize("name", ALL)
def test_what_is_of_no_kind_is_refused_as_it_should_be(name: str) -> None:
    for wrong in (None, {}, object()):
        with pytest.raises((TypeError, ValueError)):
            ALL[name].read(wrong)
