"""What those who watch are told: each event's JSON, as it is in tests/golden/events.json.

A story on a played machine makes all of them. MCASTD_GOLDEN=write takes over what it makes.
"""

from __future__ import annotations

import errno
import json
import os
from typing import Any

import pytest
from mcastd.fastpath.counters import RINGS, ZERO, Counters
from mcastd.gmp.filters import exclude
from mcastd.native import SourceList
from mcastd.service import changes, modes
from mcastd.service.callers import Caller
from mcastd.service.mode import Mode
from mcastd.service.requests import Parameters
from mcastd.streams import Key
from mcastd.streams.pair_states import PairEvent, PairState
from mcastd.streams.pairs import Pair, parse_interface_leg
from mcastd.streams.states import Event as StreamEvent
from mcastd.streams.states import State
from support.golden import GOLDEN
from support.played_agent import INDEX, Played, a_link, events_of, packed
from support.queries import igmp_query, igmp_report, mld_query
from support.stepped import play

EVENTS = GOLDEN / "events.json"
EVERYTHING = exclude(SourceList(b"", 4))


async def told(played: Played) -> list[dict[str, Any]]:
    """All that happens in a story in which everything does."""
    with played.watching() as watcher:
        await of_kernel(played)
        await of_queriers(played)
        await of_host_mode(played)
        await of_streams(played)
        await of_links(played)
        await of_floods(played)
        return await events_of(watcher)


async def of_kernel(played: Played) -> None:
    await played.link(a_link("eth0"))
    await played.address("192.0.2.10")
    await played.address("fe80::10")
    for group, *sources in (("239.1.2.3", "10.0.0.2", "10.0.0.1"), ("ff15::1", "2001:db8::1")):
        await played.joins(packed(group), *map(packed, sources), include=True)
        await played.joins(packed(group), packed(sources[0]))
        await played.leaves(packed(group))


async def of_queriers(played: Played) -> None:
    await played.joins(packed("239.1.2.3"))
    await played.hears(igmp_query(3, "192.0.2.1"))
    await played.hears(mld_query(2, "fe80::1"))
    await played.hears(igmp_query(2, "192.0.2.2"))
    await played.hears(igmp_report(2, "192.0.2.11", "239.1.2.3"), ring="report")
    await played.settle(20)  # nobody answers
    await played.settle(300)  # the older querier is forgotten
    await played.hears(igmp_query(3, "192.0.2.9"))
    await played.link(a_link("named0", INDEX + 2))
    await played.hears(igmp_query(3, "192.0.2.66"), index=INDEX + 2)
    await played.gone(INDEX + 2)


async def of_host_mode(played: Played) -> None:
    agent, caller = played.agent, Caller(0, 1, "test")
    first: Parameters = {"name": "eth0", "group": "232.1.1.1", "as": "app"}
    second = first.copy()
    first["sources"] = ["10.0.0.1", "10.0.0.2"]
    second["sources"] = ["10.0.0.1", "10.0.0.3"]
    modes.set_by_hand(agent, played.interface("eth0"), Mode.HOST)
    await played.settle()
    changes.join(agent, caller, first)
    await played.settle()
    changes.join(agent, caller, second)
    await played.hears(igmp_query(2, "192.0.2.2"))
    await played.settle()
    changes.leave(agent, caller, {"name": "eth0", "group": "232.1.1.1", "as": "app"})
    await played.settle()
    agent.memberships.listen_for(
        played.interface("eth0"), "api:app", packed("10.1.1.1"), EVERYTHING
    )
    played.fast_path.counted["eth0"] = lost("egress", 3)
    await played.settle(2)
    modes.set_by_hand(agent, played.interface("eth0"), Mode.OBSERVE)
    await played.settle()


async def of_streams(played: Played) -> None:
    key = Key(INDEX, (7,), packed("10.0.0.1"), packed("239.1.2.3"), 5004)
    events = [
        StreamEvent(0, key, State.LIVE, None),  # type: ignore[arg-type]
        StreamEvent(0, (INDEX, packed("239.1.2.9")), State.SILENT, State.LIVE),  # type: ignore[arg-type]
    ]
    played.agent.streams._tell(events)
    pair = Pair(*(parse_interface_leg(f"eth{n} 239.1.2.3:5004") for n in (0, 1)))
    for state, before, problem in (
        (PairState.PROTECTED, None, None),
        (PairState.APART, PairState.PROTECTED, "formats differ: a is rtp, b is sacn"),
    ):
        event = PairEvent(0, pair, state, before, problem)  # type: ignore[arg-type]
        played.agent.streams.pairs._tell(event)


async def of_links(played: Played) -> None:
    await played.link(a_link("eth0", is_running=False))
    await played.link(a_link("eth0", active_port=3))
    await played.link(a_link("eth0", active_port=3), resends=True)
    await played.link(a_link("eth0", active_port=3, has_multicast=False))
    await played.link(a_link("eth0", active_port=3))
    played.fast_path.attached[INDEX].detach()
    await played.settle(5)
    played.fast_path.refusal = OSError(errno.EBUSY, "Device or resource busy")
    await played.link(a_link("eth1", INDEX + 1))
    await played.settle(15)
    await played.link(a_link("eth2", INDEX + 1))
    await played.gone(INDEX + 1)
    played.fast_path.is_deaf = True
    await played.settle(30)
    played.fast_path.is_deaf = False
    await played.settle(15)


async def of_floods(played: Played) -> None:
    played.fast_path.counted["eth0"] = lost("query", 1000)
    await played.settle(3)
    await played.settle(10)


def lost(ring: str, count: int) -> Counters:
    """So many events of a ring beyond its limit."""
    rings = [(0, count) if each == ring else (0, 0) for each in RINGS]
    return ZERO._replace(lost=tuple(rings))


def without_time(event: dict[str, Any]) -> dict[str, Any]:
    """All but when, which is a number in its place."""
    assert isinstance(event["ts"], float)
    return event | {"ts": 0}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    async def story() -> list[dict[str, Any]]:
        played = Played({"eth*": {}, "named0": {"queriers": ["192.0.2.1"]}})
        try:
            return await told(played)
        finally:
            played.close()

    return play(monkeypatch, story)


def test_each_event_is_the_same_json_as_ever(made: list[dict[str, Any]]) -> None:
    lines = [json.dumps(without_time(each)) + "\n" for each in made]
    if os.environ.get("MCASTD_GOLDEN") == "write":
        EVENTS.write_text("".join(lines))
    assert lines == EVENTS.read_text().splitlines(keepends=True)
