"""Follows one family on one interface: the queriers, the answers, the groups received.

The kernel speaks for its own sockets; what it receives for them is looked up, not guessed. The
protocol engine speaks for the agent's own memberships, and while a cap below the newest version is
set for all groups that are present: then it holds the kernel's, too, and the kernel's own reports
are held back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from mcastd.gmp.config import HostConfig
from mcastd.gmp.events import (
    Announce,
    LinkDown,
    LinkUp,
    Listen,
    Resume,
    SayAgain,
    SourceAddressChanged,
)
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter, exclude, include
from mcastd.gmp.messages import MembershipReport, Message, Query
from mcastd.gmp.records import RecordType
from mcastd.gmp.time import Instant, after, seconds
from mcastd.service import events
from mcastd.service.engine import Engine
from mcastd.service.events import FamilyEvent
from mcastd.service.joined import Joined
from mcastd.service.outlet import Outlet
from mcastd.service.querier import Queriers
from mcastd.service.received import KERNEL, Received
from mcastd.service.reports import Reports
from mcastd.wire import Note
from mcastd.wire import Received as ReceivedMessage

CURRENT_STATE = frozenset({RecordType.MODE_IS_INCLUDE, RecordType.MODE_IS_EXCLUDE})

UNLISTED_TOLD = seconds(10)
"""Between two words on queriers that are not named."""


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
        self.engine = Engine(family, config, lambda: not self.is_holding)
        self.host = self.engine.host
        self.received = Received(family, self._is_source_specific)
        self.is_holding = False
        self.is_silent_about_link_local = False
        """Whether the kernel never tells link-local groups (igmp_link_local_mcast_reports)."""
        self.group_changed: Callable[[Address, bool], None] = lambda _group, _received: None
        """Called when a group begins to be received, and when it no longer is."""
        self.is_taking_over = False
        """Whether the kernel is held back already, and its groups are still to be looked up."""
        self._owed: set[Address] = set()
        """What the kernel would have said, while it is not known yet what to say of it."""
        self.own_query: tuple[Instant, int] | None = None
        """When a query of this host itself left it last, and its version."""
        self.queriers = Queriers()
        self.reports = Reports(family, self.host, self.received, self.is_untold)
        self.engine.sent = self.reports.sent
        self.responses, self.times = self.reports.responses, self.reports.times
        self.unlisted: tuple[Instant, Address] | None = None
        self.state_changes: Counter[str] = Counter()

    def go_on_from(self, earlier: Observer) -> None:
        """Counts on where the one before it under this name has ended."""
        self.responses.go_on_from(earlier.responses)
        self.engine.go_on_from(earlier.engine)
        self.state_changes += earlier.state_changes

    @property
    def nothing(self) -> SourceFilter:
        """INCLUDE without sources: not to receive a group."""
        return include(self.family.no_sources)

    @property
    def is_capped(self) -> bool:
        """Whether only older versions may be spoken."""
        return self.config.is_capped(self.family)

    @property
    def voice(self) -> Outlet | None:
        """What the engine speaks with; None in observe mode."""
        return self.engine.voice

    @property
    def asked(self) -> tuple[Instant, Query] | None:
        """The last query of the newest version, from which the kernel has learned."""
        return self.reports.asked

    @property
    def last_reported_version(self) -> int | None:
        return self.reports.last_version

    def reported(self, group: Address) -> Instant | None:
        """When the group was last reported, by the kernel or the agent; None if it was not yet."""
        return self.reports.reported(group)

    def is_repeated(self, at: Instant, group: Address) -> bool:
        """Whether a join of the group has been told, and is repeated still (RFC 9776 §5.1)."""
        return self.reports.is_repeated(at, group)

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
        return found + self.engine.hear(at, message)

    def hear_unlisted(self, at: Instant, query: Query) -> list[FamilyEvent]:
        """A query of none of those that are named: only the kernel heeds it, if it hears it."""
        found: list[FamilyEvent] = []
        if self.unlisted is None or at >= after(self.unlisted[0], UNLISTED_TOLD):
            self.unlisted = (at, query.source)
            found.append(events.UnlistedQuerier(query.source, query.version))
        if self.voice is not None:
            return found
        self.reports.question(at, query)
        return found + self.engine.hear(at, query)

    def _hear_query(
        self, at: Instant, received: ReceivedMessage, query: Query
    ) -> list[FamilyEvent]:
        general = query.group == self.family.unspecified
        alert = Note.NO_ROUTER_ALERT not in received.notes
        changed = self.queriers.hear(at, query, general=general, router_alert=alert)
        if query.version == self.family.newest:
            self.reports.asked = (at, query)
        self.reports.question(at, query)
        self.engine.answers_by(after(at, query.max_response))
        if not changed:
            return []
        return [events.QuerierChanged(query.source, query.version)]

    # What the kernel says.

    def overhear(self, at: Instant, message: Message, *, held: bool = False) -> list[FamilyEvent]:
        """A message of the kernel's own that left this host, or was `held` back for the agent."""
        if isinstance(message, Query):
            self.own_query = (at, message.version)
            return self.engine.handle(at, message)
        if held:
            groups = sorted(self.reports.ordered_by(at, message))
        else:
            self.reports.note(at, message)
            groups = self.reports.taken_away(message)
        return [event for group in groups for event in self._say_again(at, group)]

    def _say_again(self, at: Instant, group: Address) -> list[FamilyEvent]:
        if self.voice is None:
            return []
        if group not in self.host.groups:
            if self.is_taking_over:
                self._owed.add(group)
            return []
        return self.engine.handle(at, SayAgain(group), urgent=True)

    def say_what_is_owed(self, at: Instant) -> list[FamilyEvent]:
        """The kernel's groups are known now: those that it was kept from reporting are said."""
        owed, self._owed, self.is_taking_over = self._owed, set(), False
        present = [group for group in sorted(owed) if group in self.host.groups]
        return [each for group in present for each in self._say_again(at, group)]

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
        return self.engine.handle(at, request)

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
        found = self.engine.handle(at, request)
        if not any(isinstance(each, events.Refused) for each in found):
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
            self.responses.leave(group, lambda: self.reports.has_to_say(None))
            self.group_changed(group, False)
            return [events.Left(group, application)]
        if old is not None:
            return [events.FilterChanged(group, application, new)]
        self.times.begin(group, at)
        self.group_changed(group, True)
        return [events.Joined(group, application, new)]

    # Time, link and operator.

    def link(self, now: Instant, *, running: bool) -> list[FamilyEvent]:
        return self.engine.handle(now, LinkUp() if running else LinkDown())

    def announce(self, now: Instant) -> list[FamilyEvent]:
        """All groups are to be reported again, on a link that stays up."""
        return self.engine.handle(now, Announce())

    def resume(self, now: Instant) -> list[FamilyEvent]:
        """The agent speaks on for what it spoke for before a restart."""
        return self.engine.handle(now, Resume())

    def source_address(self, now: Instant, address: Address) -> list[FamilyEvent]:
        """The address that messages are sent from; all zeros if there is none."""
        return self.engine.handle(now, SourceAddressChanged(address))

    def speak(self, now: Instant, voice: Outlet | None) -> list[FamilyEvent]:
        """Host mode begins, or ends if there is no voice."""
        self.engine.voice = voice
        return self.configure(now, self.config)

    def configure(self, now: Instant, config: HostConfig) -> list[FamilyEvent]:
        """Other tunables, at once."""
        self.config = config
        return self.engine.configure(now, config)

    def advance(self, now: Instant) -> list[FamilyEvent]:
        """Lets older queriers and unanswered queries expire, and the engine act."""
        found = self.engine.advance(now)
        unanswered = self.responses.expire(now, self.reports.has_to_say)
        if unanswered:
            found.append(events.Unanswered(unanswered))
        return found

    def next_deadline(self) -> Instant | None:
        deadlines = (self.engine.next_deadline(), self.responses.next_deadline())
        return min((each for each in deadlines if each is not None), default=None)
