"""What holds of a host whatever happens to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcastd.gmp.delays import RandomDelays
from mcastd.gmp.effects import (
    Effect,
    Listening,
    ReportsMatter,
    SendLeave,
    SendRecords,
    SendReport,
    VersionChanged,
)
from mcastd.gmp.events import Event, LinkDown, Listen
from mcastd.gmp.family import FAMILIES, Address, ProtocolFamily
from mcastd.gmp.host import Host
from mcastd.gmp.time import Duration, Instant, after
from support import stories
from support.network import Network
from support.reference import Model, Router, merged

NETWORKS = {family: Network(family) for family in FAMILIES.values()}
networks = st.sampled_from(list(NETWORKS.values()))
seeds = st.integers(0, 1000)


class Noted:
    """Random delays, and every instant that one of them led to."""

    def __init__(self, seed: int) -> None:
        self._delays = RandomDelays(Random(seed))
        self.now = Instant(0)
        self.deadlines: set[Instant] = set()

    def draw(self, limit: Duration) -> Duration:
        delay = self._delays.draw(limit)
        assert 0 < delay <= limit or delay == limit == 0
        self.deadlines.add(after(self.now, delay))
        return delay


class Walk:
    """A host through a story, each deadline met when it is due, with what it said each time."""

    def __init__(self, net: Network, seed: int, **tunables: object) -> None:
        self.net = net
        self.delays = Noted(seed)
        self.host = Host(net.family, net.config(**tunables), self.delays)

    def through(self, story: Iterable[stories.Step]) -> Iterator[tuple[Event | None, list[Effect]]]:
        """The event and its effects; no event where a timer was due."""
        now = Instant(0)
        for pause, event in story:
            now = after(now, pause)
            yield from self.until(now)
            yield event, self._done(now, self.host.handle(now, event))

    def until(self, now: Instant) -> Iterator[tuple[None, list[Effect]]]:
        while (due := self.host.next_deadline()) is not None and due <= now:
            self.delays.now = due
            yield None, self._done(due, self.host.advance(due))
        self.delays.now = now

    def _done(self, now: Instant, effects: list[Effect]) -> list[Effect]:
        """Records are taken out of their generators at once, as the shell does."""
        following = self.host.next_deadline()
        assert following is None or following > now
        return [
            SendRecords(tuple(each.records), each.is_state_change)
            if isinstance(each, SendRecords)
            else each
            for each in effects
        ]


walks = st.one_of(
    *(
        st.tuples(st.builds(Walk, st.just(net), seeds), stories.stories(net))
        for net in NETWORKS.values()
    )
)


@given(walks)
def test_the_merged_filter_is_the_models(walk_and_story: tuple[Walk, list[stories.Step]]) -> None:
    walk, story = walk_and_story
    wanted: dict[Address, dict[str, Model]] = {}
    for event, effects in walk.through(step for step in story if isinstance(step[1], Listen)):
        if isinstance(event, Listen) and event.group != walk.net.ssm:
            assert not any(isinstance(each, VersionChanged) for each in effects)
            wanted.setdefault(event.group, {})[event.application] = Model.of(event.filter)
    expected = {group: merged(several.values()) for group, several in wanted.items()}
    held = {group: Model.of(current) for group, current in walk.host.groups.items()}
    held.pop(walk.net.ssm, None)

    assert held == {group: model for group, model in expected.items() if model != Model()}


@given(networks, st.data(), st.integers(2, 4))
def test_a_router_ends_with_our_filters_though_reports_are_lost(
    net: Network, data: st.DataObject, robustness: int
) -> None:
    """As long as one of any Robustness Variable reports in a row about a group arrives."""
    listens = st.tuples(stories.pauses(), stories.listens(net))
    story = data.draw(st.lists(listens, max_size=12))
    walk = Walk(net, data.draw(seeds), robustness=robustness)
    router = Router()
    lost_in_a_row: dict[Address, int] = {}
    steps = list(walk.through(story)) + list(walk.until(Instant(2**62)))
    for _, effects in steps:
        for effect in effects:
            assert not isinstance(effect, SendReport | SendLeave)
            if not isinstance(effect, SendRecords):
                continue
            concerned = {record.group for record in effect.records}
            lost = {group: lost_in_a_row.get(group, 0) + 1 for group in concerned}
            if max(lost.values()) < robustness and data.draw(st.booleans()):
                lost_in_a_row |= lost
            else:
                router.hear(effect.records)
                lost_in_a_row |= dict.fromkeys(concerned, 0)

    unreported = {net.all_hosts}
    held = {group: Model.of(current) for group, current in walk.host.groups.items()}
    assert router.groups == {group: held[group] for group in held.keys() - unreported}


@given(walks)
def test_whatever_is_said_unasked_was_due_by_a_delay_or_an_older_querier(
    walk_and_story: tuple[Walk, list[stories.Step]],
) -> None:
    walk, story = walk_and_story
    host = walk.host
    ends: set[Instant] = set()
    for _ in walk.through(story):
        ends |= set(host.older_querier_deadlines.values())
        due = host.next_deadline()
        assert due is None or due in walk.delays.deadlines | ends


@given(walks)
def test_no_timer_fires_early_and_none_twice(
    walk_and_story: tuple[Walk, list[stories.Step]],
) -> None:
    walk, story = walk_and_story
    host = walk.host
    now = Instant(0)
    for pause, event in story:
        now = after(now, pause)
        due = host.next_deadline()
        if due is not None:
            assert host.advance(Instant(due - 1)) == []
            assert host.next_deadline() == due
        host.handle(now, event)
        assert host.advance(now) == []


@given(walks)
def test_no_timer_is_left_without_a_reason(
    walk_and_story: tuple[Walk, list[stories.Step]],
) -> None:
    walk, story = walk_and_story
    host = walk.host
    for _ in walk.through(story):
        held = {group: host.timers(group) for group in host.groups}
        leaving = {group: host.timers(group) for group in host.leaving}
        general = host.general_response_due is not None
        counted = sum(map(len, [*held.values(), *leaving.values()])) + general
        assert counted == host.running_timers
        assert all(timers.keys() == {"retransmission"} for timers in leaving.values())
        reasons = {"response", "retransmission"} if host.version == walk.net.newest else {"delay"}
        assert all(timers.keys() <= reasons for timers in held.values())
        if not host.link_is_up:
            assert host.next_deadline() is None

    host.handle(Instant(2**61), LinkDown())
    assert host.next_deadline() is None


@given(walks)
def test_everything_comes_to_rest(walk_and_story: tuple[Walk, list[stories.Step]]) -> None:
    walk, story = walk_and_story
    list(walk.through(story))
    steps = sum(1 for _ in walk.until(Instant(2**62)))

    assert walk.host.next_deadline() is None
    assert walk.host.leaving == []
    assert walk.host.version == min(walk.net.newest, walk.host.config.max_version)
    assert steps <= 7 * 5 + 3


@given(walks)
def test_what_is_sent_is_of_the_version_spoken(
    walk_and_story: tuple[Walk, list[stories.Step]],
) -> None:
    walk, story = walk_and_story
    version = walk.net.newest
    for _, effects in walk.through(story):
        for effect in effects:
            match effect:
                case VersionChanged():
                    assert effect.previous == version
                    version = effect.version
                case SendReport() | SendLeave():
                    assert effect.version == version
                case SendRecords():
                    assert version == walk.net.newest
                case _:
                    pass
        assert walk.host.version == version


@given(walks)
def test_others_reports_matter_exactly_while_a_delay_timer_runs(
    walk_and_story: tuple[Walk, list[stories.Step]],
) -> None:
    walk, story = walk_and_story
    mattering: set[Address] = set()
    for _, effects in walk.through(story):
        for effect in effects:
            if not isinstance(effect, ReportsMatter):
                continue
            if effect.groups is None:
                mattering.clear()
            elif effect.listening is Listening.STARTED:
                mattering |= set(effect.groups)
            else:
                mattering -= set(effect.groups)
        assert mattering == {g for g in walk.host.groups if "delay" in walk.host.timers(g)}


@given(walks)
def test_groups_that_are_not_reported_never_appear(
    walk_and_story: tuple[Walk, list[stories.Step]],
) -> None:
    walk, story = walk_and_story
    for _, effects in walk.through(story):
        for effect in effects:
            if isinstance(effect, SendRecords):
                assert walk.net.all_hosts not in {record.group for record in effect.records}
            elif isinstance(effect, SendReport | SendLeave):
                assert effect.group != walk.net.all_hosts


PREFIX = {"igmp": "igps_rcv_", "mld": "ipv6IfIcmpInGroupMemb"}
NAMES = {
    "igmp": ("total", "queries", "badqueries", "reports", "badreports", "ourreports"),
    "mld": ("Total", "Queries", "BadQueries", "Responses", "BadReports", "OurReports"),
}


@given(walks)
def test_counters_never_contradict_each_other(
    walk_and_story: tuple[Walk, list[stories.Step]],
) -> None:
    walk, story = walk_and_story
    name = walk.net.family.name
    before: dict[str, int] = walk.host.statistics.as_mapping()
    for _ in walk.through(story):
        values = walk.host.statistics.as_mapping()
        total, queries, bad_queries, reports, bad_reports, our_reports = (
            values[PREFIX[name] + each] for each in NAMES[name]
        )
        assert total >= queries + reports
        assert bad_queries <= queries
        assert our_reports <= reports - bad_reports
        assert all(values[each] >= before[each] for each in before)
        before = values


@given(networks, st.data())
def test_time_may_stand_still_or_go_back(net: Network, data: st.DataObject) -> None:
    """A packet's time is that of its arrival, and may be before what was done since."""
    host = Host(net.family, net.config(), RandomDelays(Random(1)))
    moments = st.integers(0, 10**11).map(Instant)
    for moment, event in data.draw(st.lists(st.tuples(moments, stories.events(net)), max_size=20)):
        for _ in range(2):
            for effect in host.handle(moment, event):
                if isinstance(effect, SendRecords):
                    list(effect.records)
        host.advance(moment)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_flood_of_events_leaves_no_heap_behind(family: ProtocolFamily) -> None:
    net = NETWORKS[family]
    host = Host(family, net.config(), RandomDelays(Random(1)))
    host.handle(Instant(0), Listen("a", net.g1, net.everything))
    for moment in range(0, 10**9, 10**5):
        host.handle(Instant(moment), net.query(net.g1, net.s1, max_response=10))
        host.handle(Instant(moment), net.query(max_response=10))

    assert host.running_timers <= 3
    assert len(host._speaker.reporter._timers._heap) < 200  # type: ignore[attr-defined]
