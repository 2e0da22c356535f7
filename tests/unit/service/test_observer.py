"""What an observer makes of queries, and of the reports that leave the host."""

from __future__ import annotations

import pytest
from mcastd.gmp.effects import ReportsMatter, SendLeave, SendRecords, SendReport
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.messages import Leave, MembershipReport, Message, Query, RecordReport
from mcastd.gmp.records import GroupRecord
from mcastd.gmp.time import Duration, Instant, milliseconds
from mcastd.service import events
from mcastd.service.engine import AT_ONCE, BREATHING_SPACE
from mcastd.service.events import FamilyEvent
from mcastd.service.joined import Holder, Joined
from mcastd.service.observer import Observer
from mcastd.wire import Kind, Note, Received
from support.network import Network


class Speaker:
    """Keeps what it is to say; `is_busy` as it is set. `urgent`: whether the last of it was."""

    def __init__(self) -> None:
        self.is_busy = False
        self.urgent = False
        self.refreshed: list[Duration] = []
        self.said: list[SendRecords | SendReport | SendLeave] = []

    def send(self, order: SendRecords | SendReport | SendLeave, *, urgent: bool = False) -> None:
        self.said.append(order)
        self.urgent = urgent

    def listen(self, matter: ReportsMatter) -> None:
        """Nobody else speaks here."""

    def refresh(self, within: Duration) -> None:
        self.refreshed.append(within)


class Watched:
    """An observer, told things at times in milliseconds."""

    def __init__(self, net: Network, **tunables: object) -> None:
        self.net = net
        self.family = net.family
        self.observer = Observer(net.family, net.config(**tunables))
        self.speaker = Speaker()

    def hears(self, at: int, message: Message, *notes: Note) -> list[FamilyEvent]:
        kind = next(
            kind for kind in Kind
            if kind.family is self.family and kind.type == type_of(message)
            and kind.version == message.version  # type: ignore[union-attr]
        )  # fmt: skip
        received = Received(message, kind, (), frozenset(notes))
        return self.observer.hear(Instant(milliseconds(at)), received)

    def receives(self, at: int, group: bytes, wanted: SourceFilter | None) -> list[FamilyEvent]:
        """What the kernel's one socket wants."""
        joined = None if wanted is None else Joined(wanted, True, 1)
        return self.observer.kernel_receives(Instant(milliseconds(at)), group, joined)

    def holds_back(self, at: int, *records: GroupRecord) -> list[FamilyEvent]:
        net = self.net
        message = RecordReport(net.newest, net.here, self.family.all_report_routers, records)
        return self.observer.overhear(Instant(milliseconds(at)), message, held=True)

    def says(self, at: int, *records: GroupRecord) -> list[FamilyEvent]:
        net = self.net
        message = RecordReport(net.newest, net.here, self.family.all_report_routers, records)
        return self.observer.overhear(Instant(milliseconds(at)), message)

    def says_older(self, at: int, group: bytes) -> list[FamilyEvent]:
        message = MembershipReport(self.net.older, self.net.here, group, group)
        return self.observer.overhear(Instant(milliseconds(at)), message)

    def leaves_older(self, at: int, group: bytes) -> list[FamilyEvent]:
        message = Leave(self.net.older, self.net.here, self.family.all_routers, group)
        return self.observer.overhear(Instant(milliseconds(at)), message)

    def holds(self, group: bytes) -> SourceFilter | None:
        return self.observer.received.groups.get(group)

    def advances(self, at: int) -> list[FamilyEvent]:
        return self.observer.advance(Instant(milliseconds(at)))

    @property
    def answered(self) -> int:
        return self.observer.responses.histogram.total


def type_of(message: Message) -> str:
    if isinstance(message, Query):
        return "query"
    return "leave" if isinstance(message, Leave) else "report"


@pytest.fixture
def watched(net: Network) -> Watched:
    return Watched(net)


# What the kernel receives is looked up, and what it says is only noted.


def test_what_the_kernel_receives_is_told_as_it_changes(watched: Watched, net: Network) -> None:
    (joined,) = watched.receives(0, net.g1, net.include(net.s1))
    (changed,) = watched.receives(100, net.g1, net.exclude())
    (left,) = watched.receives(200, net.g1, None)

    assert joined == events.Joined(net.g1, "kernel", net.include(net.s1))
    assert changed == events.FilterChanged(net.g1, "kernel", net.exclude())
    assert left == events.Left(net.g1, "kernel")
    assert watched.holds(net.g1) is None
    assert watched.observer.state_changes == {"kernel": 3}


def test_what_the_kernel_says_changes_nothing_of_what_is_known(
    watched: Watched, net: Network
) -> None:
    """A report may be a part, or the answer to a question about some sources only."""
    watched.receives(0, net.g1, net.include(net.s1, net.s2))

    assert watched.says(100, net.to_in(net.g1, net.s1), net.is_ex(net.g2)) == []
    assert watched.says_older(200, net.g3) == []
    assert watched.leaves_older(300, net.g1) == []

    assert watched.holds(net.g1) == net.include(net.s1, net.s2)
    assert watched.holds(net.g2) is None
    assert watched.observer.last_reported_version == net.older


def test_a_stray_any_source_join_hides_no_sources_of_a_source_specific_group(
    watched: Watched, net: Network
) -> None:
    """RFC 4604 §2.1: it does not count there."""
    stray = Holder("stray", 7, 0, 1, net.exclude())
    player = Holder("player", 8, 0, 1, net.include(net.s1))
    both = Joined(net.exclude(), True, 2, (stray, player))
    watched.observer.kernel_receives(Instant(0), net.ssm, both)
    watched.observer.kernel_receives(Instant(0), net.g1, both)
    assert watched.holds(net.ssm) == net.include(net.s1)
    assert watched.holds(net.g1) == net.exclude()

    watched.observer.listen(Instant(0), "api:own", net.ssm, net.include(net.s2))
    assert watched.holds(net.ssm) == net.include(net.s1, net.s2)


def test_what_the_agent_holds_is_said_again_when_the_kernel_takes_it_away(
    watched: Watched, net: Network
) -> None:
    speaker = Speaker()
    watched.observer.speak(Instant(0), speaker)
    watched.observer.listen(Instant(0), "api:one", net.g1, net.include(net.s1, net.s2))
    watched.observer.listen(Instant(0), "api:one", net.g2, net.exclude(net.s3))
    speaker.said.clear()

    for harmless in (
        net.allow(net.g1, net.s3), net.is_in(net.g1), net.block(net.g1, net.s3),
        net.to_in(net.g1, net.s1, net.s2), net.to_ex(net.g1, net.s3), net.to_in(net.g3),
        net.block(net.g2, net.s3), net.to_ex(net.g2, net.s3), net.to_ex(net.g2),
    ):  # fmt: skip
        watched.says(0, harmless)
        assert speaker.said == [], harmless
    for harmful, again in (
        (net.block(net.g1, net.s2), net.is_in(net.g1, net.s1, net.s2)),
        (net.to_in(net.g1, net.s1), net.is_in(net.g1, net.s1, net.s2)),
        (net.to_in(net.g1), net.is_in(net.g1, net.s1, net.s2)),
        (net.to_ex(net.g1, net.s1), net.is_in(net.g1, net.s1, net.s2)),
        (net.to_in(net.g2, net.s1), net.is_ex(net.g2, net.s3)),
        (net.block(net.g2, net.s1), net.is_ex(net.g2, net.s3)),
        (net.to_ex(net.g2, net.s1), net.is_ex(net.g2, net.s3)),
    ):
        watched.says(0, harmful)
        (order,) = speaker.said
        assert records_of(order) == [again], harmful
        assert speaker.urgent
        speaker.said.clear()


def test_an_older_leave_of_the_kernels_is_followed_by_the_agents_report(net: Network) -> None:
    watched = Watched(net, max_version=net.older)
    speaker = Speaker()
    watched.observer.speak(Instant(0), speaker)
    watched.observer.listen(Instant(0), "api:one", net.g1, net.exclude())
    speaker.said.clear()

    watched.leaves_older(0, net.g2)
    assert speaker.said == []
    watched.leaves_older(0, net.g1)
    assert speaker.said == [net.sent_report(net.g1)]


# Under a cap the agent speaks for the kernel.


@pytest.fixture
def capped(net: Network) -> Watched:
    """One that holds what the kernel receives: g1, which it had told before."""
    watched = Watched(net, max_version=net.older)
    watched.receives(0, net.g1, net.include(net.s1))
    watched.observer.speak(Instant(0), watched.speaker)
    watched.observer.is_holding = True
    watched.observer.speak_for_kernel(Instant(0), net.g1, is_known=True)
    assert watched.speaker.said == []
    return watched


def test_what_the_kernel_joins_and_leaves_under_a_cap_is_said_for_it(
    capped: Watched, net: Network
) -> None:
    capped.receives(100, net.g2, net.exclude())
    assert capped.speaker.said == [net.sent_report(net.g2)]
    capped.receives(200, net.g2, None)
    assert capped.speaker.said[1:] == [net.sent_leave(net.g2)]


def test_each_record_held_back_is_an_order_to_say_the_group(capped: Watched, net: Network) -> None:
    """Whether or not it says anything new: after a fail-over of a bond nothing is."""
    capped.holds_back(100, net.is_ex(net.g1), net.is_ex(net.g2))
    capped.holds_back(150, net.is_ex(net.g1))

    assert capped.speaker.said == [net.sent_report(net.g1)] * 2


def test_the_kernels_answer_is_no_order_for_what_was_answered(
    capped: Watched, net: Network
) -> None:
    capped.hears(100, net.query(max_response=1))
    capped.advances(1100)
    assert capped.speaker.said == [net.sent_report(net.g1)]

    capped.holds_back(1050, net.is_in(net.g1, net.s1))
    assert capped.speaker.said == [net.sent_report(net.g1)]

    capped.holds_back(1300, net.is_in(net.g1, net.s1))
    assert capped.speaker.said == [net.sent_report(net.g1)] * 2


def test_link_local_groups_that_the_kernel_never_tells_are_not_told(
    capped: Watched, net: Network
) -> None:
    capped.observer.is_silent_about_link_local = True
    capped.receives(100, net.link_local, net.exclude())
    capped.receives(100, net.all_hosts, net.exclude())

    assert capped.speaker.said == []


# Queriers.


def test_the_first_query_makes_a_querier(watched: Watched, net: Network) -> None:
    (told,) = watched.hears(0, net.query())

    assert told == events.QuerierChanged(net.querier, net.newest)
    assert watched.hears(100, net.query()) == []


def test_an_older_query_changes_the_version_and_says_for_how_long(
    watched: Watched, net: Network
) -> None:
    told = watched.hears(0, net.older_query())

    version = next(each for each in told if isinstance(each, events.VersionChanged))
    assert (version.previous, version.version) == (net.newest, net.older)
    assert version.querier == net.querier
    assert watched.observer.engine.compatibility_changes == {(net.newest, net.older): 1}


def test_the_newest_version_is_back_when_the_older_querier_is_forgotten(
    watched: Watched, net: Network
) -> None:
    """The kernel forgets as RFC 3376 §8.12 says."""
    watched.hears(0, net.older_query())
    deadline = watched.observer.next_deadline()
    assert deadline is not None

    told = watched.observer.advance(deadline)

    (version,) = (each for each in told if isinstance(each, events.VersionChanged))
    assert version == events.VersionChanged(net.older, net.newest, None, None)


def test_a_query_without_router_alert_is_counted(watched: Watched, net: Network) -> None:
    watched.hears(0, net.query(), Note.NO_ROUTER_ALERT)

    assert watched.observer.queriers.current is not None
    assert watched.observer.queriers.current.without_router_alert == 1


# Questions and answers.


def test_a_general_query_is_answered_by_a_report(watched: Watched, net: Network) -> None:
    watched.receives(0, net.g1, net.exclude())
    watched.hears(1000, net.query(max_response=10))

    watched.says(4000, net.is_ex(net.g1))

    histogram = watched.observer.responses.histogram
    assert histogram.total == 1
    assert histogram.sum == pytest.approx(3.0)


def test_a_state_change_is_no_answer(watched: Watched, net: Network) -> None:
    watched.receives(0, net.g1, net.exclude())
    watched.hears(1000, net.query(max_response=1))

    watched.says(1500, net.to_ex(net.g1))

    assert watched.answered == 0
    assert watched.advances(60_000) == [events.Unanswered(1)]


def test_what_nobody_answers_is_counted_and_said_once(watched: Watched, net: Network) -> None:
    watched.receives(0, net.g1, net.exclude())
    watched.hears(1000, net.query(max_response=1))

    assert watched.advances(2500) == []
    (told,) = watched.advances(3100)
    assert told == events.Unanswered(1)
    assert watched.advances(60_000) == []
    assert watched.observer.responses.unanswered == 1


def test_a_host_with_nothing_to_say_leaves_nothing_unanswered(
    watched: Watched, net: Network
) -> None:
    watched.hears(0, net.query(max_response=1))
    watched.hears(0, net.query(net.g1, max_response=1))

    assert watched.advances(60_000) == []


def test_what_was_left_meanwhile_needs_no_answer(watched: Watched, net: Network) -> None:
    watched.receives(0, net.g1, net.exclude())
    watched.hears(100, net.query(net.g1, max_response=1))
    watched.receives(200, net.g1, None)

    assert watched.advances(60_000) == []


def test_the_group_that_is_never_reported_needs_no_answer(watched: Watched, net: Network) -> None:
    watched.receives(0, net.all_hosts, net.exclude())
    watched.hears(0, net.query(max_response=1))

    assert watched.advances(60_000) == []


@pytest.mark.parametrize(("included", "asked", "expected"), [
    (True, "s1", 1), (True, "s2", 0), (False, "s1", 0), (False, "s2", 1),
])  # fmt: skip
def test_a_query_about_sources_wants_an_answer_only_if_one_is_received(
    watched: Watched, net: Network, included: bool, asked: str, expected: int
) -> None:
    """RFC 9776 Table 5, with {s1} as the filter's list."""
    watched.receives(0, net.g1, net.include(net.s1) if included else net.exclude(net.s1))

    watched.hears(100, net.query(net.g1, getattr(net, asked), max_response=1))

    unanswered = watched.advances(60_000)
    assert unanswered == [events.Unanswered(expected)][:expected]


def test_another_hosts_older_report_excuses_ours(watched: Watched, net: Network) -> None:
    """RFC 2236 §3: it is suppressed."""
    watched.receives(0, net.g1, net.exclude())
    watched.hears(100, net.older_query(max_response=1))
    watched.hears(150, net.older_query(net.g1, max_response=1))
    watched.hears(200, net.report(net.g1))

    assert watched.advances(60_000) == []


def test_another_hosts_older_report_excuses_nothing_in_the_newest_version(
    watched: Watched, net: Network
) -> None:
    watched.receives(0, net.g1, net.exclude())
    watched.hears(100, net.query(max_response=1))
    watched.hears(200, net.report(net.g1))

    assert watched.advances(60_000) == [events.Unanswered(1)]


def test_groups_know_since_when_and_when_they_were_reported(watched: Watched, net: Network) -> None:
    watched.receives(0, net.g1, net.exclude())
    assert watched.observer.reported(net.g1) is None

    watched.says(500, net.is_ex(net.g1))

    assert watched.observer.times.since(net.g1) == 0
    assert watched.observer.reported(net.g1) == Instant(milliseconds(500))


def test_the_leave_before_a_join_is_no_report_of_the_group(watched: Watched, net: Network) -> None:
    """A report may be heard before the join is looked up; what says goodbye is none."""
    watched.receives(0, net.g1, net.exclude())
    watched.receives(100, net.g1, None)
    watched.says(110, net.to_in(net.g1))

    watched.receives(200, net.g1, net.exclude())

    assert watched.observer.reported(net.g1) is None


# Many groups.


@pytest.fixture
def speaker(watched: Watched) -> Speaker:
    """Of a host with more groups than the engine looks at in one call; their joins are told."""
    first, width = int.from_bytes(watched.net.g1), watched.family.address_width
    joined = [(first + i).to_bytes(width) for i in range(5 * AT_ONCE)]
    for group in joined:
        watched.observer.listen(Instant(0), "api:many", group, watched.net.exclude())
    watched.observer.speak(Instant(0), watched.speaker)
    return watched.speaker


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
    assert watched.observer.reported(net.g1) == Instant(milliseconds(2000))
    assert watched.answered == 1


def test_what_the_kernel_would_have_said_while_its_groups_are_looked_up_is_said_then(
    capped: Watched, net: Network
) -> None:
    """It is held back from the first moment on; nobody else would answer for it."""
    observer = capped.observer
    observer.is_taking_over = True
    capped.holds_back(0, net.is_ex(net.g2))
    capped.receives(10, net.g2, net.exclude())
    capped.speaker.said.clear()
    observer.say_what_is_owed(Instant(milliseconds(20)))
    assert said_groups(capped) == {net.g2}
    capped.receives(30, net.g2, None)
    capped.speaker.said.clear()
    capped.holds_back(40, net.is_ex(net.g2))
    capped.receives(50, net.g2, net.exclude())
    capped.speaker.said.clear()
    observer.say_what_is_owed(Instant(milliseconds(60)))
    assert capped.speaker.said == []


def test_an_agent_that_ends_gives_at_once_the_answers_that_are_due(
    capped: Watched, net: Network
) -> None:
    observer = capped.observer
    capped.receives(0, net.g1, net.exclude())
    observer.advance(Instant(milliseconds(600_000)))  # its join was told, and repeated
    capped.speaker.said.clear()
    observer.engine.finish(Instant(milliseconds(600_000)))
    assert capped.speaker.said == []
    capped.hears(600_000, net.query())
    observer.engine.finish(Instant(milliseconds(600_001)))
    assert net.g1 in said_groups(capped)


def said_groups(watched: Watched) -> set[bytes]:
    found: set[bytes] = set()
    for order in watched.speaker.said:
        if isinstance(order, SendRecords):
            found |= {each.group for each in order.records}
        else:
            found.add(order.group)
    return found
