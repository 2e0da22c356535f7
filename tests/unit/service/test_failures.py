"""What the kernel refuses for one interface ends what that is run for, and nothing else."""

from __future__ import annotations

import asyncio
import errno
from types import SimpleNamespace
from typing import Any

import pytest
from mcastd.fastpath.ring import Fate
from mcastd.gmp.time import Instant
from mcastd.service import links
from mcastd.service.faults import Fault, Faults
from mcastd.service.links import Links
from mcastd.service.turns import Turns

REFUSED = OSError(errno.ENOBUFS, "No buffer space available")


class Events:
    """A ring with events in it."""

    def __init__(self, *events: Any) -> None:
        self._events = list(events)

    def drain(self, _most: int = 0) -> list[Any]:
        events, self._events = self._events, []
        return events


def captured(index: int, fate: Fate = Fate.PASSED) -> Any:
    return SimpleNamespace(ifindex=index, fate=fate)


class Heard:
    """An interface whose kernel refuses something, or does not. `due`: when time brings it work."""

    def __init__(self, name: str, *, refuses: bool, due: int | None = None) -> None:
        self.name = name
        self.heard = 0
        self.is_holding = False
        self.observers: dict[str, Any] = {}
        self.known_queriers: set[bytes] = set()
        self._refuses = refuses
        self._due = due

    def hear(self, _event: object) -> list[Any]:
        if self._refuses:
            raise REFUSED
        self.heard += 1
        return []

    overhear = hear

    def next_deadline(self) -> int | None:
        return self._due

    def advance(self, _at: Instant) -> list[Any]:
        self._due = None
        return self.hear(None)


def turns_of(
    interfaces: dict[int, Any], patch: pytest.MonkeyPatch, **rings: Events
) -> tuple[Turns, list[tuple[int, OSError]]]:
    """Turns on these rings, and what they say has failed."""
    fast_path: Any = SimpleNamespace(
        rings={name: rings.get(name, Events()) for name in ("query", "egress", "report")}
    )
    teller: Any = SimpleNamespace(
        message=lambda *_args, **_fields: None, tell_all=lambda _interface, happenings: happenings
    )
    turns = Turns(fast_path, teller, interfaces, lambda: None, lambda: None)
    patch.setattr(turns, "_decode", lambda each: SimpleNamespace(captured=each))
    failed: list[tuple[int, OSError]] = []
    turns.failed = lambda index, error: failed.append((index, error))
    return turns, failed


def in_loop(story: Any) -> None:
    async def run() -> None:
        story()

    asyncio.run(run())


@pytest.mark.parametrize("ring", ["query", "egress", "report"])
def test_a_turn_that_fails_for_one_interface_goes_on_for_the_others(
    ring: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Heard("eth1", refuses=False)
    interfaces = {1: Heard("eth0", refuses=True), 2: good}
    events = Events(captured(1), captured(2), captured(1), captured(2))
    turns, failed = turns_of(interfaces, monkeypatch, **{ring: events})

    in_loop(turns._turn)

    assert good.heard == 2
    assert failed == [(1, REFUSED), (1, REFUSED)]


def test_what_time_brings_and_fails_for_one_is_brought_to_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = Heard("eth1", refuses=False, due=2)
    interfaces = {1: Heard("eth0", refuses=True, due=1), 2: good}
    turns, failed = turns_of(interfaces, monkeypatch)

    def story() -> None:
        turns.arm()
        turns._expire()

    in_loop(story)

    assert good.heard == 1
    assert failed == [(1, REFUSED)]


def test_the_agents_own_question_is_nobodys_message(monkeypatch: pytest.MonkeyPatch) -> None:
    good = Heard("eth1", refuses=False)
    turns, failed = turns_of({2: good}, monkeypatch, query=Events(captured(2, Fate.PROBE)))
    probed: list[int] = []
    turns.probed = probed.append

    in_loop(turns._turn)

    assert (good.heard, probed, failed) == (0, [2], [])


class Story:
    """Links, of which one is run, and what becomes of it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.released: list[str] = []
        self.retaken: list[Any] = []
        self.refuses_release = False
        self.interface: Any = SimpleNamespace(
            name="eth0", index=1, link="a link", problem=None, run_as=None
        )
        self.faults = Faults()
        by_index = {1: self.interface, 2: SimpleNamespace(name="eth1")}
        self.agent: Any = SimpleNamespace(
            teller=None, own_addresses=None, fast_path=None, faults=self.faults, by_index=by_index,
            turns=SimpleNamespace(failed=None), settle=None,
        )  # fmt: skip
        agent: Any = self.agent
        self.links = Links(agent)
        patch.setattr(self.links, "_release", self._release)
        patch.setattr(self.links, "take", self.retaken.append)
        patch.setattr(links, "AGAIN_SECONDS", 0.0)

    def _release(self, interface: Any) -> None:
        self.released.append(interface.name)
        if self.refuses_release:
            raise OSError(errno.ENODEV, "No such device")
        self.agent.by_index.pop(1)


@pytest.fixture
def story(monkeypatch: pytest.MonkeyPatch) -> Story:
    return Story(monkeypatch)


def fails(story: Story, index: int = 1) -> None:
    """And waits until it might have been taken up again."""

    async def run() -> None:
        story.links.failed(index, REFUSED)
        await asyncio.sleep(0.01)

    asyncio.run(run())


@pytest.mark.parametrize("refuses_release", [False, True])
def test_an_interface_that_fails_is_let_go_of_and_the_others_stay(
    story: Story, refuses_release: bool
) -> None:
    story.refuses_release = refuses_release
    fails(story)
    assert story.released == ["eth0"]
    assert list(story.agent.by_index) == [2]
    assert story.faults.counts[Fault.INTERFACE] == 1 + refuses_release
    assert story.interface.problem == ("was given up: No buffer space available; it is tried again")


def test_it_is_taken_up_again_while_its_link_is_there(story: Story) -> None:
    link: Any = SimpleNamespace(index=1, name="eth0")
    story.links._links[1] = link
    fails(story)
    ((change,),) = story.retaken
    assert change.link is link


def test_one_that_is_gone_meanwhile_is_not_taken_up(story: Story) -> None:
    fails(story)
    assert story.retaken == []


def test_what_is_not_run_cannot_fail(story: Story) -> None:
    fails(story, index=7)
    assert story.released == []
    assert story.faults.counts[Fault.INTERFACE] == 0


def test_the_turns_tell_the_links(story: Story) -> None:
    assert story.agent.turns.failed == story.links.failed
