"""One family on one interface: who asks, what this host answers, what it receives.

The host's state is kept by the protocol engine itself, told what the kernel reports. What the
engine wants sent goes to its voice in host mode; in observe mode it has none, because there the
kernel does the sending.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol, assert_never

from mcastd.gmp.config import HostConfig, OlderQuerierFormula
from mcastd.gmp.current_state import CurrentState
from mcastd.gmp.delays import RandomDelays
from mcastd.gmp.effects import (
    Effect,
    Refused,
    ReportsMatter,
    SendLeave,
    SendRecords,
    SendReport,
    VersionChanged,
    Warn,
)
from mcastd.gmp.events import Announce, Configure, LinkDown, LinkUp, Listen, SourceAddressChanged
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter, exclude, include
from mcastd.gmp.host import Host
from mcastd.gmp.learning import apply_record, join_parts
from mcastd.gmp.messages import Leave, MembershipReport, Message, Query, RecordReport
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.gmp.time import Instant, after, in_seconds, milliseconds
from mcastd.native import SourceList
from mcastd.service.querier import Queriers
from mcastd.service.responses import Responses
from mcastd.service.times import GroupTimes
from mcastd.wire import Note, Received

KERNEL = "kernel"
"""The name under which the kernel's sockets ask for groups, all together."""

CURRENT_STATE = frozenset({RecordType.MODE_IS_INCLUDE, RecordType.MODE_IS_EXCLUDE})

PARTS_BELONG_TOGETHER = milliseconds(20)
"""The kernel sends the parts of a list that is too long for one report in one go."""

PART_SOURCES = 16
"""A record with fewer sources has not filled a report: no part of it follows."""

SPLIT = frozenset({RecordType.MODE_IS_INCLUDE, RecordType.CHANGE_TO_INCLUDE_MODE})
"""Of these a part alone says less than the whole; parts of the other types add up, or do not occur
(RFC 9776 §4.2.17)."""

AT_ONCE = 512
"""Groups that one call of the engine looks at: two to five milliseconds."""

BREATHING_SPACE = milliseconds(5)
"""Until a voice that is busy is asked again."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something to tell those who watch: a name and its fields, ready for JSON."""

    name: str
    fields: dict[str, object]


class Voice(Protocol):
    """Carries out what the engine wants sent and heard."""

    def send(self, order: SendRecords | SendReport | SendLeave) -> None: ...

    def listen(self, matter: ReportsMatter) -> None: ...

    @property
    def is_busy(self) -> bool:
        """Whether so much waits to be sent that more is better made later."""


KernelFilter = Callable[[Address], SourceFilter | None]
"""What the kernel itself says of a group, where its report has told no sources."""


def speaking(config: HostConfig) -> HostConfig:
    """The tunables for the engine: the kernel's sockets have limits of their own already."""
    return config._replace(ssm_enforce=False, max_sources_per_filter=1_000_000)


def observing(config: HostConfig) -> HostConfig:
    """The tunables as they fit the kernel, which forgets older queriers as RFC 3376 has it."""
    return speaking(config)._replace(older_querier_formula=OlderQuerierFormula.RFC3376)


class Observer:
    """What is known of one family on one interface."""

    def __init__(
        self, family: ProtocolFamily, config: HostConfig, kernel_filter: KernelFilter
    ) -> None:
        self.family = family
        self.config = config
        self.host = Host(family, observing(config), RandomDelays(Random()), AT_ONCE)
        self.voice: Voice | None = None
        self._kernel_filter = kernel_filter
        self._cause: Query | None = None
        self._resume = Instant(0)
        self.queriers = Queriers()
        self.responses = Responses()
        self.times = GroupTimes()
        self.last_reported_version: int | None = None
        self.compatibility_changes: dict[tuple[int, int], int] = {}
        self.state_changes: Counter[str] = Counter()
        self._open: tuple[Instant, GroupRecord] | None = None
        """A record that ended a report, and may go on in the next one."""
        self._asked_sources: dict[Address, tuple[Instant, SourceList]] = {}

    @property
    def nothing(self) -> SourceFilter:
        """INCLUDE without sources: not to receive a group."""
        return include(self.family.no_sources)

    # What others say.

    def hear(self, at: Instant, received: Received) -> list[Happening]:
        """Another host's or a router's message."""
        message = received.message
        happenings = []
        if isinstance(message, Query):
            happenings = self._hear_query(at, received, message)
        elif isinstance(message, MembershipReport) and self.host.version != self.family.newest:
            self.responses.excuse({message.group})
        self._cause = message if isinstance(message, Query) else None
        happenings += self._effects(at, self.host.handle(at, message))
        self._cause = None
        return happenings

    def _hear_query(self, at: Instant, received: Received, query: Query) -> list[Happening]:
        general = query.group == self.family.unspecified
        alert = Note.NO_ROUTER_ALERT not in received.notes
        changed = self.queriers.hear(at, query, general=general, router_alert=alert)
        self._note_question(at, query, general)
        if not changed:
            return []
        fields = {"address": self.family.format(query.source), "version": query.version}
        return [Happening("querier", fields)]

    def _note_question(self, at: Instant, query: Query, general: bool) -> None:
        """Remembers what this host has to answer, if it has anything to say."""
        if general:
            if self._has_to_say(None):
                self.responses.ask(at, None, query.max_response)
            return
        current = self.host.groups.get(query.group)
        if current is None or not self.family.is_reportable(query.group):
            return
        if query.sources:
            self._asked_sources[query.group] = (
                Instant(at + query.max_response + PARTS_BELONG_TOGETHER),
                query.sources,
            )
            if not answers(current, query.sources):
                return
        self.responses.ask(at, query.group, query.max_response)

    def _has_to_say(self, group: Address | None) -> bool:
        """Whether the group, or any if None, is one that this host reports."""
        if group is None:
            return any(map(self.family.is_reportable, self.host.groups))
        return group in self.host.groups

    # What this host says.

    def overhear(self, at: Instant, message: Message) -> list[Happening]:
        """A message that left this host: the kernel's own, in observe mode."""
        match message:
            case RecordReport():
                self.last_reported_version = message.version
                answered = {r.group for r in message.records if r.type in CURRENT_STATE}
                happenings = self._learn_records(at, message.records)
            case MembershipReport():
                self.last_reported_version = message.version
                answered = {message.group}
                happenings = self._learn_report(at, message.group)
            case Leave():
                return self.listen(at, KERNEL, message.group, self.nothing)
            case Query():
                return self._effects(at, self.host.handle(at, message))
            case _:
                return []
        if answered and self.voice is None:
            self.responses.answer(at, answered)
        return happenings

    def _learn_report(self, at: Instant, group: Address) -> list[Happening]:
        """A report without sources: a filter that is known already may have them all the same."""
        current = self.asked_by(KERNEL, group) or self._kernel_filter(group)
        wanted = current or exclude(self.family.no_sources)
        happenings = self.listen(at, KERNEL, group, wanted)
        self.times.report(group, at)
        return happenings

    def asked_by(self, application: str, group: Address) -> SourceFilter | None:
        """What the application asks for, if it does."""
        return self.host.applications(group).get(application)

    def _learn_records(self, at: Instant, records: Sequence[GroupRecord]) -> list[Happening]:
        """Learns of whole filters only: the last record waits for what may follow it."""
        first, *rest = records or (None,)
        whole: list[GroupRecord] = []
        if self._open is not None:
            _, begun = self._open
            self._open = None
            if first is not None and (first.type, first.group) == (begun.type, begun.group):
                first = join_parts(begun, first)
            else:
                whole.append(begun)
        if first is not None:
            whole += [first, *rest]
            last = whole[-1]
            if last.type in SPLIT and len(last.sources) >= PART_SOURCES:
                self._open = (at, whole.pop())
        return [happening for record in whole for happening in self._learn(at, record)]

    def _close_open(self, now: Instant) -> list[Happening]:
        """Nothing followed in time: it was whole."""
        if self._open is None or now < self._open[0] + PARTS_BELONG_TOGETHER:
            return []
        at, record = self._open
        self._open = None
        return self._learn(at, record)

    def _learn(self, at: Instant, record: GroupRecord) -> list[Happening]:
        group = record.group
        if self._answers_only_what_was_asked(at, record):
            self.times.report(group, at)
            return []
        current = self.asked_by(KERNEL, group) or self.nothing
        happenings = self.listen(at, KERNEL, group, apply_record(current, record))
        self.times.report(group, at)
        return happenings

    def _answers_only_what_was_asked(self, at: Instant, record: GroupRecord) -> bool:
        """Whether this is the answer to a query about sources, which tells of no others.

        RFC 9776 Table 5.
        """
        until, sources = self._asked_sources.get(record.group, (Instant(0), None))
        if sources is None or record.type is not RecordType.MODE_IS_INCLUDE:
            return False
        if at > until:
            del self._asked_sources[record.group]
            return False
        return record.sources <= sources

    def seed(self, at: Instant, groups: Iterable[tuple[Address, SourceFilter]]) -> None:
        """What the kernel receives already, but for what its reports have said better meanwhile."""
        for group, current in groups:
            if self.asked_by(KERNEL, group) is None:
                self.listen(at, KERNEL, group, current)

    def listen(
        self, at: Instant, application: str, group: Address, wanted: SourceFilter
    ) -> list[Happening]:
        """An application's whole request for a group; INCLUDE without sources ends it.

        Without a voice it is somebody else who tells the routers, and has done so.
        """
        old = self.host.groups.get(group)
        request = Listen(application, group, wanted, is_known=self.voice is None)
        effects = self._effects(at, self.host.handle(at, request))
        new = self.host.groups.get(group)
        if new == old:
            return effects
        self.state_changes[application.partition(":")[0]] += 1
        if new is None:
            self.times.end(group)
            self._asked_sources.pop(group, None)
            name = "left"
        elif old is None:
            self.times.begin(group, at)
            name = "joined"
        else:
            name = "changed"
        fields: dict[str, object] = {
            "group": self.family.format(group),
            "application": application,
        }
        if new is not None:
            fields |= filter_object(self.family, new)
        return [*effects, Happening(name, fields)]

    # Time, link and operator.

    def link(self, now: Instant, *, running: bool) -> list[Happening]:
        return self._effects(now, self.host.handle(now, LinkUp() if running else LinkDown()))

    def announce(self, now: Instant) -> list[Happening]:
        """All groups are to be reported again, on a link that stays up."""
        return self._effects(now, self.host.handle(now, Announce()))

    def source_address(self, now: Instant, address: Address) -> list[Happening]:
        """The address that messages are sent from; all zeros if there is none."""
        return self._effects(now, self.host.handle(now, SourceAddressChanged(address)))

    def speak(self, now: Instant, voice: Voice | None) -> list[Happening]:
        """Host mode begins, or ends if there is no voice."""
        self.voice = voice
        return self.configure(now, self.config)

    def configure(self, now: Instant, config: HostConfig) -> list[Happening]:
        """Other tunables, at once."""
        self.config = config
        tunables = observing(config) if self.voice is None else speaking(config)
        return self._effects(now, self.host.handle(now, Configure(tunables)))

    def advance(self, now: Instant) -> list[Happening]:
        """Lets older queriers and unanswered queries expire, and the engine act.

        The engine waits while its voice is busy, so that what it says does not pile up.
        """
        happenings = self._close_open(now)
        if self.voice is not None and self.voice.is_busy:
            self._resume = after(now, BREATHING_SPACE)
        else:
            happenings += self._effects(now, self.host.advance(now))
        unanswered = self.responses.expire(now, self._has_to_say)
        if unanswered:
            happenings.append(Happening("unanswered", {"queries": unanswered}))
        return happenings

    def next_deadline(self) -> Instant | None:
        still_open = after(self._open[0], PARTS_BELONG_TOGETHER) if self._open else None
        due = self.host.next_deadline()
        engine = None if due is None else max(due, self._resume)
        deadlines = (engine, self.responses.next_deadline(), still_open)
        return min((each for each in deadlines if each is not None), default=None)

    def _effects(self, now: Instant, effects: Iterable[Effect]) -> list[Happening]:
        """Has the voice do what is to be sent and heard; says the rest to those who watch."""
        happenings = []
        for effect in effects:
            match effect:
                case VersionChanged():
                    happenings.append(self._version_changed(now, effect))
                case Warn():
                    happenings.append(Happening("warning", {"text": effect.text}))
                case SendRecords() | SendReport() | SendLeave():
                    self._send(now, effect)
                case ReportsMatter():
                    if self.voice is not None:
                        self.voice.listen(effect)
                case Refused():
                    happenings.append(Happening("refused", {"text": effect.text}))
                case _:
                    assert_never(effect)
        return happenings

    def _send(self, now: Instant, order: SendRecords | SendReport | SendLeave) -> None:
        if self.voice is None:
            return
        self.voice.send(order)
        if isinstance(order, SendLeave):
            return
        self.last_reported_version = self.host.version
        if isinstance(order, SendRecords) and isinstance(order.records, CurrentState):
            self.times.report_all(now)
            self.responses.answer(now, self.host.groups.keys())
            return
        told = self._told(order)
        for group in told:
            self.times.report(group, now)
        if isinstance(order, SendReport) or not order.is_state_change:
            self.responses.answer(now, told)

    @staticmethod
    def _told(order: SendRecords | SendReport) -> set[Address]:
        if isinstance(order, SendReport):
            return {order.group}
        return {record.group for record in order.records}

    def _version_changed(self, now: Instant, effect: VersionChanged) -> Happening:
        way = (effect.previous, effect.version)
        self.compatibility_changes[way] = self.compatibility_changes.get(way, 0) + 1
        fields: dict[str, object] = {"from": way[0], "to": way[1]}
        if self._cause is not None and effect.version < effect.previous:
            fields["querier"] = self.family.format(self._cause.source)
        older = self.host.older_querier_deadlines.get(effect.version)
        if older is not None:
            fields["forgotten_in"] = in_seconds(max(0, older - now))
        return Happening("version", fields)


def answers(current: SourceFilter, asked: SourceList) -> bool:
    """Whether a query about these sources is answered at all (RFC 9776 Table 5)."""
    if current.mode is FilterMode.INCLUDE:
        return bool(current.sources & asked)
    return bool(asked - current.sources)


def filter_object(family: ProtocolFamily, current: SourceFilter) -> dict[str, object]:
    """The fields of a filter in JSON."""
    sources = [family.format(source) for source in current.sources]
    return {"mode": current.mode.value, "sources": sources}
