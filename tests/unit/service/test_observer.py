"""What an observer makes of queries, and of the reports that leave the host."""

from __future__ import annotations

import pytest
from mcastd.gmp.effects import ReportsMatter, SendLeave, SendRecords, SendReport
from mcastd.gmp.family import ProtocolFamily
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.messages import Leave, MembershipReport, Message, Query, RecordReport
from mcastd.gmp.records import GroupRecord
from mcastd.gmp.time import Instant, milliseconds
from mcastd.service.observer import AT_ONCE, BREATHING_SPACE, Happening, Observer
from mcastd.wire import Kind, Note, Received
from support.network import Network


class Watched:
    """An observer, told things at times in milliseconds."""

    def __init__(self, net: Network) -> None:
        self.net = net
        self.family = net.family
        self.known_to_kernel: dict[bytes, SourceFilter] = {}
        self.observer = Observer(net.family, net.config(), self.known_to_kernel.get)

    def hears(self, at: int, message: Message, *notes: Note) -> list[Happening]:
        kind = next(
            kind for kind in Kind
            if kind.family is self.family and kind.type == type_of(message)
            and kind.version == message.version  # type: ignore[union-attr]
        )  # fmt: skip
        received = Received(message, kind, (), frozenset(notes))
        return self.observer.hear(Instant(milliseconds(at)), received)

    def says(self, at: int, *records: GroupRecord) -> list[Happening]:
        net = self.net
        message = RecordReport(net.newest, net.here, self.family.all_report_routers, records)
        return self.observer.overhear(Instant(milliseconds(at)), message)

    def says_older(self, at: int, group: bytes) -> list[Happening]:
        message = MembershipReport(self.net.older, self.net.here, group, group)
        return self.observer.overhear(Instant(milliseconds(at)), message)

    def leaves_older(self, at: int, group: bytes) -> list[Happening]:
        message = Leave(self.net.older, self.net.here, self.family.all_routers, group)
        return self.observer.overhear(Instant(milliseconds(at)), message)

    def holds(self, group: bytes) -> SourceFilter | None:
        return self.observer.host.groups.get(group)

    def advances(self, at: int) -> list[Happening]:
        return self.observer.advance(Instant(milliseconds(at)))

    @property
    def answered(self) -> int:
        return self.observer.responses.histogram.total


def many_sources(net: Network) -> list[bytes]:
    first, width = int.from_bytes(net.s1), net.family.address_width
    return [(first + i).to_bytes(width) for i in range(25)]


def type_of(message: Message) -> str:
    if isinstance(message, Query):
        return "query"
    return "leave" if isinstance(message, Leave) else "report"


@pytest.fixture
def watched(net: Network) -> Watched:
    return Watched(net)


def names(happenings: list[Happening]) -> list[str]:
    return [each.name for each in happenings]


# Records are applied to what is known.


def test_a_join_is_learnt_from_its_report(watched: Watched, net: Network) -> None:
    happenings = watched.says(0, net.to_ex(net.g1))

    assert watched.holds(net.g1) == net.exclude()
    assert names(happenings) == ["joined"]
    assert happenings[0].fields["group"] == net.family.format(net.g1)


def test_sources_come_and_go_record_by_record(watched: Watched, net: Network) -> None:
    watched.says(0, net.allow(net.g1, net.s1, net.s2))
    assert watched.holds(net.g1) == net.include(net.s1, net.s2)

    happenings = watched.says(100, net.allow(net.g1, net.s3), net.block(net.g1, net.s1))

    assert watched.holds(net.g1) == net.include(net.s2, net.s3)
    assert set(names(happenings)) == {"changed"}


def test_the_last_source_blocked_is_a_leave(watched: Watched, net: Network) -> None:
    watched.says(0, net.allow(net.g1, net.s1))

    happenings = watched.says(100, net.block(net.g1, net.s1))

    assert watched.holds(net.g1) is None
    assert names(happenings) == ["left"]


def test_a_change_to_include_nothing_is_a_leave(watched: Watched, net: Network) -> None:
    watched.says(0, net.to_ex(net.g1))

    assert names(watched.says(100, net.to_in(net.g1))) == ["left"]


def test_a_report_that_is_repeated_changes_nothing(watched: Watched, net: Network) -> None:
    watched.says(0, net.to_ex(net.g1, net.s1))

    assert watched.says(500, net.to_ex(net.g1, net.s1)) == []
    assert watched.observer.state_changes["kernel"] == 1


def test_current_state_records_replace_what_was_thought(watched: Watched, net: Network) -> None:
    watched.observer.seed(Instant(0), [(net.g1, net.include(net.s1))])

    watched.says(100, net.is_ex(net.g1))

    assert watched.holds(net.g1) == net.exclude()


def test_a_list_in_several_reports_is_one_list(watched: Watched, net: Network) -> None:
    sources = many_sources(net)
    watched.says(0, net.to_in(net.g1, *sources[:20]))
    watched.says(1, net.to_in(net.g1, *sources[20:]))
    watched.advances(100)

    assert watched.holds(net.g1) == net.include(*sources)


def test_a_long_list_that_nothing_follows_is_whole(watched: Watched, net: Network) -> None:
    sources = many_sources(net)
    watched.says(0, net.to_in(net.g1, *sources))
    watched.advances(100)

    assert watched.holds(net.g1) == net.include(*sources)


def test_parts_are_those_that_come_right_after_one_another(watched: Watched, net: Network) -> None:
    watched.says(0, net.to_in(net.g1, net.s1, net.s2))
    watched.says(900, net.to_in(net.g1, net.s3))

    assert watched.holds(net.g1) == net.include(net.s3)


def test_records_of_different_groups_are_no_parts(watched: Watched, net: Network) -> None:
    watched.says(0, net.is_in(net.g1, net.s1))
    watched.says(1, net.is_in(net.g2, net.s2))

    assert watched.holds(net.g1) == net.include(net.s1)
    assert watched.holds(net.g2) == net.include(net.s2)


def test_the_answer_to_a_query_about_sources_does_not_narrow_the_filter(
    watched: Watched, net: Network
) -> None:
    """RFC 9776 Table 5: it tells of the sources asked for, and of no others."""
    watched.says(0, net.allow(net.g1, net.s1, net.s2, net.s3))
    watched.hears(100, net.query(net.g1, net.s1, net.s4, max_response=1))

    watched.says(400, net.is_in(net.g1, net.s1))

    assert watched.holds(net.g1) == net.include(net.s1, net.s2, net.s3)
    assert watched.answered == 1


def test_later_current_state_is_the_whole_again(watched: Watched, net: Network) -> None:
    watched.says(0, net.allow(net.g1, net.s1, net.s2))
    watched.hears(100, net.query(net.g1, net.s1, max_response=1))
    watched.says(400, net.is_in(net.g1, net.s1))
    watched.hears(5000, net.query(max_response=1))

    watched.says(5400, net.is_in(net.g1, net.s1))

    assert watched.holds(net.g1) == net.include(net.s1)


def test_what_was_asked_before_a_leave_says_nothing_of_a_later_join(
    watched: Watched, net: Network
) -> None:
    watched.says(0, net.allow(net.g1, net.s1, net.s2))
    watched.hears(100, net.query(net.g1, net.s1, max_response=1))
    watched.says(200, net.to_in(net.g1))
    watched.says(300, net.allow(net.g1, net.s1, net.s2))

    watched.says(400, net.is_in(net.g1, net.s1))

    assert watched.holds(net.g1) == net.include(net.s1)


# Older versions have no sources.


def test_an_older_report_of_an_unknown_group_is_a_join(watched: Watched, net: Network) -> None:
    watched.says_older(0, net.g1)

    assert watched.holds(net.g1) == net.exclude()
    assert watched.observer.last_reported_version == net.older


def test_an_older_report_of_an_unknown_group_has_the_kernels_own_filter(
    watched: Watched, net: Network
) -> None:
    watched.known_to_kernel[net.g1] = net.include(net.s1)

    watched.says_older(0, net.g1)

    assert watched.holds(net.g1) == net.include(net.s1)


def test_an_older_report_does_not_forget_sources(watched: Watched, net: Network) -> None:
    watched.says(0, net.allow(net.g1, net.s1))

    assert watched.says_older(100, net.g1) == []
    assert watched.holds(net.g1) == net.include(net.s1)


def test_an_older_leave_ends_a_group(watched: Watched, net: Network) -> None:
    watched.says_older(0, net.g1)

    assert names(watched.leaves_older(100, net.g1)) == ["left"]


# Queriers.


def test_the_first_query_makes_a_querier(watched: Watched, net: Network) -> None:
    (happening,) = watched.hears(0, net.query())

    assert happening == Happening(
        "querier", {"address": net.family.format(net.querier), "version": net.newest}
    )
    assert watched.hears(100, net.query()) == []


def test_an_older_query_changes_the_version_and_says_for_how_long(
    watched: Watched, net: Network
) -> None:
    happenings = watched.hears(0, net.older_query())

    version = next(each for each in happenings if each.name == "version")
    assert (version.fields["from"], version.fields["to"]) == (net.newest, net.older)
    assert version.fields["querier"] == net.family.format(net.querier)
    assert watched.observer.compatibility_changes == {(net.newest, net.older): 1}


def test_the_newest_version_is_back_when_the_older_querier_is_forgotten(
    watched: Watched, net: Network
) -> None:
    """The kernel forgets as RFC 3376 §8.12 says."""
    watched.hears(0, net.older_query())
    deadline = watched.observer.next_deadline()
    assert deadline is not None

    happenings = watched.observer.advance(deadline)

    (version,) = (each for each in happenings if each.name == "version")
    assert version.fields == {"from": net.older, "to": net.newest}


def test_a_query_without_router_alert_is_counted(watched: Watched, net: Network) -> None:
    watched.hears(0, net.query(), Note.NO_ROUTER_ALERT)

    assert watched.observer.queriers.current is not None
    assert watched.observer.queriers.current.without_router_alert == 1


# Questions and answers.


def test_a_general_query_is_answered_by_a_report(watched: Watched, net: Network) -> None:
    watched.says(0, net.to_ex(net.g1))
    watched.hears(1000, net.query(max_response=10))

    watched.says(4000, net.is_ex(net.g1))

    histogram = watched.observer.responses.histogram
    assert histogram.total == 1
    assert histogram.sum == pytest.approx(3.0)


def test_a_state_change_is_no_answer(watched: Watched, net: Network) -> None:
    watched.says(0, net.to_ex(net.g1))
    watched.hears(1000, net.query(max_response=1))

    watched.says(1500, net.to_ex(net.g1))

    assert watched.answered == 0
    assert names(watched.advances(60_000)) == ["unanswered"]


def test_what_nobody_answers_is_counted_and_said_once(watched: Watched, net: Network) -> None:
    watched.says(0, net.to_ex(net.g1))
    watched.hears(1000, net.query(max_response=1))

    assert watched.advances(2500) == []
    (happening,) = watched.advances(3100)
    assert happening == Happening("unanswered", {"queries": 1})
    assert watched.advances(60_000) == []
    assert watched.observer.responses.unanswered == 1


def test_a_host_with_nothing_to_say_leaves_nothing_unanswered(
    watched: Watched, net: Network
) -> None:
    watched.hears(0, net.query(max_response=1))
    watched.hears(0, net.query(net.g1, max_response=1))

    assert watched.advances(60_000) == []


def test_what_was_left_meanwhile_needs_no_answer(watched: Watched, net: Network) -> None:
    watched.says(0, net.to_ex(net.g1))
    watched.hears(100, net.query(net.g1, max_response=1))
    watched.says(200, net.to_in(net.g1))

    assert watched.advances(60_000) == []


def test_the_group_that_is_never_reported_needs_no_answer(watched: Watched, net: Network) -> None:
    watched.observer.seed(Instant(0), [(net.all_hosts, net.exclude())])
    watched.hears(0, net.query(max_response=1))

    assert watched.advances(60_000) == []


@pytest.mark.parametrize(("included", "asked", "expected"), [
    (True, "s1", 1), (True, "s2", 0), (False, "s1", 0), (False, "s2", 1),
])  # fmt: skip
def test_a_query_about_sources_wants_an_answer_only_if_one_is_received(
    watched: Watched, net: Network, included: bool, asked: str, expected: int
) -> None:
    """RFC 9776 Table 5, with {s1} as the filter's list."""
    record = net.allow(net.g1, net.s1) if included else net.to_ex(net.g1, net.s1)
    watched.says(0, record)

    watched.hears(100, net.query(net.g1, getattr(net, asked), max_response=1))

    unanswered = watched.advances(60_000)
    assert sum(int(str(each.fields["queries"])) for each in unanswered) == expected


def test_another_hosts_older_report_excuses_ours(watched: Watched, net: Network) -> None:
    """RFC 2236 §3: it is suppressed."""
    watched.says(0, net.to_ex(net.g1))
    watched.hears(100, net.older_query(max_response=1))
    watched.hears(150, net.older_query(net.g1, max_response=1))
    watched.hears(200, net.report(net.g1))

    assert watched.advances(60_000) == []


def test_another_hosts_older_report_excuses_nothing_in_the_newest_version(
    watched: Watched, net: Network
) -> None:
    watched.says(0, net.to_ex(net.g1))
    watched.hears(100, net.query(max_response=1))
    watched.hears(200, net.report(net.g1))

    assert names(watched.advances(60_000)) == ["unanswered"]


def test_groups_know_since_when_and_when_they_were_reported(watched: Watched, net: Network) -> None:
    watched.observer.seed(Instant(0), [(net.g1, net.exclude())])
    assert watched.observer.times.reported(net.g1) is None

    watched.says(500, net.is_ex(net.g1))

    assert watched.observer.times.since(net.g1) == 0
    assert watched.observer.times.reported(net.g1) == Instant(milliseconds(500))


def test_what_was_seeded_counts_as_the_kernels_change(family: ProtocolFamily, net: Network) -> None:
    watched = Watched(net)
    watched.observer.seed(Instant(0), [(net.g1, net.exclude()), (net.g2, net.include(net.s1))])

    assert watched.observer.state_changes == {"kernel": 2}


# Many groups.


class Speaker:
    """Keeps what it is to say; `is_busy` as it is set."""

    def __init__(self) -> None:
        self.is_busy = False
        self.said: list[SendRecords | SendReport | SendLeave] = []

    def send(self, order: SendRecords | SendReport | SendLeave) -> None:
        self.said.append(order)

    def listen(self, matter: ReportsMatter) -> None:
        """Nobody else speaks here."""


@pytest.fixture
def speaker(watched: Watched) -> Speaker:
    """Of a host with more groups than the engine looks at in one call; their joins are told."""
    first, width = int.from_bytes(watched.net.g1), watched.family.address_width
    joined = [(first + i).to_bytes(width) for i in range(5 * AT_ONCE)]
    watched.observer.seed(Instant(0), [(group, watched.net.exclude()) for group in joined])
    speaker = Speaker()
    watched.observer.speak(Instant(0), speaker)
    return speaker


def test_the_engine_waits_while_its_voice_is_busy(watched: Watched, speaker: Speaker) -> None:
    observer = watched.observer
    observer.link(Instant(0), running=False)
    observer.link(Instant(0), running=True)
    speaker.said.clear()
    speaker.is_busy = True
    assert observer.next_deadline() == 0
    watched.advances(1)
    assert speaker.said == []
    assert observer.next_deadline() == milliseconds(1) + BREATHING_SPACE

    speaker.is_busy = False
    while (due := observer.next_deadline()) is not None and due <= milliseconds(10):
        watched.advances(10)
    told = [record for order in speaker.said for record in records_of(order)]
    assert len({record.group for record in told}) >= 3 * AT_ONCE


def records_of(order: SendRecords | SendReport | SendLeave) -> list[GroupRecord]:
    return list(order.records) if isinstance(order, SendRecords) else []


def test_an_answer_about_all_groups_is_a_report_of_each(
    watched: Watched, speaker: Speaker, net: Network
) -> None:
    watched.hears(100, net.query(max_response=1))
    watched.advances(2000)
    (order,) = speaker.said
    assert len(records_of(order)) == 5 * AT_ONCE
    assert watched.observer.times.reported(net.g1) == Instant(milliseconds(2000))
    assert watched.answered == 1
