"""Reports of group records, which nobody suppresses: IGMPv3 and MLDv2."""

from __future__ import annotations

from collections.abc import Mapping

from mcastd.gmp.current_state import CurrentState
from mcastd.gmp.effects import Effect, SendRecords
from mcastd.gmp.family import Address
from mcastd.gmp.filters import FilterMode, SourceFilter, include
from mcastd.gmp.records import GroupRecord, RecordType, current_state, state_change
from mcastd.gmp.reporter import Groups
from mcastd.gmp.retransmission import NOTHING_OWED, Retransmissions
from mcastd.gmp.state import HostState
from mcastd.gmp.time import Duration, Instant, after
from mcastd.gmp.timers import Timers
from mcastd.native import SourceList

RESPONSE, RETRANSMISSION = b"\0", b"\1"
"""What a timer is for: the last byte of its key, behind the group."""

GENERAL_QUERY_TIMER = RESPONSE
"""The interface timer of RFC 9776 §5.2, of no group; it goes before all others."""

_NAMES = {"response": RESPONSE, "retransmission": RETRANSMISSION}

_TELLS_EXCLUDE = {RecordType.MODE_IS_EXCLUDE, RecordType.CHANGE_TO_EXCLUDE_MODE}


class RecordReporter:
    """Answers with current-state records and repeats state changes (RFC 9776 §5, RFC 9777 §6).

    Only groups with something pending take room here. A group that was left stays in
    `_retransmissions` until its leave has been told often enough, with the filter of a group that
    is not held.
    """

    def __init__(self, state: HostState, version: int) -> None:
        self._state = state
        self._version = version
        self._timers: Timers[bytes] = Timers()
        self._recorded_sources: dict[Address, SourceList] = {}
        self._retransmissions: dict[Address, Retransmissions] = {}

    @property
    def version(self) -> int:
        return self._version

    @property
    def running_timers(self) -> int:
        return len(self._timers)

    @property
    def general_response_due(self) -> Instant | None:
        return self._timers.deadline(GENERAL_QUERY_TIMER)

    def leaving(self) -> list[Address]:
        return [group for group in self._retransmissions if group not in self._state.reception]

    def next_deadline(self) -> Instant | None:
        return self._timers.next_deadline()

    def timers(self, group: Address) -> Mapping[str, Instant]:
        return {
            name: deadline
            for name, what in _NAMES.items()
            if (deadline := self._timers.deadline(group + what)) is not None
        }

    def retire(self) -> list[Effect]:
        return []

    def report_heard(self, _now: Instant, _group: Address) -> list[Effect]:
        """Nothing: an older report does not suppress one that has sources (RFC 4604 §2.2.1)."""
        return []

    # State changes (RFC 9776 §5.1, RFC 9777 §6.1).

    def filter_changed(
        self, now: Instant, group: Address, old: SourceFilter, new: SourceFilter
    ) -> list[Effect]:
        if new.is_empty:
            self._stop_response(group)
        return _report(self._merge_change(now, group, old, new), is_state_change=True)

    def announce(self, now: Instant, groups: Groups) -> list[Effect]:
        nothing = include(self._state.family.no_sources)
        records: list[GroupRecord] = []
        for group, current in groups:
            records += self._merge_change(now, group, nothing, current)
        return _report(records, is_state_change=True)

    def say(self, _now: Instant, group: Address) -> list[Effect]:
        record = current_state(group, self._state.reception.filter(group))
        return _report(list(filter(self._may_be_told, [record])), is_state_change=False)

    def forget(self, group: Address) -> list[Effect]:
        self._stop_response(group)
        self._retransmissions.pop(group, None)
        self._timers.stop(group + RETRANSMISSION)
        return []

    def _merge_change(
        self, now: Instant, group: Address, old: SourceFilter, new: SourceFilter
    ) -> list[GroupRecord]:
        """Owes the change Robustness Variable reports; the records of the first of them."""
        owed = self._retransmissions.get(group, NOTHING_OWED)
        changes = state_change(group, old, new)
        return self._transmit(now, group, owed.merged(changes, self._state.robustness))

    def _transmit(self, now: Instant, group: Address, owed: Retransmissions) -> list[GroupRecord]:
        """The records to send now; a fresh interval to the next report, if one is owed."""
        records = owed.records(group, self._state.reception.filter(group))
        owed = owed.reported()
        if owed.finished:
            self._retransmissions.pop(group, None)
            self._timers.stop(group + RETRANSMISSION)
        else:
            self._retransmissions[group] = owed
            interval = self._state.config.unsolicited_report_interval
            deadline = after(now, self._state.delays.draw(interval))
            self._timers.start(group + RETRANSMISSION, deadline)
        return list(filter(self._may_be_told, records))

    def _may_be_told(self, record: GroupRecord) -> bool:
        """EXCLUDE is never told of a source-specific group (RFC 9776 §4.2.13)."""
        return (
            record.type not in _TELLS_EXCLUDE
            or not self._state.holds_source_specific_groups()
            or not self._state.config.is_source_specific(record.group)
        )

    # Queries (RFC 9776 §5.2, RFC 9777 §6.2).

    def query(
        self, now: Instant, group: Address | None, sources: SourceList, max_response: Duration
    ) -> list[Effect]:
        """Schedules an answer by the rules of RFC 9776 §5.2; the first that applies."""
        if group is None and not self._state.has_reportable():
            return []
        deadline = after(now, self._state.delays.draw(max_response))
        general = self.general_response_due
        if general is not None and general < deadline:
            return []  # rule 1
        if group is None:
            self._timers.start(GENERAL_QUERY_TIMER, deadline)  # rule 2
        else:
            self._schedule_response(group, sources, deadline)
        return []

    def _schedule_response(self, group: Address, sources: SourceList, deadline: Instant) -> None:
        """Rules 3 to 5 of RFC 9776 §5.2; recorded sources that are empty stand for all."""
        key = group + RESPONSE
        pending = self._timers.deadline(key)
        recorded = self._recorded_sources.get(group)
        if pending is None or recorded is None:  # rule 3
            self._record_sources(group, sources)
        elif not sources or not recorded:  # rule 4
            self._record_sources(group, self._state.family.no_sources)
        else:  # rule 5
            self._record_sources(group, recorded | sources)
        if pending is None or deadline < pending:
            self._timers.start(key, deadline)

    def _record_sources(self, group: Address, sources: SourceList) -> None:
        """Above the limit the whole group is told (RFC 9776 §9.1)."""
        many = len(sources) > self._state.config.max_pending_sources
        self._recorded_sources[group] = self._state.family.no_sources if many else sources

    def _stop_response(self, group: Address) -> None:
        self._recorded_sources.pop(group, None)
        self._timers.stop(group + RESPONSE)

    # Timers.

    def fire(self, now: Instant, until: Instant) -> list[Effect]:
        effects: list[Effect] = []
        answers: list[GroupRecord] = []
        changes: list[GroupRecord] = []
        for _ in range(self._state.at_once):
            key = self._timers.pop_due(until)
            if key is None:
                break
            group, what = key[:-1], key[-1:]
            if key == GENERAL_QUERY_TIMER:
                effects += self._general_response()
            elif what == RESPONSE:
                answers += self._response(group)
            else:
                changes += self._transmit(now, group, self._retransmissions[group])
        effects += _report(_in_order(answers), is_state_change=False)
        return effects + _report(_in_order(changes), is_state_change=True)

    def _general_response(self) -> list[Effect]:
        """All groups at once; answers that are due later would only say it again."""
        for group in self._recorded_sources:
            self._timers.stop(group + RESPONSE)
        self._recorded_sources.clear()
        if not self._state.has_reportable():
            return []
        return [SendRecords(CurrentState(self._state), is_state_change=False)]

    def _response(self, group: Address) -> list[GroupRecord]:
        """Cases 2 and 3 of RFC 9776 §5.2; Table 5 there, RFC 9777 Table 3."""
        current = self._state.reception.filter(group)
        queried = self._recorded_sources.pop(group)
        if not queried:
            return list(filter(self._may_be_told, [current_state(group, current)]))
        if current.mode is FilterMode.INCLUDE:
            received = queried & current.sources
        else:
            received = queried - current.sources
        return [GroupRecord(RecordType.MODE_IS_INCLUDE, group, received)] if received else []


def _in_order(records: list[GroupRecord]) -> list[GroupRecord]:
    """Ascending by group, and ALLOW before BLOCK."""
    return sorted(records, key=lambda record: (record.group, record.type))


def _report(records: list[GroupRecord], *, is_state_change: bool) -> list[Effect]:
    """One report for all that is due at the same time; none without records."""
    return [SendRecords(tuple(records), is_state_change)] if records else []
