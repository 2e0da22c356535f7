"""The same stories with the kernel alone and beside the agent: nobody can tell the two apart.

Those that are kept in tests/twins/kept are told each time, and some new ones. `make twins ROUNDS=N
SEED=M` tells more of them, and shrinks and keeps those that fail.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import frr
from support.host_lab import ANY, but, eventually
from support.twin_stories import GROUPS, SOURCES, random_story
from support.twins import Twins, twins

pytestmark = pytest.mark.lab

KEPT = sorted((Path(__file__).parents[1] / "twins" / "kept").glob("*.json"))

SECONDS = 8.0
"""Of new stories; at least one is told."""


@pytest.fixture(scope="module")
def made() -> Iterator[Twins]:
    with twins() as both:
        yield both


@pytest.mark.parametrize("path", KEPT, ids=[path.stem for path in KEPT])
def test_twins_cannot_be_told_apart_in_what_was_once_wrong(made: Twins, path: Path) -> None:
    story = json.loads(path.read_text())["story"]
    assert made.tell([tuple(step) for step in story]) == [], "\n".join(made.trace())


def test_twins_cannot_be_told_apart(made: Twins) -> None:
    deadline = time.monotonic() + SECONDS
    number = 0
    while number == 0 or time.monotonic() < deadline:
        story = random_story(random.Random(f"suite/{number}"))
        assert made.tell(story) == [], "\n".join(made.trace())
        number += 1


def test_a_bridge_keeps_what_was_said_before_an_older_version(made: Twins) -> None:
    """Why no sources are compared under a cap: with the kernel alone it blocks one that is wanted.

    A report of an older version is as good as IS_EX without sources (RFC 9776 §7.3.2); Linux's
    bridge only sets the group's timer by it.
    """
    alone, group, socket = made.alone, GROUPS["igmp"][0], 0
    blocked = but(SOURCES["igmp"][0])
    alone.say(socket, group, blocked)
    eventually("the source is blocked", lambda: made.net.held()[0].get(group) == blocked)
    alone.cap("igmp", 2)
    alone.say(socket, group, ANY)
    since = time.monotonic()
    eventually(
        "two reports of version 2",
        lambda: sum(each.what == "report2" for each in alone.sniffer.spoken(since)) > 1,
    )
    assert made.net.held()[0].get(group) == blocked
    alone.cap("igmp", 3)
    alone.say(socket, group, None)
    assert made.differences() == []


@pytest.mark.skipif(not frr.is_there(), reason="FRR's pimd is not installed (Debian: frr)")
def test_frr_cannot_tell_twins_apart() -> None:
    """It keeps whole lists, and takes a report of an older version as RFC 9776 §7.3.2 has it."""
    with twins("frr") as made:
        story = random_story(random.Random("frr"), protocols=made.net.protocols)
        assert made.tell(story) == [], "\n".join(made.trace())
