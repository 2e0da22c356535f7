"""Strategies for what can happen to a host: sensible, stupid and hostile alike."""

from __future__ import annotations

from hypothesis import strategies as st
from mcastd.gmp.config import HostConfig
from mcastd.gmp.events import (
    Change,
    ChangeListening,
    Configure,
    Event,
    LinkDown,
    LinkUp,
    Listen,
    SourceAddressChanged,
)
from mcastd.gmp.family import Address
from mcastd.gmp.filters import SourceFilter, exclude, include
from mcastd.gmp.messages import MembershipReport, Other, Query, RecordReport
from mcastd.gmp.time import Duration, milliseconds, seconds
from mcastd.native import SourceList

from support.network import Network

LONGEST_RESPONSE = milliseconds(8_387_584)
"""What the largest code of an MLDv2 query says (RFC 9777 §5.1.3)."""

Step = tuple[Duration, Event]
"""What happens, and how long after what happened before."""


def pauses() -> st.SearchStrategy[Duration]:
    """From standing still to longer than any timer of the default configuration."""
    short = st.integers(0, seconds(2)).map(Duration)
    return st.one_of(
        st.just(Duration(0)), short, st.sampled_from([seconds(n) for n in (5, 10, 61, 400)])
    )


def sources(net: Network) -> st.SearchStrategy[SourceList]:
    some = st.lists(st.sampled_from([net.s1, net.s2, net.s3, net.s4]), max_size=4)
    return some.map(lambda each: net.sources(*each))


def filters(net: Network) -> st.SearchStrategy[SourceFilter]:
    return st.builds(
        lambda mode, listed: mode(listed), st.sampled_from([include, exclude]), sources(net)
    )


def groups(net: Network) -> st.SearchStrategy[Address]:
    return st.sampled_from([net.g1, net.g2, net.ssm, net.link_local, net.all_hosts])


def listens(net: Network) -> st.SearchStrategy[Event]:
    return st.builds(Listen, st.sampled_from("ab"), groups(net), filters(net))


def changes(net: Network) -> st.SearchStrategy[Event]:
    source = st.one_of(st.none(), st.sampled_from([net.s1, net.s2, net.g1]))
    return st.builds(
        ChangeListening, st.sampled_from("ab"), st.sampled_from(Change), groups(net), source
    )


def queries(net: Network) -> st.SearchStrategy[Event]:
    """Also of versions that do not exist, about groups that are none, and to anybody."""
    anything = [net.family.unspecified, net.g1, net.g2, net.g3, net.ssm, net.all_hosts, net.s1]
    responses = st.one_of(
        st.sampled_from([Duration(0), Duration(1), seconds(10), LONGEST_RESPONSE]),
        st.integers(0, seconds(20)).map(Duration),
    )
    return st.builds(
        Query,
        version=st.integers(0, 4),
        source=st.sampled_from([net.querier, net.here, net.family.unspecified]),
        destination=st.sampled_from([net.all_hosts, net.g1, net.here]),
        group=st.sampled_from(anything),
        sources=sources(net),
        max_response=responses,
        older_max_response=responses,
        robustness=st.integers(0, 7),
        query_interval=st.sampled_from([Duration(0), seconds(1), seconds(125), seconds(31744)]),
        suppress=st.booleans(),
    )


def reports(net: Network) -> st.SearchStrategy[Event]:
    group = st.sampled_from([net.g1, net.g2, net.ssm, net.all_hosts, net.s1])
    return st.builds(
        MembershipReport, st.integers(0, 4), st.just(net.neighbour), st.just(net.g1), group
    )


def for_routers(net: Network) -> st.SearchStrategy[Event]:
    destination = net.family.all_report_routers
    others: list[Event] = [
        net.leave(net.g1),
        RecordReport(net.newest, net.neighbour, destination, (net.is_ex(net.g1),)),
        Other(0x13, net.neighbour, net.all_hosts),
    ]
    return st.sampled_from(others)


def circumstances(net: Network) -> st.SearchStrategy[Event]:
    some: list[Event] = [
        LinkDown(),
        LinkUp(),
        SourceAddressChanged(net.here),
        SourceAddressChanged(net.family.unspecified),
    ]
    return st.sampled_from(some)


def configurations(net: Network) -> st.SearchStrategy[HostConfig]:
    return st.fixed_dictionaries(
        {},
        optional={
            "max_version": st.sampled_from(net.family.versions),
            "robustness": st.integers(2, 7),
            "query_interval": st.sampled_from([1, 125]),
            "compat_enable": st.booleans(),
            "ovqp_formula": st.sampled_from(["rfc9776", "rfc3376"]),
            "leave_only_if_last_reporter": st.booleans(),
            "report_link_local_groups": st.booleans(),
            "ssm_enforce": st.booleans(),
            "ssm_ranges": st.sampled_from([[], ["232.0.0.0/8", "ff3x::/32"]]),
            "announce_version_change": st.booleans(),
            "uri_new": st.sampled_from([0.01, 1, 3600]),
        },
    ).map(lambda chosen: net.config(**chosen))


def events(net: Network) -> st.SearchStrategy[Event]:
    return st.one_of(
        listens(net),
        listens(net),
        changes(net),
        queries(net),
        queries(net),
        reports(net),
        for_routers(net),
        circumstances(net),
        st.builds(Configure, configurations(net)),
    )


def stories(net: Network) -> st.SearchStrategy[list[Step]]:
    return st.lists(st.tuples(pauses(), events(net)), max_size=30)
