"""A host's side of IGMP or MLD on one interface: events in, effects out."""

from __future__ import annotations

import sys

from mcastd.gmp.compatibility import remembered
from mcastd.gmp.config import HostConfig
from mcastd.gmp.counters import Counted
from mcastd.gmp.delays import Delays
from mcastd.gmp.effects import Effect, Refreshed, Refused
from mcastd.gmp.events import (
    Announce,
    ChangeListening,
    Configure,
    Event,
    InterfaceEvent,
    LinkDown,
    LinkUp,
    Listen,
    Resume,
    SayAgain,
    SourceAddressChanged,
)
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.messages import Leave, MembershipReport, Message, Other, Query, RecordReport
from mcastd.gmp.reading import (
    SHORTEST_RESPONSE,
    Reading,
    counted_as,
    read,
    read_in_compatibility,
)
from mcastd.gmp.state import HostState
from mcastd.gmp.subscription import changed, refusal
from mcastd.gmp.sweep import Sweep
from mcastd.gmp.time import Duration, Instant, after
from mcastd.gmp.view import HostView
from mcastd.gmp.warnings import Warnings


class Host(HostView):
    """One family on one interface. It starts with the link up and no source address.

    `at_once`: how many groups, of those that are due together, one call looks at; then the next
    deadline is one that has passed, until `advance` was called often enough.
    """

    def __init__(
        self,
        family: ProtocolFamily,
        config: HostConfig,
        delays: Delays,
        at_once: int = sys.maxsize,
    ) -> None:
        super().__init__(HostState(family, config, delays, at_once))
        self._warnings = Warnings(family)
        self._source_address = family.unspecified

    def handle(self, now: Instant, event: Event) -> list[Effect]:
        """Fires what is due at `now`, takes the event, fires what that made due at once."""
        effects = self.advance(now)
        effects += self._take(now, event)
        self._refresh.settle(now, link_is_up=self._link_is_up)
        effects += self.advance(now)
        return effects

    def advance(self, now: Instant) -> list[Effect]:
        """Fires what is due; when all of it is done, calling it again changes nothing."""
        effects = self._speaker.advance(now)
        within = self._refresh.take(now)
        if within is not None:
            effects += self._answer_all(now, within)
            effects.append(Refreshed(within))
        return effects if self._announcing is None else effects + self._announce_some(now)

    def _take(self, now: Instant, event: Event) -> list[Effect]:
        match event:
            case Listen():
                return self._listen(now, event)
            case ChangeListening():
                return self._change_listening(now, event)
            case LinkDown() | LinkUp() | Announce() | SourceAddressChanged():
                return self._interface_changed(now, event)
            case Configure():
                return self._configure(now, event.config)
            case SayAgain() | Resume():
                return self._say_again(now, event)
            case _:
                return self._receive(now, event)

    def _receive(self, now: Instant, message: Message) -> list[Effect]:
        match message:
            case Query():
                return self._query(now, message)
            case MembershipReport():
                return self._membership_report(now, message)
            case _:
                return self._message_for_routers(message)

    def _interface_changed(self, now: Instant, event: InterfaceEvent) -> list[Effect]:
        match event:
            case LinkDown():
                return self._link_down()
            case LinkUp():
                return self._link_up(now)
            case Announce():
                return self._announce(now) if self._link_is_up else []
            case _:
                return self._source_address_changed(now, event.address)

    # Applications (RFC 9776 §2, §3).

    def _change_listening(self, now: Instant, event: ChangeListening) -> list[Effect]:
        current = self.applications(event.group).get(event.application)
        requested = changed(self._state.family, current, event)
        if isinstance(requested, Refused):
            return [requested]
        return self._listen(now, Listen(event.application, event.group, requested))

    def _listen(self, now: Instant, request: Listen) -> list[Effect]:
        state, group = self._state, request.group
        refused = refusal(state.family, state.config, group, request.filter)
        if refused is not None:
            return [refused]
        old, new = state.reception.listen(request.application, group, request.filter)
        if old == new:
            return []
        state.note(group, old, new)
        if request.is_known:
            effects = self._take_over(group, new)
        else:
            effects = self._tell(now, group, old, new)
        if new.is_empty:
            state.last_reporters.discard(group)
        return effects

    def _take_over(self, group: Address, new: SourceFilter) -> list[Effect]:
        """Somebody else told the routers, for this host: as if it had sent the last report."""
        if new.is_empty:
            return self._speaker.reporter.forget(group)
        self._state.last_reporters.add(group)
        return []

    def _tell(
        self, now: Instant, group: Address, old: SourceFilter, new: SourceFilter
    ) -> list[Effect]:
        if not self._link_is_up or not self._state.is_reportable(group):
            return []
        warnings = self._warnings.of_filter(now, self._state, group, new)
        return warnings + self._speaker.reporter.filter_changed(now, group, old, new)

    # Messages.

    def _query(self, now: Instant, query: Query) -> list[Effect]:
        state = self._state
        state.statistics.count_all(counted_as(query, state.family))
        reading = read(query, state.family, state.config.max_version)
        if reading is None:
            state.statistics.count(Counted.BAD_QUERY, query.version in state.family.versions)
            return []
        if not self._link_is_up:
            return []
        if not state.config.is_believed(query.source):
            return self._warnings.of_unlisted_querier(now, query)
        if self._is_ignored(reading.version):
            return self._warnings.of_ignored_query(now, query)
        effects = self._warnings.of_older_query(now, state, query, reading)
        effects += self._hear(now, query, reading)
        return effects + self._answer(now, query, reading)

    def _is_ignored(self, version: int) -> bool:
        """Whether a message is older than what is spoken and compatibility is configured off."""
        config = self._state.config
        return version < config.max_version and not config.compat_enable

    def _hear(self, now: Instant, query: Query, reading: Reading) -> list[Effect]:
        """Learns from the query which version to speak, and its values if that is the newest."""
        state, family = self._state, self._state.family
        effects: list[Effect] = []
        older = reading.older_querier
        if older is not None and state.config.compat_enable:
            found = remembered(state, older, family.max_response(older, query.max_response))
            effects = self._warnings.of_limited_querier(now, query, found)
            effects += self._speaker.hear(older, after(now, found.interval), query.source)
        if reading.version == family.newest == self.version:
            state.learn(query.robustness, query.query_interval)
        if reading.group is None:
            self._refresh.hear(now)
        return effects

    def _answer(self, now: Instant, query: Query, reading: Reading) -> list[Effect]:
        newest = self._state.family.newest
        response = reading.max_response
        if self.version == newest:
            response = response or SHORTEST_RESPONSE
        elif reading.version == newest:
            reading = read_in_compatibility(query, self._state.family, self.version)
            response = reading.max_response
        if reading.group is not None and not self._is_reported(reading.group):
            return []
        return self._speaker.reporter.query(now, reading.group, reading.sources, response)

    def _is_reported(self, group: Address) -> bool:
        return group in self._state.reception and self._state.is_reportable(group)

    def _membership_report(self, now: Instant, report: MembershipReport) -> list[Effect]:
        state, group = self._state, report.group
        state.statistics.count_all((Counted.RECEIVED, Counted.REPORT))
        if not state.family.is_multicast(group):
            state.statistics.count(Counted.BAD_REPORT)
            return []
        state.statistics.count(Counted.OUR_REPORT, group in state.reception)
        ignored = self._is_ignored(report.version) or not state.config.report_suppression
        if not self._link_is_up or ignored:
            return []
        return self._speaker.reporter.report_heard(now, group)

    def _message_for_routers(self, message: RecordReport | Leave | Other) -> list[Effect]:
        """A host has no use for them (RFC 9776 §4, §5, RFC 9777 §6)."""
        self._state.statistics.count(Counted.RECEIVED)
        self._state.statistics.count(Counted.LEAVE, isinstance(message, Leave))
        return []

    # The interface and the operator.

    def _link_down(self) -> list[Effect]:
        """Nothing is pending and nothing learned any more; what applications want stays."""
        if not self._link_is_up:
            return []
        self._link_is_up = False
        self._announcing = None
        self._state.forget_querier()
        self._refresh.forget_querier()
        self._state.last_reporters.clear()
        return self._speaker.restart()

    def _link_up(self, now: Instant) -> list[Effect]:
        if self._link_is_up:
            return []
        self._link_is_up = True
        return self._announce(now)

    def _announce(self, now: Instant) -> list[Effect]:
        """Reports all groups anew, in the version that is spoken when they are met."""
        self._announcing = Sweep(self._state, now)
        return self._announce_some(now)

    def _announce_some(self, now: Instant) -> list[Effect]:
        assert self._announcing is not None
        effects = self._speaker.reporter.announce(now, self._announcing.piece())
        if self._announcing.is_over:
            self._announcing = None
        return effects

    def _say_again(self, now: Instant, event: SayAgain | Resume) -> list[Effect]:
        """A group is said also on a link that is down as far as is known: what took away from it
        has left by that link, which may be up before anybody has told of it."""
        if isinstance(event, SayAgain):
            if not self._is_reported(event.group):
                return []
            return self._speaker.reporter.say(now, event.group)
        if not self._link_is_up:
            return []
        return self._answer_all(now, self._state.config.unsolicited_report_interval)

    def _answer_all(self, now: Instant, within: Duration) -> list[Effect]:
        """As to a general query that nobody has sent."""
        return self._speaker.reporter.query(now, None, self._state.family.no_sources, within)

    def _source_address_changed(self, now: Instant, address: Address) -> list[Effect]:
        """All groups are reported from the first address (RFC 3590 §4, RFC 9777 §5.2.14)."""
        family = self._state.family
        first = self._source_address == family.unspecified != address
        self._source_address = address
        if first and family.announces_first_address and self._link_is_up:
            return self._announce(now)
        return []

    def _configure(self, now: Instant, config: HostConfig) -> list[Effect]:
        before = self._state.config
        self._state.configure(config)
        effects = self._forget_unreported()
        if config.queriers != before.queriers:
            self._state.forget_querier()
            self._refresh.forget_querier()
        changes = self._speaker.configured(now)
        ordered = changes and config.max_version != before.max_version
        if ordered and config.announce_version_change and self._link_is_up:
            changes += self._announce(now)
        return effects + changes

    def _forget_unreported(self) -> list[Effect]:
        """Groups that were reported and are not any more, by configuration."""
        reporter = self._speaker.reporter
        effects: list[Effect] = []
        for group in (*self._state.exceptional_groups(), *reporter.leaving()):
            if not self._state.is_reportable(group):
                effects += reporter.forget(group)
        return effects
