"""Queriers that are named: queries of others are refused, cost nothing, and reach no kernel."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from mcastd.fastpath.policies import Limit, Policy
from mcastd.fastpath.ring import Fate
from mcastd.wire import Reason
from support.flood import all_frames
from support.kernel_programs import (
    EVERYTHING,
    LOOPBACK,
    PASSES,
    STOPS,
    KernelPrograms,
    expected,
    is_runnable,
    parts_of,
)
from support.mutants import OWN, mutants
from support.queries import igmp_query, igmp_report, mld_query
from support.waiting import STRETCH

pytestmark = pytest.mark.bpf

INGRESS = pytest.mark.parametrize("program", ["mcast_xdp", "mcast_ingress"])
LISTS: Sequence[tuple[str, ...]] = (
    ("192.0.2.1",), ("fe80::1",), ("192.0.2.0/29", "fe80::/64"), ("10.0.0.0/8", "fe80:0:0:1::/64"),
    ("0.0.0.0/32",), ("0.0.0.0/0", "::/0"),
)  # fmt: skip
HOST = Policy(host_mode=True, discard_floods=True, queries=Limit(1000, 200))
NAMED = ("192.0.2.1", "fe80::1")
STRANGERS = (
    igmp_query(3, "192.0.2.9"), igmp_query(2, "192.0.2.9"), igmp_query(1, "192.0.2.9"),
    igmp_query(3, "192.0.2.9", group="239.1.1.1"), mld_query(2, "fe80::9"), mld_query(1, "fe80::9"),
)  # fmt: skip
TRUE = (igmp_query(3, "192.0.2.1"), igmp_query(2, "192.0.2.1"), mld_query(2, "fe80::1"))


@INGRESS
@pytest.mark.parametrize("named", LISTS, ids=" ".join)
def test_natively_and_in_the_kernel_the_same_queriers_are_refused(
    fresh: KernelPrograms, program: str, named: tuple[str, ...]
) -> None:
    fresh.assign(*OWN)
    fresh.name_queriers(EVERYTHING, *named)
    frames = [each.frame for each in all_frames(*OWN[:2])] + list(
        mutants(round(500 / STRETCH), 9776)
    )
    refused = 0
    for frame in (*frames, *STRANGERS, *TRUE):
        if not is_runnable(program, frame):
            continue
        wanted, seen = expected(frame, program, OWN, named), fresh.run(program, frame)
        assert (seen.value, seen.counted) == (PASSES[program], wanted.counted)
        assert [parts_of(each) for each in seen.events] == (
            [wanted.message] if wanted.message else []
        )
        refused += any(each.endswith("unlisted_querier") for each in seen.counted)
    assert refused > 0 or named == LISTS[-1]


@INGRESS
def test_in_host_mode_strangers_queries_reach_no_kernel_and_are_told_once(
    fresh: KernelPrograms, program: str
) -> None:
    fresh.name_queriers(HOST, *NAMED)
    fresh.beat()
    for frame in STRANGERS:
        first, second = fresh.run(program, frame), fresh.run(program, frame)
        assert (first.value, second.value) == (STOPS[program], STOPS[program])
        assert [each.reason for each in first.events] in ([Reason.UNLISTED_QUERIER], [])
        assert second.events == ()
    for frame in TRUE:
        seen = fresh.run(program, frame)
        assert (seen.value, [each.reason for each in seen.events]) == (PASSES[program], [0])


@INGRESS
def test_what_is_refused_for_more_than_its_querier_reaches_no_kernel_either(
    fresh: KernelPrograms, program: str
) -> None:
    """Linux believes queries of any TTL."""
    far = igmp_query(2, "192.0.2.9", ttl=9)
    fresh.use(HOST)
    fresh.beat()
    assert fresh.run(program, far).value == PASSES[program]

    fresh.name_queriers(HOST, *NAMED)
    seen = fresh.run(program, far)

    assert (seen.value, seen.counted) == (STOPS[program], ("rx igmp bad_ttl",))


@INGRESS
def test_without_a_heartbeat_the_kernel_has_all(fresh: KernelPrograms, program: str) -> None:
    fresh.name_queriers(HOST, *NAMED)
    fresh.beat(until=0)
    for frame in STRANGERS:
        assert fresh.run(program, frame).value == PASSES[program]


def test_a_flood_of_strangers_takes_nothing_from_those_that_are_named(
    fresh: KernelPrograms,
) -> None:
    fresh.name_queriers(HOST, *NAMED)
    fresh.beat()
    before = fresh.counters()
    for frame in STRANGERS:
        fresh.repeat("mcast_xdp", frame, round(100_000 / STRETCH))
    told = fresh.drain("query")
    for _ in range(50):
        for frame in TRUE:
            assert len(fresh.run("mcast_xdp", frame).events) == 1

    after = fresh.counters()
    lost = [b - a for a, b in zip(sum(before.lost, ()), sum(after.lost, ()), strict=True)]
    assert lost == [0] * len(lost)
    assert len(told) <= len({each.kind for each in told}) == 5


def test_a_family_of_which_none_is_named_believes_all(fresh: KernelPrograms) -> None:
    fresh.name_queriers(EVERYTHING, "192.0.2.1")
    assert fresh.run("mcast_xdp", STRANGERS[0]).counted == ("rx igmp unlisted_querier",)
    assert fresh.run("mcast_xdp", mld_query(2, "fe80::9")).counted == ("rx mld query 2",)


def test_who_is_no_longer_named_is_a_stranger(fresh: KernelPrograms) -> None:
    fresh.name_queriers(EVERYTHING, "192.0.2.1", "192.0.2.9")
    assert fresh.run("mcast_xdp", STRANGERS[0]).counted == ("rx igmp query 3",)
    fresh.name_queriers(EVERYTHING, "192.0.2.1")
    assert fresh.run("mcast_xdp", STRANGERS[0]).counted == ("rx igmp unlisted_querier",)
    fresh.name_queriers(EVERYTHING)
    assert fresh.run("mcast_xdp", STRANGERS[0]).counted == ("rx igmp query 3",)


def test_a_report_to_this_host_alone_suppresses_nothing(fresh: KernelPrograms) -> None:
    """No querier heard it; Linux has the same rule."""
    fresh.use(Policy())
    group = bytes((239, 1, 1, 1))
    fresh.delay(group)
    report = igmp_report(2, "192.0.2.9", "239.1.1.1")
    ours = bytes.fromhex("020000000001")

    assert len(fresh.run("mcast_xdp", report).events) == 1
    assert fresh.run("mcast_xdp", ours + report[6:]).events == ()


def test_a_question_to_ourselves_comes_out_of_the_ring_and_is_counted_nowhere(
    fresh: KernelPrograms,
) -> None:
    asking = bytes.fromhex("020000000099")
    fresh.use(HOST._replace(asking=asking))
    question = asking + asking + igmp_query(3, "0.0.0.0")[12:]
    before = fresh.counters()

    seen = fresh.run("mcast_xdp", question)

    (event,) = seen.events
    assert (event.fate, event.ifindex, seen.value) == (Fate.PROBE, LOOPBACK, PASSES["mcast_xdp"])
    assert fresh.counters() == before
    to_the_kernel = igmp_query(3, "0.0.0.0")[:6] + asking + igmp_query(3, "0.0.0.0")[12:]
    assert fresh.run("mcast_xdp", to_the_kernel).events == ()
