"""Notes which groups were reported when, and decides which a query has to be answered for.

Pure: it learns from queries, from the kernel's own reports and from those of the agent, and decides
whether this host has to answer a query, whether what the kernel said takes something away from the
agent, and which groups a report that was held back is an order to say.
"""

from __future__ import annotations

from collections.abc import Callable

from mcastd.gmp.caution import takes_away
from mcastd.gmp.current_state import CurrentState
from mcastd.gmp.effects import SendLeave, SendRecords, SendReport
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.gmp.host import Host
from mcastd.gmp.messages import Leave, MembershipReport, Message, Query, RecordReport
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.gmp.time import Duration, Instant, after
from mcastd.native import SourceList
from mcastd.service.received import Received
from mcastd.service.responses import Responses
from mcastd.service.times import GroupTimes

CURRENT_STATE = frozenset({RecordType.MODE_IS_INCLUDE, RecordType.MODE_IS_EXCLUDE})


class Reports:
    """Of one family on one interface.

    `host`: the engine, which holds what the agent speaks for; `received`: what this host receives.
    `asked`: the last query of the newest version, from which the kernel has learned.
    `last_version`: in which version a report was sent last. `is_untold`: of a group, whether
    reports of all groups leave it out.
    """

    def __init__(
        self,
        family: ProtocolFamily,
        host: Host,
        received: Received,
        is_untold: Callable[[Address], bool],
    ) -> None:
        self._host = host
        self._is_untold = is_untold
        self._received = received
        self._family = family
        self.responses = Responses()
        self.times = GroupTimes()
        self.asked: tuple[Instant, Query] | None = None
        self.last_version: int | None = None

    # Queries.

    def question(self, at: Instant, query: Query) -> None:
        """Remembers what this host has to answer, if it has anything to say."""
        if query.group == self._family.unspecified:
            if self.has_to_say(None):
                self.responses.ask(at, None, query.max_response)
            else:
                self.responses.need_none()
            return
        current = self._received.groups.get(query.group)
        if current is None or not self._family.is_reportable(query.group):
            return
        exact = self._received.of_kernel(query.group) is not None
        if query.sources and not (exact and answers(current, query.sources)):
            return
        self.responses.ask(at, query.group, query.max_response)

    def has_to_say(self, group: Address | None) -> bool:
        """Whether the group, or any if None, is one that this host reports."""
        if group is None:
            return any(map(self._family.is_reportable, self._received.groups))
        return group in self._received.groups and self._family.is_reportable(group)

    # The kernel's own reports.

    def note(self, at: Instant, message: Message) -> None:
        """One has left this host: when which groups were reported, and what that answers."""
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
        self.last_version = message.version
        if answered:
            self.responses.answer(at, answered)

    def taken_away(self, message: Message) -> list[Address]:
        """Groups of the agent's own of which the message takes something away at the routers."""
        own = self._host.groups
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

    def ordered_by(self, at: Instant, message: Message) -> set[Address]:
        """Groups that the agent is to say now, because a report of the kernel was held back.

        It may say nothing new, and be needed all the same: after a fail-over of the link, say. What
        answers a query that was answered, or repeats a join that was told, is no order: that is for
        the engine, and another host's report may make it unnecessary (RFC 2236 §3).
        """
        match message:
            case RecordReport():
                return {r.group for r in message.records if not self._is_said(at, r)}
            case MembershipReport():
                return set() if self._is_answered(at, message.group) else {message.group}
            case _:
                return set()

    def _is_said(self, at: Instant, record: GroupRecord) -> bool:
        if record.type in CURRENT_STATE:
            return self._is_answered(at, record.group)
        return self.is_repeated(at, record.group)

    def is_repeated(self, at: Instant, group: Address) -> bool:
        """Whether a join of the group has been told, and is repeated still (RFC 9776 §5.1)."""
        since, told = self.times.since(group), self.reported(group)
        interval = self._host.config.unsolicited_report_interval
        repeats = Duration(self._host.robustness * interval)
        return since is not None and told is not None and at <= after(since, repeats)

    def _is_answered(self, at: Instant, group: Address) -> bool:
        """Whether the group was said since the last query, while that may be answered."""
        if self.asked is None:
            return False
        asked, query = self.asked
        reported = self.reported(group)
        return at <= after(asked, query.max_response) and reported is not None and reported >= asked

    # The agent's own.

    def sent(self, now: Instant, order: SendRecords | SendReport | SendLeave) -> None:
        """The voice was given what the engine wants sent."""
        if isinstance(order, SendLeave):
            return
        self.last_version = self._host.version
        if isinstance(order, SendRecords) and isinstance(order.records, CurrentState):
            self.times.report_all(now)
            self.responses.answer(now, self._host.groups.keys())
            return
        told = groups_of(order)
        for group in told:
            self.times.report(group, now)
        if isinstance(order, SendReport) or not order.is_state_change:
            self.responses.answer(now, told)

    def reported(self, group: Address) -> Instant | None:
        """When the group was last reported, by the kernel or the agent; None if it was not yet."""
        told = group in self._host.groups and not self._is_untold(group)
        return self.times.reported(group, with_all=told)


def groups_of(order: SendRecords | SendReport) -> set[Address]:
    if isinstance(order, SendReport):
        return {order.group}
    return {record.group for record in order.records}


def is_leave(record: GroupRecord) -> bool:
    """Whether it says that nothing of the group is wanted any more."""
    return record.type is RecordType.CHANGE_TO_INCLUDE_MODE and not record.sources


def answers(current: SourceFilter, asked: SourceList) -> bool:
    """Whether a query about these sources is answered at all (RFC 9776 Table 5)."""
    if current.mode is FilterMode.INCLUDE:
        return bool(current.sources & asked)
    return bool(asked - current.sources)
