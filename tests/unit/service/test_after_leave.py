"""A membership is held after its leave, for as long as it was asked to be when it was joined."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcastd.service.callers import Caller
from mcastd.service.changes import end, join, leave
from mcastd.service.requests import RequestError, checked
from mcastd.service.views import groups
from support.played_agent import Played, a_link, packed
from support.stepped import play

GROUP = "239.1.2.3"
ROOT = Caller(0, 1, "player")
SECTION = {"eth0": {"mode": "host"}}


def asked(**fields: Any) -> Any:
    return {"name": "eth0", "group": GROUP, **fields}


def told(monkeypatch: pytest.MonkeyPatch, story: Callable[[Played], Awaitable[Any]]) -> Any:
    async def whole() -> Any:
        played = Played(SECTION)
        try:
            await played.link(a_link("eth0"))
            await played.address("192.0.2.1")
            return await story(played)
        finally:
            played.close()

    return play(monkeypatch, whole)


def is_received(played: Played) -> bool:
    return packed(GROUP) in played.interface("eth0").observers["igmp"].received.groups


def leaves_sent(played: Played) -> int:
    """Reports since the join's own: only a change says anything, nobody asks here."""
    return len([each for _, each in played.machine.wire.sent if packed(GROUP) in each])


def shown(played: Played) -> list[Any]:
    (group,) = (each for each in groups(played.agent) if each["group"] == GROUP)
    applications: Any = group["applications"]
    return list(applications)


def test_it_is_received_until_its_time_is_over_and_no_leave_is_sent_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(played: Played) -> None:
        join(played.agent, ROOT, asked(hold_after_leave=30))
        await played.settle(10)
        joined = leaves_sent(played)
        assert leave(played.agent, ROOT, asked()) == {"left": True, "held_for": 30}
        assert leave(played.agent, ROOT, asked()) == {"left": False}
        await played.settle(20)
        assert (is_received(played), leaves_sent(played)) == (True, joined)
        (application,) = shown(played)
        assert 9 < application["ends_in"] <= 10
        await played.settle(11)
        assert not is_received(played)
        assert leaves_sent(played) > joined
        assert played.agent.owned.total == 0

    told(monkeypatch, story)


def test_who_joins_again_in_time_goes_on_without_a_word_on_the_wire(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(played: Played) -> None:
        join(played.agent, ROOT, asked(hold_after_leave=30))
        await played.settle(10)
        joined = leaves_sent(played)
        leave(played.agent, ROOT, asked())
        await played.settle(20)
        join(played.agent, ROOT, asked(hold_after_leave=30))
        await played.settle(60)
        assert (is_received(played), leaves_sent(played)) == (True, joined)
        assert [each["ends_in"] for each in shown(played)] == [None]

    told(monkeypatch, story)


def test_another_process_of_the_program_takes_over_from_the_one_that_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(played: Played) -> None:
        agent = played.agent
        first, second = Caller(0, 10, "player"), Caller(0, 11, "player")
        answer: Any = join(agent, first, asked(hold=True, hold_after_leave=30))
        held = agent.owned.get("eth0", GROUP, answer["application"])
        assert held is not None
        await played.settle(10)
        joined = leaves_sent(played)
        end(agent, held)
        await played.settle(5)
        join(agent, second, asked(hold=True))
        await played.settle(60)
        assert (is_received(played), leaves_sent(played)) == (True, joined)
        assert agent.owned.total == 1

    told(monkeypatch, story)


def test_now_ends_it_whether_it_was_left_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(played: Played) -> None:
        for left_before in (True, False):
            join(played.agent, ROOT, asked(hold_after_leave=30))
            if left_before:
                leave(played.agent, ROOT, asked())
            assert leave(played.agent, ROOT, asked(now=True)) == {"left": True}
            assert not is_received(played)
        await played.settle(60)
        assert played.agent.owned.total == 0

    told(monkeypatch, story)


def test_an_interface_that_goes_meanwhile_takes_it_along(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(played: Played) -> None:
        join(played.agent, ROOT, asked(hold_after_leave=30))
        leave(played.agent, ROOT, asked())
        index = played.interface("eth0").index
        assert index is not None
        await played.gone(index)
        await played.settle(60)
        assert played.agent.owned.total == 0

    told(monkeypatch, story)


@pytest.mark.parametrize("value", [-1, 3601, 1.5, "30", True])
def test_any_other_time_is_refused_with_what_is_allowed(value: object) -> None:
    with pytest.raises(RequestError, match="from 0 to 3600"):
        checked("join", asked(hold_after_leave=value))
