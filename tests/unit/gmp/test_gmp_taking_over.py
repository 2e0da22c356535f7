"""Requests that the routers know of already, from whoever spoke for this host before."""

from __future__ import annotations

from mcastd.gmp.counters import Counted
from mcastd.gmp.events import LinkDown, Listen, Resume, SayAgain
from mcastd.gmp.family import Address
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.records import GroupRecord, RecordType
from support.network import Network
from support.timeline import Timeline


def known(group: Address, wanted: SourceFilter) -> Listen:
    return Listen("kernel", group, wanted, is_known=True)


def test_a_known_request_is_not_reported(net: Network) -> None:
    timeline = Timeline(net).takes(known(net.g1, net.everything)).at(100)

    assert timeline.sent() == []
    assert dict(timeline.host.groups) == {net.g1: net.everything}


def test_a_known_request_is_part_of_every_answer(net: Network) -> None:
    timeline = Timeline(net).takes(known(net.g1, net.everything)).hears(net.query()).at(100)

    record = GroupRecord(RecordType.MODE_IS_EXCLUDE, net.g1, net.sources())
    assert timeline.sent() == [(10, [record])]


def test_the_known_end_of_a_request_stops_what_was_still_to_be_repeated(net: Network) -> None:
    timeline = Timeline(net).listens(net.g1, net.everything, "kernel")
    timeline.sent()

    assert timeline.takes(known(net.g1, net.nothing)).at(100).sent() == []


def test_whoever_spoke_before_counts_as_the_last_reporter(net: Network) -> None:
    """RFC 2236 §3, RFC 2710 §4: else the leave could go unsaid."""
    timeline = Timeline(net, max_version=net.older).takes(known(net.g1, net.everything))
    timeline.at(50).takes(Listen("kernel", net.g1, net.nothing))

    assert timeline.sent() == [(50, net.sent_leave(net.g1))]


def test_a_counter_is_read_by_what_it_counts(net: Network) -> None:
    timeline = Timeline(net).hears(net.query())

    assert timeline.host.statistics.value(Counted.QUERY) == 1


def test_after_a_restart_all_is_told_once_as_if_somebody_asked(net: Network) -> None:
    timeline = Timeline(net).takes(known(net.g1, net.everything)).takes(Resume()).at(100)

    record = GroupRecord(RecordType.MODE_IS_EXCLUDE, net.g1, net.sources())
    assert timeline.sent() == [(1, [record])]


def test_a_group_is_said_again_at_once_and_once(net: Network) -> None:
    timeline = Timeline(net).takes(known(net.g1, net.everything))
    timeline.at(5).takes(SayAgain(net.g1)).takes(SayAgain(net.g2)).at(100)

    record = GroupRecord(RecordType.MODE_IS_EXCLUDE, net.g1, net.sources())
    assert timeline.sent() == [(5, [record])]


def test_a_group_is_said_again_before_the_link_is_known_to_be_up(net: Network) -> None:
    """What took away from it has left by the link: it is up, and nobody has told of it yet."""
    timeline = Timeline(net).takes(known(net.g1, net.everything)).takes(LinkDown())
    timeline.at(5).takes(SayAgain(net.g1)).at(6)

    record = GroupRecord(RecordType.MODE_IS_EXCLUDE, net.g1, net.sources())
    assert timeline.sent() == [(5, [record])]


def test_a_group_said_again_in_an_older_version_is_one_of_the_reports_owed(net: Network) -> None:
    timeline = Timeline(net, max_version=net.older).listens(net.g1, net.everything)
    timeline.at(1).takes(SayAgain(net.g1)).at(100)

    assert timeline.sent() == [(0, net.sent_report(net.g1)), (1, net.sent_report(net.g1))]
