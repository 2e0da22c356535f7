"""Days in which all is well, as Prometheus would have scraped them: the hosts of one link.

What happens in any week is in them: a query is lost now and then, a querier hands over to another,
a host is started anew, somebody sends a few broken messages.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from support.promtool import Series

DAY = 24 * 60
QUERY_INTERVAL = 125.0

LOST_QUERIES = 0.002
"""Of those that are sent; two in a row would be a silent querier for the host that lost them."""

OTHER_QUERIER_PRESENT = 255.0
"""How long the other querier waits before it asks (RFC 9776 section 8.5), seconds."""


ABSENT = "stale"
"""A sample that a scrape did not find: Prometheus takes the series as ended."""


class Span(NamedTuple):
    """How long, and how often it is scraped, both in minutes."""

    minutes: int
    step: int

    @property
    def taken_over_at(self) -> float:
        """When the querier hands over to another, seconds from the start."""
        return self.minutes * 60 / 2

    @property
    def scrapes(self) -> range:
        return range(0, self.minutes, self.step)


def queries(span: Span, dice: random.Random) -> list[float]:
    """When the link's querier asks, in seconds from the start."""
    times, now, is_taken_over = [], 3.0, False
    while now < span.minutes * 60:
        times.append(now)
        wait = QUERY_INTERVAL + dice.uniform(0, 0.2)
        if not is_taken_over and now > span.taken_over_at:
            wait, is_taken_over = OTHER_QUERIER_PRESENT, True
        now += wait
    return times


def healthy(span: Span, hosts: int, seed: int) -> Iterator[Series]:
    """The series of all hosts."""
    dice = random.Random(seed)
    asked = queries(span, dice)
    for number in range(hosts):
        yield from one(f"host{number}", span, asked, dice)


def one(instance: str, span: Span, asked: list[float], dice: random.Random) -> Iterator[Series]:
    heard = heard_of(span, asked, dice)
    booted = dice.randrange(60, span.minutes - 60)
    down = range(booted, booted + dice.randrange(2, 5))
    where = {"job": "mcastd", "instance": instance, "namespace": "", "site": "north"}
    link = {**where, "interface": "eth0", "protocol": "igmp"}

    def series(metric: str, labels: dict[str, str], values: list[str]) -> Series:
        kept = [
            ABSENT if minute in down else value
            for minute, value in zip(span.scrapes, values, strict=True)
        ]
        return Series(metric, labels, kept)

    def steady(metric: str, value: str, **labels: str) -> Series:
        return series(metric, {**where, **labels}, [value] * len(span.scrapes))

    def counting(metric: str, chance: float, **labels: str) -> Series:
        return series(metric, {**where, **labels}, counts(span, down.start, chance, dice))

    for protocol in ("igmp", "mld"):
        family = {"interface": "eth0", "protocol": protocol}
        yield steady("mcastd_groups", "4", mode="exclude", **family)
        yield steady("mcastd_compatibility_version", "2", **family)
        yield steady("mcastd_max_version", "2", **family)
        yield steady("mcastd_queries_unanswered_total", "0", **family)
        yield counting("mcastd_rejected_messages_total", 0.2, reason="bad_ttl", **family)
        last = series(
            "mcastd_querier_last_query_timestamp_seconds",
            {**link, "protocol": protocol},
            last_heard(span, heard, down),
        )
        yield last
        # A querier of IGMPv3 says its interval; one of MLDv1 does not, and two queries show it.
        interval = "interval" if protocol == "igmp" else "observed_interval"
        present = [ABSENT if value == ABSENT else "125" for value in last.samples]
        yield series(f"mcastd_querier_{interval}_seconds", {**link, "protocol": protocol}, present)
    for ring in ("query", "report"):
        yield steady("mcastd_flood_active", "0", interface="eth0", ring=ring)
        yield steady("mcastd_floods_total", "0", interface="eth0", ring=ring)
        yield steady(
            "mcastd_events_lost_total", "0", interface="eth0", ring=ring, cause="ring_full"
        )
    yield steady("mcastd_interface_mode_info", "1", interface="eth0", mode="host", hook="xdp")
    yield steady("mcastd_faults_total", "0", of="connection")
    yield steady("mcastd_limit", "256", limit="control.clients")
    yield counting("mcastd_limit_used", 0.001, limit="control.clients")
    for state, streams in (("live", "4"), ("unwanted", "2"), ("stalled", "0"), ("lossy", "0")):
        yield steady("mcastd_streams", streams, interface="eth0", state=state)
    yield steady("mcastd_build_info", "1", version="0.1.0")
    ages = [f"{dice.uniform(0, 1.2):.2f}" for _ in span.scrapes]
    yield series("mcastd_heartbeat_age_seconds", where, ages)
    yield Series("up", where, ["0" if minute in down else "1" for minute in span.scrapes])


def heard_of(span: Span, asked: list[float], dice: random.Random) -> list[float]:
    """The queries that reach a host: of two that follow each other, one at least."""
    heard = asked[:1]
    was_lost = False
    for at in asked[1:]:
        near_handover = abs(at - span.taken_over_at) < 3 * OTHER_QUERIER_PRESENT
        was_lost = not was_lost and not near_handover and dice.random() < LOST_QUERIES
        if not was_lost:
            heard.append(at)
    return heard


def last_heard(span: Span, heard: list[float], down: range) -> list[str]:
    """At each scrape, when the last query was heard since the agent was started."""
    values = []
    for minute in span.scrapes:
        index = bisect_right(heard, minute * 60) - 1
        since_start = minute < down.start or heard[index] >= down.stop * 60
        values.append(f"{heard[index]:.1f}" if index >= 0 and since_start else ABSENT)
    return values


def counts(span: Span, restarted: int, chance: float, dice: random.Random) -> list[str]:
    """Of a counter that begins anew when the host is started, and else goes up by `chance`."""
    values, count = [], 0
    for minute in span.scrapes:
        is_new = restarted <= minute < restarted + span.step
        count = 0 if is_new else count + (dice.random() < chance)
        values.append(str(count))
    return values
