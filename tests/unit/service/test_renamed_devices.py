"""A device that is called otherwise: what was asked for on it, and was seen there, goes with it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mcastd.fastpath.counters import RINGS, ZERO, Counters
from mcastd.gmp.family import IGMP
from mcastd.gmp.time import Instant, seconds
from mcastd.net.links import Snapshot
from mcastd.net.rtnetlink import Change, LinkChanged
from mcastd.service import modes
from mcastd.service.by_hand import ByHand
from mcastd.service.callers import Caller
from mcastd.service.changes import join, leave
from mcastd.service.interface_settings import MEMBERSHIP, PATHS
from mcastd.service.known_queriers import KnownQueriers
from mcastd.service.losses import Losses
from mcastd.service.memberships import OwnedMemberships
from mcastd.service.mode import Mode
from mcastd.service.renaming import in_turn
from mcastd.service.views import groups, status
from support.played_agent import INDEX, Played, a_link, packed, settings_for
from support.stepped import play

GROUP, OTHER, FILES = "239.1.2.3", "239.4.5.6", "239.7.8.9"
ROOT = Caller(0, 1, "player")
HOST: dict[str, Any] = {"mode": "host"}
JOINING = HOST | {MEMBERSHIP: [{"group": FILES}], PATHS: [Path("mcastd.toml")]}

Told = Callable[..., Any]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Told:
    """Plays a story on eth0 and eth1, which are in host mode."""

    def run(story: Callable[[Played], Awaitable[Any]], **sections: dict[str, Any]) -> Any:
        async def whole() -> Any:
            played = Played({"eth0": HOST, "eth1": HOST} | sections, state=tmp_path)
            try:
                for number in range(2):
                    await played.link(a_link(f"eth{number}", INDEX + number))
                    await played.address(f"192.0.2.{1 + number}", INDEX + number)
                await played.settle()
                return await story(played)
            finally:
                played.close()

        return play(monkeypatch, whole)

    return run


def asked(name: str, group: str = GROUP, **fields: Any) -> Any:
    return {"name": name, "group": group, **fields}


def received(played: Played) -> set[tuple[int, str]]:
    """What the network interfaces let through, by their indices."""
    return {(index, ".".join(map(str, group))) for index, group in played.machine.nic.groups}


def shown(played: Played) -> set[tuple[str, str, str]]:
    return {
        (each["interface"], each["group"], application["name"])
        for each in groups(played.agent)
        for application in each["applications"]
    }


def kept(directory: Path) -> set[tuple[str, str]]:
    return {(each.interface, each.group) for each in OwnedMemberships(directory).kept}


def words_of(played: Played, group: str) -> int:
    """How many messages have told of the group until now."""
    return len([each for _, each in played.machine.wire.sent if packed(group) in each])


async def renamed(played: Played, name: str, index: int = INDEX) -> None:
    await played.link(a_link(name, index))


# What was asked for by hand.


@pytest.mark.parametrize("kernel", [False, True], ids=["agent", "kernel"])
def test_a_membership_goes_with_its_device_and_is_left_by_the_new_name(
    told: Told, tmp_path: Path, kernel: bool
) -> None:
    async def story(played: Played) -> None:
        join(played.agent, ROOT, asked("eth0", kernel=kernel))
        await played.settle(30)
        before = words_of(played, GROUP)
        await renamed(played, "lan0")
        assert list(played.interface("lan0").own) == [("lan0", GROUP, "api:player")]
        assert kept(tmp_path) == {("lan0", GROUP)}
        assert words_of(played, GROUP) == before, "nobody left, nobody joined"
        assert leave(played.agent, ROOT, asked("lan0", kernel=kernel)) == {"left": True}
        assert played.interface("lan0").own == {}
        assert played.interface("lan0").sockets == {}
        assert (INDEX, GROUP) not in received(played)
        assert kept(tmp_path) == set()

    told(story)


def test_it_goes_with_a_device_that_is_observed_meanwhile(told: Told, tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        join(played.agent, ROOT, asked("eth0"))
        modes.set_by_hand(played.agent, played.interface("eth0"), Mode.OBSERVE)
        await renamed(played, "lan0")
        assert kept(tmp_path) == {("lan0", GROUP)}
        modes.set_by_hand(played.agent, played.interface("lan0"), Mode.HOST)
        await played.settle()
        assert shown(played) == {("lan0", GROUP, "api:player")}

    told(story)


def test_another_device_with_the_old_name_has_none_of_it(told: Told) -> None:
    async def story(played: Played) -> None:
        join(played.agent, ROOT, asked("eth0"))
        await renamed(played, "lan0")
        await played.link(a_link("eth0", INDEX + 7))
        await played.address("192.0.2.99", INDEX + 7)
        await played.settle()
        assert played.interface("eth0").mode is Mode.HOST
        assert leave(played.agent, ROOT, asked("eth0")) == {"left": False}
        assert received(played) == {(INDEX, GROUP)}

    told(story)


def test_there_and_back_again_is_no_change(told: Told, tmp_path: Path) -> None:
    async def story(played: Played) -> None:
        join(played.agent, ROOT, asked("eth0"))
        await played.settle(30)
        before = words_of(played, GROUP), words_of(played, FILES)
        await renamed(played, "lan0")
        await renamed(played, "eth0")
        assert received(played) == {(INDEX, GROUP), (INDEX, FILES)}
        assert (words_of(played, GROUP), words_of(played, FILES)) == before
        assert played.interface("eth0").run_as is None
        assert kept(tmp_path) == {("eth0", GROUP), ("eth0", FILES)}

    told(story, eth0=JOINING)


@pytest.mark.parametrize("way", ["one by one", "in one batch", "in a snapshot"])
def test_two_that_swap_their_names_through_a_third_keep_what_is_theirs(
    told: Told, tmp_path: Path, way: str
) -> None:
    """What is told of a device in one batch is its last name alone."""

    async def story(played: Played) -> None:
        join(played.agent, ROOT, asked("eth0", GROUP))
        join(played.agent, ROOT, asked("eth1", OTHER))
        played.agent.by_hand.set("eth0", "igmp_max_version", 2)
        if way == "one by one":
            for name, index in (("tmp", INDEX), ("eth0", INDEX + 1), ("eth1", INDEX)):
                await renamed(played, name, index)
        else:
            now = (LinkChanged(a_link("eth0", INDEX + 1)), LinkChanged(a_link("eth1", INDEX)))
            batch: list[Change] = list(now)
            played.links.take(batch if way == "in one batch" else Snapshot(now, ()))
        await played.settle()
        assert (played.interface("eth0").index, played.interface("eth1").index) == (
            INDEX + 1,
            INDEX,
        )
        assert received(played) == {(INDEX, GROUP), (INDEX + 1, OTHER)}
        assert kept(tmp_path) == {("eth1", GROUP), ("eth0", OTHER)}
        assert [each.interface for each in played.agent.differences(played.interface("eth1"))] == [
            "eth1"
        ]
        for name, group in (("eth1", GROUP), ("eth0", OTHER)):
            assert leave(played.agent, ROOT, asked(name, group)) == {"left": True}
        assert received(played) == set()

    told(story)


def test_a_new_device_may_be_told_of_before_the_one_that_had_its_name(told: Told) -> None:
    async def story(played: Played) -> None:
        join(played.agent, ROOT, asked("eth0"))
        played.links.take(
            [LinkChanged(a_link("eth0", INDEX + 7)), LinkChanged(a_link("lan0", INDEX))]
        )
        await played.settle()
        assert played.interface("lan0").index == INDEX
        assert played.interface("eth0").index == INDEX + 7
        assert received(played) == {(INDEX, GROUP)}

    told(story)


def test_what_waits_for_a_name_whose_device_is_gone_is_for_the_one_that_takes_it(
    told: Told,
) -> None:
    async def story(played: Played) -> None:
        join(played.agent, ROOT, asked("eth0", GROUP))
        join(played.agent, ROOT, asked("eth1", GROUP, sources=["192.0.2.50"]))
        join(played.agent, ROOT, asked("eth1", OTHER))
        await played.gone(INDEX + 1)
        await renamed(played, "eth1")
        assert received(played) == {(INDEX, GROUP), (INDEX, OTHER)}
        own = played.agent.owned.get("eth1", GROUP, "api:player")
        assert own is not None
        assert own.sources == (), "what was asked for on the device itself counts"
        assert played.agent.owned.total == 2

    told(story)


def test_what_is_held_after_its_leave_ends_at_its_time_under_the_new_name(told: Told) -> None:
    async def story(played: Played) -> None:
        join(played.agent, ROOT, asked("eth0", hold_after_leave=30))
        leave(played.agent, ROOT, asked("eth0"))
        await played.settle(10)
        await renamed(played, "lan0")
        assert leave(played.agent, ROOT, asked("lan0")) == {"left": False}
        assert received(played) == {(INDEX, GROUP)}
        await played.settle(18)
        assert received(played) == {(INDEX, GROUP)}
        await played.settle(3)
        assert received(played) == set()
        assert played.agent.owned.total == 0

    told(story)


def test_a_join_under_the_new_name_takes_up_what_was_left_under_the_old_one(told: Told) -> None:
    async def story(played: Played) -> None:
        join(played.agent, ROOT, asked("eth0", hold_after_leave=30))
        leave(played.agent, ROOT, asked("eth0"))
        await renamed(played, "lan0")
        join(played.agent, ROOT, asked("lan0"))
        await played.settle(60)
        assert received(played) == {(INDEX, GROUP)}

    told(story)


# What the files join.


def test_what_is_configured_for_the_old_name_stays_until_another_device_has_it(
    told: Told,
) -> None:
    async def story(played: Played) -> None:
        assert received(played) == {(INDEX, FILES)}
        await renamed(played, "lan0")
        assert received(played) == {(INDEX, FILES)}
        made = status(played.agent)
        while made.step():
            pass
        document: Any = made.answer
        (found,) = (each for each in document["interfaces"] if each["name"] == "lan0")
        assert found["mode"] is Mode.HOST
        assert "this name is not configured: it is run as eth0 was" in " ".join(found["remarks"])
        assert document["missing"] == ["eth0"]

        await played.link(a_link("eth0", INDEX + 7))
        await played.address("192.0.2.99", INDEX + 7)
        await played.settle()
        assert received(played) == {(INDEX + 7, FILES)}

        played.links.configure(settings_for({"eth0": JOINING, "eth1": HOST}))
        assert "lan0" not in played.agent.interfaces, "the files do not name it"

    told(story, eth0=JOINING)


def test_a_section_for_the_new_name_takes_over_without_a_word(told: Told) -> None:
    async def story(played: Played) -> None:
        await played.settle(30)
        before = words_of(played, FILES)
        await renamed(played, "lan0")
        played.links.configure(settings_for({"lan0": JOINING, "eth1": HOST}))
        await played.settle()
        assert received(played) == {(INDEX, FILES)}
        assert words_of(played, FILES) == before
        assert played.interface("lan0").run_as is None

    told(story, eth0=JOINING)


def test_what_is_configured_for_the_new_name_is_in_force_at_once(told: Told) -> None:
    async def story(played: Played) -> None:
        await played.gone(INDEX + 1)
        await renamed(played, "eth1")
        assert received(played) == {(INDEX, FILES)}
        assert shown(played) == {("eth1", FILES, "config")}
        await renamed(played, "lan1")
        await renamed(played, "eth0")
        assert received(played) == set(), "eth0 joins nothing"

    told(story, eth1=JOINING)


def test_a_device_that_fails_after_it_was_renamed_is_taken_up_again(told: Told) -> None:
    async def story(played: Played) -> None:
        await renamed(played, "lan0")
        played.links.failed(INDEX, OSError("no more"))
        await played.settle(11)
        assert played.interface("lan0").problem is None
        assert received(played) == {(INDEX, FILES)}

    told(story, eth0=JOINING)


# What lives with names besides.


@pytest.mark.parametrize(
    ("names", "run_as"), [((), None), (("eth0",), "eth0"), (("eth0", "lan0"), None)]
)
def test_one_that_is_tried_again_is_run_as_the_files_say_then(
    told: Told, names: tuple[str, ...], run_as: str | None
) -> None:
    """Files that are read in between may name it no more: that ends nothing but its turn."""

    async def story(played: Played) -> None:
        ends: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: ends.append(context))
        await renamed(played, "lan0")
        played.links.failed(INDEX, OSError("no more"))
        played.links.configure(settings_for({**dict.fromkeys(names, JOINING), "eth1": HOST}))
        await played.settle(11)
        assert ends == []
        found = played.agent.by_index.get(INDEX)
        assert (found is not None) == bool(names)
        assert found is None or (found.name, found.run_as) == ("lan0", run_as)

    told(story, eth0=JOINING)


def test_names_that_go_round_are_given_one_after_the_other() -> None:
    names = {"a": "b", "b": "c", "x": "y", "y": "x"}
    there = set(names)
    for old, new in in_turn(names):
        assert new not in there
        there = there - {old} | {new}
    assert there == {"b", "c", "x", "y"}


def test_what_was_set_by_hand_on_a_device_that_is_gone_is_not_for_the_next_one() -> None:
    by_hand = ByHand()
    by_hand.set("eth1", "mode", Mode.HOST)
    by_hand.rename("eth0", "eth1")
    files = settings_for({"eth1": {}}).interfaces["eth1"]
    assert by_hand.applied("eth1", files).mode is Mode.OBSERVE


def test_losses_of_before_are_no_new_ones() -> None:
    losses = Losses()
    counted = {"lan0": lost(3)}
    assert list(losses.look({"eth0": lost(3)})) == []
    assert list(losses.look({"eth0": lost(3)})) == ["eth0"]
    losses.rename("eth0", "lan0")
    assert list(losses.look(counted)) == []
    assert list(losses.look(counted)) == []


def lost(number: int) -> Counters:
    causes = list(ZERO.lost)
    causes[RINGS.index("egress")] = (number, *ZERO.lost[0][1:])
    return ZERO._replace(lost=tuple(causes))


def test_known_queriers_are_kept_under_the_new_name(told: Told, tmp_path: Path) -> None:
    known = KnownQueriers(tmp_path, Instant(0))
    known.keep([("eth0", "igmp", "192.0.2.9")])
    known.close()
    again = KnownQueriers(tmp_path, Instant(0))
    again.rename("eth0", "lan0")
    at = Instant(seconds(1))
    assert [address for address, _ in again.earlier("lan0", IGMP, at)] == [packed("192.0.2.9")]
    assert list(again.earlier("eth0", IGMP, at)) == []


def test_what_streams_have_brought_goes_with_the_device(told: Told) -> None:
    async def story(played: Played) -> None:
        streams = played.agent.streams
        streams._totals = {"eth0": Counter(packets=5, fragments=1)}
        await renamed(played, "lan0")
        assert streams.totals("lan0", None)[:4] == (5, 0, 0, 1)
        assert streams.totals("eth0", None).packets == 0

    told(story)
