"""One family on one interface: who asks, what this host answers, what it receives.

The kernel speaks for its own sockets; what it receives for them is looked up, not guessed. The
protocol engine speaks for the agent's own memberships, and while a cap below the newest version is
set for all groups that are present: then it holds the kernel's, too, and the kernel's own reports
are held back. What the engine wants sent goes to its voice in host mode; in observe mode it has
none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from random import Random
from typing import Protocol, assert_never

from mcastd.gmp import effects as gmp
from mcastd.gmp.caution import takes_away
from mcastd.gmp.config import HostConfig, OlderQuerierFormula
from mcastd.gmp.current_state import CurrentState
from mcastd.gmp.delays import RandomDelays
from mcastd.gmp.effects import Effect, ReportsMatter, SendLeave, SendRecords, SendReport
from mcastd.gmp.events import (
    Announce,
    Configure,
    LinkDown,
    LinkUp,
    Listen,
    Resume,
    SayAgain,
    SourceAddressChanged,
)
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter, exclude, include
from mcastd.gmp.host import Host
from mcastd.gmp.messages import Leave, MembershipReport, Message, Query, RecordReport
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.gmp.time import NO_TIME, Duration, Instant, after, milliseconds, seconds
from mcastd.native import SourceList
from mcastd.service import events
from mcastd.service.events import FamilyEvent
from mcastd.service.joined import Joined
from mcastd.service.querier import Queriers
from mcastd.service.received import KERNEL, Received
from mcastd.service.responses import Responses
from mcastd.service.times import GroupTimes
from mcastd.wire import Note
from mcastd.wire import Received as ReceivedMessage

CURRENT_STATE = frozenset({RecordType.MODE_IS_INCLUDE, RecordType.MODE_IS_EXCLUDE})

AT_ONCE = 512
"""Groups that one call of the engine looks at: two to five milliseconds."""

MOST_PIECES = 10_000
"""Of AT_ONCE groups, in which an answer is given that can wait no longer."""

UNLISTED_TOLD = seconds(10)
"""Between two words on queriers that are not named."""

BREATHING_SPACE = milliseconds(5)
"""Until a voice that is busy is asked again."""


class Voice(Protocol):
    """Carries out what the engine wants sent and heard."""

    def send(self, order: SendRecords | SendReport | SendLeave, *, urgent: bool = False) -> None:
        """`urgent`: before all that waits, whoever else may speak of the group."""

    def listen(self, matter: ReportsMatter) -> None: ...

    @property
    def is_busy(self) -> bool:
        """Whether so much waits to be sent that more is better made later."""


def speaking(config: HostConfig) -> HostConfig:
    """The tunables for the engine: who asks for what is looked at before, and the kernel's sockets
    have limits of their own."""
    return config._replace(ssm_enforce=False, max_sources_per_filter=1_000_000)


def observing(family: ProtocolFamily, config: HostConfig) -> HostConfig:
    """The tunables as they fit the kernel, which forgets older queriers as RFC 3376 has it, without
    a limit, believes all queriers, and knows nothing of a cap.
    """
    return speaking(config)._replace(
        older_querier_formula=OlderQuerierFormula.RFC3376,
        older_querier_limit=NO_TIME,
        queriers=(),
        report_suppression=True,
        max_version=family.newest,
        compat_enable=True,
    )


class Observer:
    """What is known of one family on one interface.

    `received`: what the host receives, the kernel's and the agent's own. `host`: the engine, which
    holds what the agent speaks for. `is_holding`: it speaks for the kernel, too. `asked`: the last
    query of the newest version, from which the kernel has learned. `unlisted`: when a querier was
    told of last that is none of those named, and its address.
    """

    def __init__(self, family: ProtocolFamily, config: HostConfig) -> None:
        self.family = family
        self.config = config
        self.host = Host(family, observing(family, config), RandomDelays(Random()), AT_ONCE)
        self.received = Received(family, self._is_source_specific)
        self.voice: Voice | None = None
        self.is_holding = False
        self.is_silent_about_link_local = False
        """Whether the kernel never tells link-local groups (igmp_link_local_mcast_reports)."""
        self.group_changed: Callable[[Address, bool], None] = lambda _group, _received: None
        """Called when a group begins to be received, and when it no longer is."""
        self.is_taking_over = False
        """Whether the kernel is held back already, and its groups are still to be looked up."""
        self._owed: set[Address] = set()
        """What the kernel would have said, while it is not known yet what to say of it."""
        self._answer_by = Instant(0)
        self._cause: Query | None = None
        self._resume = Instant(0)
        self.queriers = Queriers()
        self.responses = Responses()
        self.times = GroupTimes()
        self.asked: tuple[Instant, Query] | None = None
        self.own_query: tuple[Instant, int] | None = None
        """When a query of this host itself left it last, and its version."""
        self.unlisted: tuple[Instant, Address] | None = None
        self.last_reported_version: int | None = None
        self.compatibility_changes: dict[tuple[int, int], int] = {}
        self.state_changes: Counter[str] = Counter()

    def go_on_from(self, earlier: Observer) -> None:
        """Counts on where the one before it under this name has ended."""
        self.responses.go_on_from(earlier.responses)
        self.host.statistics.go_on_from(earlier.host.statistics)
        self.state_changes += earlier.state_changes
        for way, count in earlier.compatibility_changes.items():
            self.compatibility_changes[way] = self.compatibility_changes.get(way, 0) + count

    @property
    def nothing(self) -> SourceFilter:
        """INCLUDE without sources: not to receive a group."""
        return include(self.family.no_sources)

    @property
    def is_capped(self) -> bool:
        """Whether only older versions may be spoken."""
        return self.config.is_capped(self.family)

    def _is_source_specific(self, group: Address) -> bool:
        return self.config.is_source_specific(group)

    # What others say.

    def hear(self, at: Instant, received: ReceivedMessage) -> list[FamilyEvent]:
        """Another host's or a router's message."""
        message = received.message
        found: list[FamilyEvent] = []
        if isinstance(message, Query):
            if not self.config.is_believed(message.source):
                return self.hear_unlisted(at, message)
            found = self._hear_query(at, received, message)
        elif isinstance(message, MembershipReport) and self.host.version != self.family.newest:
            self.responses.excuse({message.group})
        self._cause = message if isinstance(message, Query) else None
        found += self._effects(at, self.host.handle(at, message))
        self._cause = None
        return found

    def hear_unlisted(self, at: Instant, query: Query) -> list[FamilyEvent]:
        """A query of none of those that are named: only the kernel heeds it, if it hears it."""
        found: list[FamilyEvent] = []
        if self.unlisted is None or at >= after(self.unlisted[0], UNLISTED_TOLD):
            self.unlisted = (at, query.source)
            found.append(events.UnlistedQuerier(query.source, query.version))
        if self.voice is not None:
            return found
        self._note_question(at, query, query.group == self.family.unspecified)
        self._cause = query
        found += self._effects(at, self.host.handle(at, query))
        self._cause = None
        return found

    def _hear_query(
        self, at: Instant, received: ReceivedMessage, query: Query
    ) -> list[FamilyEvent]:
        general = query.group == self.family.unspecified
        alert = Note.NO_ROUTER_ALERT not in received.notes
        changed = self.queriers.hear(at, query, general=general, router_alert=alert)
        if query.version == self.family.newest:
            self.asked = (at, query)
        self._note_question(at, query, general)
        self._answer_by = max(self._answer_by, after(at, query.max_response))
        if not changed:
            return []
        return [events.QuerierChanged(query.source, query.version)]

    def _note_question(self, at: Instant, query: Query, general: bool) -> None:
        """Remembers what this host has to answer, if it has anything to say."""
        if general:
            if self._has_to_say(None):
                self.responses.ask(at, None, query.max_response)
            else:
                self.responses.need_none()
            return
        current = self.received.groups.get(query.group)
        if current is None or not self.family.is_reportable(query.group):
            return
        if query.sources and not (self._is_exact(query.group) and answers(current, query.sources)):
            return
        self.responses.ask(at, query.group, query.max_response)

    def _is_exact(self, group: Address) -> bool:
        return self.received.of_kernel(group) is not None

    def _has_to_say(self, group: Address | None) -> bool:
        """Whether the group, or any if None, is one that this host reports."""
        if group is None:
            return any(map(self.family.is_reportable, self.received.groups))
        return group in self.received.groups

    # What the kernel says.

    def overhear(self, at: Instant, message: Message, *, held: bool = False) -> list[FamilyEvent]:
        """A message of the kernel's own that left this host, or was `held` back for the agent."""
        if isinstance(message, Query):
            self.own_query = (at, message.version)
            return self._effects(at, self.host.handle(at, message))
        if held:
            return self._say_in_its_stead(at, message)
        self._note_report(at, message)
        return [
            happening
            for group in self._what_is_taken_from_us(message)
            for happening in self._say_again(at, group)
        ]

    def _note_report(self, at: Instant, message: Message) -> None:
        """When which groups were reported, and what that answers."""
        match message:
            case RecordReport():
                for record in message.records:
                    if not is_leave(record):
                        self.times.report(record.group, at)
                answered = {r.group for r in message.records if r.type in CURRENT_STATE}
            case MembershipReport():
                self.times.report(message.group, at)
                answered = {message.group}
            case _:
                return
        self.last_reported_version = message.version
        if answered:
            self.responses.answer(at, answered)

    def _what_is_taken_from_us(self, message: Message) -> list[Address]:
        """Groups of the agent's own of which the message takes something away at the routers."""
        own = self.host.groups
        match message:
            case RecordReport():
                return [
                    record.group
                    for record in message.records
                    if record.group in own and takes_away(record, own[record.group])
                ]
            case Leave():
                return [message.group] if message.group in own else []
            case _:
                return []

    def _say_in_its_stead(self, at: Instant, message: Message) -> list[FamilyEvent]:
        """Each record that is held back is an order to say that group now, if it is there.

        It may say nothing new, and be needed all the same: after a fail-over of the link, say. No
        order is what answers a query that was answered, or repeats a join that was told: that is
        for the engine, and another host's report may make it unnecessary (RFC 2236 §3).
        """
        match message:
            case RecordReport():
                groups = {r.group for r in message.records if not self._is_said(at, r)}
            case MembershipReport():
                groups = set() if self._is_answered(at, message.group) else {message.group}
            case _:
                return []
        return [each for group in sorted(groups) for each in self._say_again(at, group)]

    def _is_said(self, at: Instant, record: GroupRecord) -> bool:
        if record.type in CURRENT_STATE:
            return self._is_answered(at, record.group)
        return self.is_repeated(at, record.group)

    def is_repeated(self, at: Instant, group: Address) -> bool:
        """Whether a join of the group has been told, and is repeated still (RFC 9776 §5.1)."""
        since, told = self.times.since(group), self.reported(group)
        repeats = Duration(self.host.robustness * self.config.unsolicited_report_interval)
        return since is not None and told is not None and at <= after(since, repeats)

    def _is_answered(self, at: Instant, group: Address) -> bool:
        """Whether the group was said since the last query, while that may be answered."""
        if self.asked is None:
            return False
        asked, query = self.asked
        reported = self.reported(group)
        return at <= after(asked, query.max_response) and reported is not None and reported >= asked

    def _say_again(self, at: Instant, group: Address) -> list[FamilyEvent]:
        if self.voice is None:
            return []
        if group not in self.host.groups:
            if self.is_taking_over:
                self._owed.add(group)
            return []
        return self._effects(at, self.host.handle(at, SayAgain(group)), urgent=True)

    def say_what_is_owed(self, at: Instant) -> list[FamilyEvent]:
        """The kernel's groups are known now: those that it was kept from reporting are said."""
        owed, self._owed, self.is_taking_over = self._owed, set(), False
        present = [group for group in sorted(owed) if group in self.host.groups]
        return [each for group in present for each in self._say_again(at, group)]

    def finish(self, now: Instant) -> list[FamilyEvent]:
        """Says at once what it would say in the time that the last queries give: it ends."""
        happenings: list[FamilyEvent] = []
        for _ in range(MOST_PIECES):
            due = self.host.next_deadline()
            if self.voice is None or due is None or due > self._answer_by:
                break
            happenings += self._effects(now, self.host.advance(max(due, now)))
        return happenings

    # What the kernel receives.

    def kernel_receives(
        self, at: Instant, group: Address, joined: Joined | None
    ) -> list[FamilyEvent]:
        """As it was looked up; None: the group no longer."""
        old = self.received.groups.get(group)
        self.received.put_kernel(group, joined)
        found = self.speak_for_kernel(at, group) if self.is_holding else []
        return found + self._told(at, KERNEL, group, old)

    def speak_for_kernel(
        self, at: Instant, group: Address, *, is_known: bool = False
    ) -> list[FamilyEvent]:
        """Has the engine hold what the kernel receives of the group, or no longer so.

        `is_known`: the routers have been told by the kernel itself.
        """
        wanted = self._held_for_kernel(group) if self.is_holding else self.nothing
        request = Listen(KERNEL, group, wanted, is_known=is_known or self.voice is None)
        return self._effects(at, self.host.handle(at, request))

    def _held_for_kernel(self, group: Address) -> SourceFilter:
        """Older versions carry no sources, so any are wanted under a cap; nothing of what is never
        told."""
        never = self.is_silent_about_link_local and self.family.link_local_groups.matches(group)
        if group not in self.received.kernel or never or not self.family.is_reportable(group):
            return self.nothing
        if self.is_capped:
            return exclude(self.family.no_sources)
        return self.received.applications(group).get(KERNEL, self.nothing)

    # What the agent itself receives.

    def asked_by(self, application: str, group: Address) -> SourceFilter | None:
        """What the application asks for, if it does."""
        return self.received.applications(group).get(application)

    def listen(
        self, at: Instant, application: str, group: Address, wanted: SourceFilter
    ) -> list[FamilyEvent]:
        """A whole request of the agent's own for a group; INCLUDE without sources ends it.

        Without a voice the routers have been told already: by the agent before a restart.
        """
        old = self.received.groups.get(group)
        request = Listen(application, group, wanted, is_known=self.voice is None)
        effects = self.host.handle(at, request)
        found = self._effects(at, effects)
        if not any(isinstance(each, gmp.Refused) for each in effects):
            self.received.put(application, group, wanted)
        return found + self._told(at, application, group, old)

    def _told(
        self, at: Instant, application: str, group: Address, old: SourceFilter | None
    ) -> list[FamilyEvent]:
        """What is to be told of a change of what is received, if it is one."""
        new = self.received.groups.get(group)
        if new == old:
            return []
        self.state_changes[application.partition(":")[0]] += 1
        if new is None:
            self.times.end(group)
            self.group_changed(group, False)
            return [events.Left(group, application)]
        if old is not None:
            return [events.FilterChanged(group, application, new)]
        self.times.begin(group, at)
        self.group_changed(group, True)
        return [events.Joined(group, application, new)]

    # Time, link and operator.

    def link(self, now: Instant, *, running: bool) -> list[FamilyEvent]:
        return self._effects(now, self.host.handle(now, LinkUp() if running else LinkDown()))

    def announce(self, now: Instant) -> list[FamilyEvent]:
        """All groups are to be reported again, on a link that stays up."""
        return self._effects(now, self.host.handle(now, Announce()))

    def resume(self, now: Instant) -> list[FamilyEvent]:
        """The agent speaks on for what it spoke for before a restart."""
        return self._effects(now, self.host.handle(now, Resume()))

    def source_address(self, now: Instant, address: Address) -> list[FamilyEvent]:
        """The address that messages are sent from; all zeros if there is none."""
        return self._effects(now, self.host.handle(now, SourceAddressChanged(address)))

    def speak(self, now: Instant, voice: Voice | None) -> list[FamilyEvent]:
        """Host mode begins, or ends if there is no voice."""
        self.voice = voice
        return self.configure(now, self.config)

    def configure(self, now: Instant, config: HostConfig) -> list[FamilyEvent]:
        """Other tunables, at once."""
        self.config = config
        tunables = observing(self.family, config) if self.voice is None else speaking(config)
        return self._effects(now, self.host.handle(now, Configure(tunables)))

    def advance(self, now: Instant) -> list[FamilyEvent]:
        """Lets older queriers and unanswered queries expire, and the engine act.

        The engine waits while its voice is busy, so that what it says does not pile up.
        """
        found: list[FamilyEvent] = []
        if self.voice is not None and self.voice.is_busy:
            self._resume = after(now, BREATHING_SPACE)
        else:
            found += self._effects(now, self.host.advance(now))
        unanswered = self.responses.expire(now, self._has_to_say)
        if unanswered:
            found.append(events.Unanswered(unanswered))
        return found

    def next_deadline(self) -> Instant | None:
        due = self.host.next_deadline()
        engine = None if due is None else max(due, self._resume)
        deadlines = (engine, self.responses.next_deadline())
        return min((each for each in deadlines if each is not None), default=None)

    def _effects(
        self, now: Instant, effects: Iterable[Effect], *, urgent: bool = False
    ) -> list[FamilyEvent]:
        """Has the voice do what is to be sent and heard; says the rest to those who watch."""
        found: list[FamilyEvent] = []
        for effect in effects:
            match effect:
                case gmp.VersionChanged():
                    found.append(self._version_changed(now, effect))
                case gmp.Warn():
                    found.append(events.Warned(effect.text))
                case SendRecords() | SendReport() | SendLeave():
                    self._send(now, effect, urgent)
                case ReportsMatter():
                    if self.voice is not None:
                        self.voice.listen(effect)
                case gmp.Refused():
                    found.append(events.Refused(effect.text))
                case _:
                    assert_never(effect)
        return found

    def _send(
        self, now: Instant, order: SendRecords | SendReport | SendLeave, urgent: bool
    ) -> None:
        if self.voice is None:
            return
        self.voice.send(order, urgent=urgent)
        if isinstance(order, SendLeave):
            return
        self.last_reported_version = self.host.version
        if isinstance(order, SendRecords) and isinstance(order.records, CurrentState):
            self.times.report_all(now)
            self.responses.answer(now, self.host.groups.keys())
            return
        told = self._told_by(order)
        for group in told:
            self.times.report(group, now)
        if isinstance(order, SendReport) or not order.is_state_change:
            self.responses.answer(now, told)

    def reported(self, group: Address) -> Instant | None:
        """When the group was last reported, by the kernel or the agent; None if it was not yet."""
        told = group in self.host.groups and not self.is_untold(group)
        return self.times.reported(group, with_all=told)

    def is_untold(self, group: Address) -> bool:
        """Whether only the agent could tell routers of the group, and may not: it is joined from
        any source, and source-specific (RFC 9776 §4.2.13).
        """
        wanted = self.host.groups.get(group)
        if wanted is None or wanted.mode is FilterMode.INCLUDE:
            return False
        if self.host.version < self.family.newest or not self.config.is_source_specific(group):
            return False
        return self.is_holding or group not in self.received.kernel

    @staticmethod
    def _told_by(order: SendRecords | SendReport) -> set[Address]:
        if isinstance(order, SendReport):
            return {order.group}
        return {record.group for record in order.records}

    def _version_changed(self, now: Instant, effect: gmp.VersionChanged) -> events.VersionChanged:
        way = (effect.previous, effect.version)
        self.compatibility_changes[way] = self.compatibility_changes.get(way, 0) + 1
        is_older = self._cause is not None and effect.version < effect.previous
        querier = self._cause.source if self._cause is not None and is_older else None
        until = self.host.older_querier_deadlines.get(effect.version)
        rest = None if until is None else Duration(max(0, until - now))
        return events.VersionChanged(*way, querier, rest)


def is_leave(record: GroupRecord) -> bool:
    """Whether it says that nothing of the group is wanted any more."""
    return record.type is RecordType.CHANGE_TO_INCLUDE_MODE and not record.sources


def answers(current: SourceFilter, asked: SourceList) -> bool:
    """Whether a query about these sources is answered at all (RFC 9776 Table 5)."""
    if current.mode is FilterMode.INCLUDE:
        return bool(current.sources & asked)
    return bool(asked - current.sources)
