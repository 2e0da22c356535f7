"""Where no querier is heard, what the agent and the kernel speak for is reported unasked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcastd.gmp.family import FAMILIES
from mcastd.service.callers import Caller
from mcastd.service.changes import join
from mcastd.service.changes import mode as set_mode
from mcastd.service.metrics import AgentCollector
from mcastd.service.refresh_views import refresh_status
from support.played_agent import Played, a_link, packed
from support.queries import igmp_query, mld_query
from support.stepped import play

ROOT = Caller(0, 1, "player")
GROUPS = {"igmp": "239.1.2.3", "mld": "ff15::1"}
KERNELS = {"igmp": "239.1.2.4", "mld": "ff15::2"}
HOST = {"mode": "host", "refresh": "60s"}


def told(
    monkeypatch: pytest.MonkeyPatch,
    section: dict[str, Any],
    story: Callable[[Played], Awaitable[None]],
) -> None:
    """An interface with a group of the agent's own and one of the kernel's, in each family."""

    async def whole() -> None:
        played = Played({"eth0": section})
        try:
            await played.link(a_link("eth0"))
            await played.address("192.0.2.10")
            await played.address("fe80::10")
            for name in FAMILIES:
                await played.joins(packed(KERNELS[name]))
                if section["mode"] == "host":
                    join(played.agent, ROOT, {"name": "eth0", "group": GROUPS[name]})
            await story(played)
        finally:
            played.close()

    play(monkeypatch, whole)


def said(played: Played, group: str) -> int:
    return len([each for _, each in played.machine.wire.sent if packed(group) in each])


def asked(played: Played) -> int:
    """How often the kernel has been."""
    return len(played.fast_path.injected)


def state(played: Played, name: str = "igmp") -> Any:
    return refresh_status(played.interface("eth0").observers[name])


def counted(played: Played, name: str) -> int:
    """As the metric has it."""
    families = AgentCollector(played.agent).collect()
    (of_refresh,) = (each for each in families if each.name == "mcastd_refreshes")
    (sample,) = (each for each in of_refresh.samples if each.labels["protocol"] == name)
    assert int(sample.value) == state(played, name)["count"]
    return int(sample.value)


def test_the_agent_reports_its_own_and_has_the_kernel_report_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(played: Played) -> None:
        await played.settle(20)
        before = {name: said(played, group) for name, group in GROUPS.items()}
        questions, counts = asked(played), {name: counted(played, name) for name in GROUPS}
        await played.settle(60 + 10 + 9 * 60)
        for name, group in GROUPS.items():
            assert 9 <= said(played, group) - before[name] <= 11
            assert abs(counted(played, name) - counts[name] - 10) <= 1
            assert said(played, KERNELS[name]) == 0
            assert state(played, name)["state"] == "running"
            assert 0 <= state(played, name)["next_in"] <= 60
        assert 18 <= asked(played) - questions <= 22

    told(monkeypatch, HOST, story)


def test_under_a_cap_the_agent_reports_all_and_asks_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(played: Played) -> None:
        await played.settle(20)
        before = {name: said(played, group) for name, group in KERNELS.items()}
        questions = asked(played)
        await played.settle(60 + 10 + 4 * 60)
        for name, group in KERNELS.items():
            assert 4 <= said(played, group) - before[name] <= 6
        assert asked(played) == questions
        assert min(counted(played, name) for name in KERNELS) >= 4

    told(monkeypatch, {**HOST, "igmp_max_version": 2, "mld_max_version": 1}, story)


def test_it_ends_with_a_querier_and_begins_again_when_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(played: Played) -> None:
        await played.settle(70)
        await played.hears(igmp_query(3, "192.0.2.1"))
        await played.hears(mld_query(2, "fe80::1"))
        await played.settle(20)
        before, questions = {each: said(played, each) for each in GROUPS.values()}, asked(played)
        await played.settle(225)
        assert {each: said(played, each) for each in GROUPS.values()} == before
        assert asked(played) == questions
        assert {state(played, name)["state"] for name in FAMILIES} == {"querier"}
        assert 0 < state(played)["next_in"] < 10
        await played.settle(20)
        assert {each: said(played, each) - before[each] for each in before} == dict.fromkeys(
            before, 1
        )
        assert {state(played, name)["state"] for name in FAMILIES} == {"running"}

    told(monkeypatch, HOST, story)


def test_in_observe_mode_nothing_is_said_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(played: Played) -> None:
        await played.settle(600)
        assert (played.machine.wire.sent, asked(played)) == ([], 0)
        nothing = {"interval": 60, "state": "observing", "next_in": None, "count": 0}
        assert state(played) == nothing

        set_mode(played.agent, ROOT, {"name": "eth0", "mode": "host"})
        await played.settle(1)
        questions = asked(played)
        await played.settle(71)
        assert state(played)["state"] == "running"
        assert asked(played) > questions

        set_mode(played.agent, ROOT, {"name": "eth0", "mode": "observe"})
        questions = asked(played)
        await played.settle(600)
        assert asked(played) == questions

    told(monkeypatch, {**HOST, "mode": "observe"}, story)


def test_nothing_is_said_unasked_if_it_is_not_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(played: Played) -> None:
        await played.settle(30)
        before = {each: said(played, each) for each in GROUPS.values()}
        await played.settle(3600)
        assert {each: said(played, each) for each in GROUPS.values()} == before
        assert state(played) is None

    told(monkeypatch, {"mode": "host"}, story)
