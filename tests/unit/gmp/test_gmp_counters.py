"""What is counted under which name."""

from __future__ import annotations

import pytest
from mcastd.gmp.counters import REJECTIONS, Statistics
from mcastd.gmp.family import IGMP, MLD, ProtocolFamily
from mcastd.gmp.messages import Other, RecordReport
from support.network import Network
from support.timeline import Timeline


def counted(timeline: Timeline) -> dict[str, int]:
    """All that is not zero."""
    values = timeline.host.statistics.as_mapping()
    return {name: value for name, value in values.items() if value}


def rejected(
    family: ProtocolFamily, reason: str, message: str | None = None, *, readable: bool = False
) -> dict[str, int]:
    statistics = Statistics(family.counters)
    statistics.rejected(reason, message, readable=readable)
    return {name: value for name, value in statistics.as_mapping().items() if value}


def test_igmp_queries_are_counted_by_version_and_variant(igmp: Timeline) -> None:
    net = igmp.net
    igmp.hears(net.query(), net.query(net.g1), net.query(net.g1, net.s1))
    igmp.hears(net.query(version=2), net.query(net.g1, version=2), net.query(version=1))

    assert counted(igmp) == {
        "igps_rcv_total": 6,
        "igps_rcv_queries": 6,
        "igps_rcv_v1_queries": 1,
        "igps_rcv_v2_queries": 2,
        "igps_rcv_v3_queries": 3,
        "igps_rcv_gen_queries": 3,
        "igps_rcv_group_queries": 2,
        "igps_rcv_gsr_queries": 1,
    }


def test_mld_queries_are_counted_by_version_and_variant(mld: Timeline) -> None:
    net = mld.net
    mld.hears(net.query(), net.query(net.g1), net.query(net.g1, net.s1), net.query(version=1))

    prefix = "ipv6IfIcmpInGroupMemb"
    assert counted(mld) == {
        f"{prefix}Total": 4,
        f"{prefix}Queries": 4,
        f"{prefix}V1Queries": 1,
        f"{prefix}V2Queries": 3,
        f"{prefix}GeneralQueries": 2,
        f"{prefix}GroupQueries": 1,
        f"{prefix}GroupSourceQueries": 1,
    }


def test_bad_queries_are_queries_too(igmp: Timeline) -> None:
    net = igmp.net
    igmp.hears(net.query(net.s1), net.query(None, net.s1))

    values = counted(igmp)
    assert (values["igps_rcv_queries"], values["igps_rcv_badqueries"]) == (2, 2)


def test_reports_are_counted_with_those_of_our_groups_and_the_bad_ones(igmp: Timeline) -> None:
    net = igmp.net
    igmp.joins(net.g1).hears(net.report(net.g1), net.report(net.g2), net.report(net.s1))

    assert counted(igmp) == {
        "igps_rcv_total": 3,
        "igps_rcv_reports": 3,
        "igps_rcv_ourreports": 1,
        "igps_rcv_badreports": 1,
    }


def test_messages_for_routers_count_as_received(mld: Timeline) -> None:
    net = mld.net
    mld.hears(RecordReport(2, net.neighbour, net.family.all_report_routers, ()))
    mld.hears(Other(7, net.neighbour, net.all_hosts), net.leave(net.g1))

    assert counted(mld) == {
        "ipv6IfIcmpInGroupMembTotal": 3,
        "ipv6IfIcmpInGroupMembReductions": 1,
    }


def test_older_reports_and_leaves_count_when_they_are_ordered(igmp: Timeline) -> None:
    net = igmp.net
    igmp.configures(max_version=2).joins(net.g1).settles().leaves(net.g1)
    igmp.joins(net.g2).hears(net.report(net.g2))

    values = counted(igmp)
    assert values["igps_snd_reports"] == 4
    assert values["igps_snd_leaves"] == 1
    assert values["igps_suppressed"] == 1


def test_a_listeners_reports_and_dones_count_apart(mld: Timeline) -> None:
    net = mld.net
    mld.configures(max_version=1).joins(net.g1).settles().leaves(net.g1)

    assert counted(mld) == {
        "ipv6IfIcmpOutGroupMembResponses": 2,
        "ipv6IfIcmpOutGroupMembReductions": 1,
    }


def test_packets_of_records_and_failures_are_told_by_the_sender(igmp: Timeline) -> None:
    igmp.host.statistics.sent_records(3)
    igmp.host.statistics.failed_to_send()

    assert counted(igmp) == {"igps_snd_reports": 3, "igps_snd_errors": 1}


@pytest.mark.parametrize(
    ("reason", "message", "names"),
    [
        ("fragment", None, {"total"}),
        ("too_short", "query", {"total", "tooshort"}),
        ("bad_length", "query", {"total", "tooshort"}),
        ("bad_checksum", "query", {"badsum"}),
        ("bad_ttl", "report", {"total", "badttl"}),
        ("no_router_alert", "query", {"total", "nora"}),
        ("bad_source", "query", {"total"}),
        ("bad_destination", "query", {"total", "queries", "badqueries"}),
        ("bad_destination", "report", {"total", "reports", "badreports"}),
        ("bad_group", "query", {"total", "queries", "badqueries"}),
        ("bad_group", "report", {"total", "reports", "badreports"}),
        ("bad_group", "leave", {"total"}),
        ("bad_source_count", "query", {"total", "tooshort"}),
        ("unknown_type", None, {"total"}),
        ("loopback", "report", {"total"}),
        ("something new", "query", {"total"}),
    ],
)
def test_a_refused_igmp_packet_counts_by_its_reason(
    reason: str, message: str | None, names: set[str]
) -> None:
    assert rejected(IGMP, reason, message) == {f"igps_rcv_{name}": 1 for name in names}


def test_a_query_between_the_lengths_of_two_versions_is_counted_as_such(net: Network) -> None:
    """RFC 9776 §7.1, RFC 9777 §8.1."""
    between = {
        "igmp": {"igps_rcv_total": 1, "igps_rcv_tooshort": 1, "igps_rcv_wrongver": 1},
        "mld": {
            "ipv6IfIcmpInGroupMembTotal": 1,
            "ipv6IfIcmpInErrors": 1,
            "ipv6IfIcmpInGroupMembWrongVersion": 1,
        },
    }
    assert rejected(net.family, "too_short", "query", readable=True) == between[net.family.name]
    assert rejected(net.family, "bad_ttl", "query", readable=True) == rejected(
        net.family, "bad_ttl", "query"
    )


def test_a_refused_listener_packet_counts_by_its_reason() -> None:
    total = {"ipv6IfIcmpInGroupMembTotal": 1}

    assert rejected(MLD, "bad_source", "query") == {**total, "ipv6IfIcmpInErrors": 1}
    assert rejected(MLD, "bad_ttl") == {**total, "ipv6IfIcmpBadHoplimit": 1}
    assert rejected(MLD, "no_router_alert") == {**total, "ipv6IfIcmpInBadRouterAlert": 1}


def test_a_refusal_never_counts_more_bad_queries_than_queries(net: Network) -> None:
    statistics = Statistics(net.family.counters)
    for reason, message in REJECTIONS:
        statistics.rejected(reason, message)

    values = list(statistics.as_mapping().values())
    assert max(values) == statistics.as_mapping()[next(iter(statistics.as_mapping()))]
