"""Reports of single groups, which other hosts' reports suppress: IGMPv1, IGMPv2 and MLDv1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from mcastd.gmp.counters import Counted
from mcastd.gmp.effects import Effect, Listening, ReportsMatter, SendLeave, SendReport
from mcastd.gmp.family import Address
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.reporter import Groups
from mcastd.gmp.state import HostState
from mcastd.gmp.sweep import Sweep
from mcastd.gmp.time import NO_TIME, Duration, Instant, after
from mcastd.gmp.timers import Timers
from mcastd.native import SourceList


class MemberState(IntEnum):
    """Of one group (RFC 2236 §6; non-, delaying and idle listener, RFC 2710 §5)."""

    NON_MEMBER = 0
    DELAYING_MEMBER = 1
    IDLE_MEMBER = 2


class MemberEvent(IntEnum):
    """RFC 2236 §6, RFC 2710 §5."""

    JOIN_GROUP = 0
    LEAVE_GROUP = 1
    QUERY_RECEIVED = 2
    REPORT_RECEIVED = 3
    TIMER_EXPIRED = 4


@dataclass(slots=True)
class _Turn:
    """One call: its time, a query's Max Resp Time, and what comes of it."""

    now: Instant
    max_response: Duration = NO_TIME
    sent: list[Effect] = field(default_factory=list)
    restarted: list[tuple[Instant, Address]] = field(default_factory=list)
    started: list[Address] = field(default_factory=list)
    stopped: list[Address] = field(default_factory=list)

    def effects(self) -> list[Effect]:
        effects = self.sent
        if self.stopped:
            effects.append(ReportsMatter(tuple(self.stopped), Listening.STOPPED))
        if self.started:
            effects.append(ReportsMatter(tuple(self.started), Listening.STARTED))
        return effects


@dataclass(frozen=True, slots=True)
class _Question:
    """A general query that not all groups have taken notice of."""

    sweep: Sweep
    max_response: Duration


class SuppressingReporter:
    """The three-state machine of RFC 2236 §6 and RFC 2710 §5, for every group of a host.

    One delay timer a group serves answers and unsolicited repeats alike. A group is a delaying
    member while it runs, else an idle one if it is held; so nothing is kept for idle groups.

    A general query is put to the groups in pieces. Of those that come meanwhile one waits, which
    stands for all of them: it is answered as soon as the most urgent of them wants.
    """

    def __init__(self, state: HostState, version: int) -> None:
        self._state = state
        self._version = version
        self._delays: Timers[Address] = Timers()
        self._repeats: dict[Address, int] = {}
        self._asked: _Question | None = None
        self._waiting: _Question | None = None

    @property
    def version(self) -> int:
        return self._version

    @property
    def running_timers(self) -> int:
        return len(self._delays)

    @property
    def general_response_due(self) -> Instant | None:
        return None

    def leaving(self) -> list[Address]:
        return []

    def next_deadline(self) -> Instant | None:
        return self._asked.sweep.since if self._asked else self._delays.next_deadline()

    def timers(self, group: Address) -> Mapping[str, Instant]:
        deadline = self._delays.deadline(group)
        return {} if deadline is None else {"delay": deadline}

    def member_state(self, group: Address) -> MemberState:
        if group in self._delays:
            return MemberState.DELAYING_MEMBER
        if group in self._state.reception:
            return MemberState.IDLE_MEMBER
        return MemberState.NON_MEMBER

    def filter_changed(
        self, now: Instant, group: Address, old: SourceFilter, new: SourceFilter
    ) -> list[Effect]:
        """Only the beginning and the end of a membership are told."""
        turn = _Turn(now)
        if old.is_empty:
            self._step(turn, group, MemberState.NON_MEMBER, MemberEvent.JOIN_GROUP)
        elif new.is_empty:
            delaying = group in self._delays
            before = MemberState.DELAYING_MEMBER if delaying else MemberState.IDLE_MEMBER
            self._step(turn, group, before, MemberEvent.LEAVE_GROUP)
        return self._finish(turn)

    def query(
        self, now: Instant, group: Address | None, _sources: SourceList, max_response: Duration
    ) -> list[Effect]:
        if group is None:
            return self._ask_all(now, max_response)
        turn = _Turn(now, max_response)
        self._step(turn, group, self.member_state(group), MemberEvent.QUERY_RECEIVED)
        return self._finish(turn)

    def _ask_all(self, now: Instant, max_response: Duration) -> list[Effect]:
        """A general query: one that comes while all groups are asked waits until they are."""
        if self._asked is None:
            self._asked = _Question(Sweep(self._state, now), max_response)
            return self._ask_some()
        if self._waiting is not None:
            earliest = after(self._waiting.sweep.since, self._waiting.max_response)
            max_response = min(max_response, Duration(max(earliest - now, 0)))
        self._waiting = _Question(Sweep(self._state, now), max_response)
        return []

    def _ask_some(self) -> list[Effect]:
        """Starts timers for the next groups; delays count from when the query arrived."""
        assert self._asked is not None
        sweep = self._asked.sweep
        turn = _Turn(sweep.since, self._asked.max_response)
        for group, _ in sweep.piece():
            self._step(turn, group, self.member_state(group), MemberEvent.QUERY_RECEIVED)
        if sweep.is_over:
            self._asked, self._waiting = self._waiting, None
        return self._finish(turn)

    def report_heard(self, now: Instant, group: Address) -> list[Effect]:
        turn = _Turn(now)
        self._step(turn, group, self.member_state(group), MemberEvent.REPORT_RECEIVED)
        return self._finish(turn)

    def announce(self, now: Instant, groups: Groups) -> list[Effect]:
        turn = _Turn(now)
        for group, _ in groups:
            self._step(turn, group, MemberState.NON_MEMBER, MemberEvent.JOIN_GROUP)
        return self._finish(turn)

    def say(self, now: Instant, group: Address) -> list[Effect]:
        """A report that was due counts as this one; those that are owed after it stay owed."""
        turn = _Turn(now)
        if group in self._delays:
            self._delays.stop(group)
            self._step(turn, group, MemberState.DELAYING_MEMBER, MemberEvent.TIMER_EXPIRED)
        else:
            self._send_report(turn, group)
        return self._finish(turn)

    def forget(self, group: Address) -> list[Effect]:
        turn = _Turn(Instant(0))
        if group in self._delays:
            self._stop_timer(turn, group)
        return turn.effects()

    def retire(self) -> list[Effect]:
        return [ReportsMatter(None, Listening.STOPPED)] if self._delays else []

    def fire(self, now: Instant, until: Instant) -> list[Effect]:
        turn = _Turn(now)
        for _ in range(self._state.at_once):
            group = self._delays.pop_due(until)
            if group is None:
                break
            self._step(turn, group, MemberState.DELAYING_MEMBER, MemberEvent.TIMER_EXPIRED)
        effects = self._finish(turn)
        return effects if self._asked is None else effects + self._ask_some()

    def _step(self, turn: _Turn, group: Address, before: MemberState, event: MemberEvent) -> None:
        for action in TRANSITIONS.get((before, event), ()):
            action(self, turn, group)

    def _finish(self, turn: _Turn) -> list[Effect]:
        self._delays.start_all(turn.restarted)
        return turn.effects()

    def _send_report(self, turn: _Turn, group: Address) -> None:
        """Also sets the flag: we are the last to have reported the group."""
        turn.sent.append(SendReport(self._version, group))
        self._state.statistics.count(Counted.SENT_REPORT)
        self._state.last_reporters.add(group)

    def _clear_flag(self, _turn: _Turn, group: Address) -> None:
        self._state.last_reporters.discard(group)

    def _send_leave_if_flag_set(self, turn: _Turn, group: Address) -> None:
        """IGMPv1 has no leave (RFC 1112); without the optimisation, always (RFC 2710 §4)."""
        if self._version not in self._state.family.leaving_versions:
            return
        optional = self._state.config.leave_only_if_last_reporter
        if group in self._state.last_reporters or not optional:
            turn.sent.append(SendLeave(self._version, group))
            self._state.statistics.count(Counted.SENT_LEAVE)

    def _begin_repeats(self, turn: _Turn, group: Address) -> None:
        """ "Repeated once or twice after short delays" (RFC 2236 §3, RFC 2710 §4)."""
        self._repeats[group] = min(max(self._state.robustness - 1, 1), 2)
        self._start(turn, group, self._state.config.older_unsolicited_report_interval)

    def _start_timer(self, turn: _Turn, group: Address) -> None:
        self._start(turn, group, turn.max_response)

    def _shorten_timer(self, turn: _Turn, group: Address) -> None:
        """A new delay only if the old one can be longer than the query allows (RFC 2236 §3)."""
        deadline = self._delays.deadline(group)
        if deadline is not None and turn.max_response < deadline - turn.now:
            self._start(turn, group, turn.max_response)

    def _start(self, turn: _Turn, group: Address, limit: Duration) -> None:
        if group not in self._delays:
            turn.started.append(group)
        turn.restarted.append((after(turn.now, self._state.delays.draw(limit)), group))

    def _stop_timer(self, turn: _Turn, group: Address) -> None:
        """Repeats go with it: they are the same timer."""
        self._delays.stop(group)
        self._repeats.pop(group, None)
        turn.stopped.append(group)

    def _count_suppressed(self, _turn: _Turn, _group: Address) -> None:
        self._state.statistics.count(Counted.SUPPRESSED)

    def _continue_repeats(self, turn: _Turn, group: Address) -> None:
        """The report just sent was one of those owed, whatever made the timer run."""
        owed = self._repeats.pop(group, 0) - 1
        if owed > 0:
            self._repeats[group] = owed
            interval = self._state.config.older_unsolicited_report_interval
            deadline = after(turn.now, self._state.delays.draw(interval))
            turn.restarted.append((deadline, group))
        else:
            turn.stopped.append(group)


_Action = Callable[[SuppressingReporter, _Turn, Address], None]
_Reporter = SuppressingReporter

TRANSITIONS: Final[Mapping[tuple[MemberState, MemberEvent], tuple[_Action, ...]]] = {
    (MemberState.NON_MEMBER, MemberEvent.JOIN_GROUP): (
        _Reporter._send_report,
        _Reporter._begin_repeats,
    ),
    (MemberState.DELAYING_MEMBER, MemberEvent.LEAVE_GROUP): (
        _Reporter._stop_timer,
        _Reporter._send_leave_if_flag_set,
    ),
    (MemberState.DELAYING_MEMBER, MemberEvent.QUERY_RECEIVED): (_Reporter._shorten_timer,),
    (MemberState.DELAYING_MEMBER, MemberEvent.REPORT_RECEIVED): (
        _Reporter._stop_timer,
        _Reporter._clear_flag,
        _Reporter._count_suppressed,
    ),
    (MemberState.DELAYING_MEMBER, MemberEvent.TIMER_EXPIRED): (
        _Reporter._send_report,
        _Reporter._continue_repeats,
    ),
    (MemberState.IDLE_MEMBER, MemberEvent.LEAVE_GROUP): (_Reporter._send_leave_if_flag_set,),
    (MemberState.IDLE_MEMBER, MemberEvent.QUERY_RECEIVED): (_Reporter._start_timer,),
}
"""The diagrams of RFC 2236 §6 and RFC 2710 §5, row by row; what is not here changes nothing.

The state afterwards is delaying if the timer runs, else idle, or none after a leave.
"""
