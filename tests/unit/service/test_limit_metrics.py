"""How near the limits are is a metric, by the setting that raises each."""

from __future__ import annotations

import pytest
from mcastd.service.limit_metrics import uses
from mcastd.service.owned import Owned
from support.played_agent import Played, a_link
from support.stepped import play

Found = dict[str, tuple[int, int]]


def found(played: Played) -> Found:
    return {each.key: (each.used, each.limit) for each in uses(played.agent)}


def test_what_there_is_stands_beside_what_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> tuple[Found, Found]:
        played = Played({"eth0": {}}, memberships=3, max_interfaces=2)
        try:
            before = found(played)
            await played.link(a_link("eth0"))
            asked = Owned("eth0", "239.1.1.1", "exclude", (), "api:player", held=True)
            played.agent.owned.put(asked)
            return before, found(played)
        finally:
            played.close()

    before, after = play(monkeypatch, story)
    assert before["agent.max_interfaces"] == (0, 2)
    assert before["control.memberships"] == (0, 3)
    assert after["agent.max_interfaces"] == (1, 2)
    assert after["control.memberships"] == (1, 3)
    assert after["control.clients"] == (0, 256)


def test_what_a_reload_cannot_change_is_shown_as_it_is_in_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> Found:
        played = Played({"eth0": {}}, max_interfaces=2)
        try:
            agent = played.agent
            agent.settings = agent.settings._replace(max_interfaces=9, memberships=7)
            return found(played)
        finally:
            played.close()

    after = play(monkeypatch, story)
    assert after["agent.max_interfaces"] == (0, 2)
    assert after["control.memberships"] == (0, 7)
