"""What both reporters offer the host, which uses one of them at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from mcastd.gmp.effects import Effect
from mcastd.gmp.family import Address
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.time import Duration, Instant
from mcastd.native import SourceList

Groups = Iterable[tuple[Address, SourceFilter]]
"""Groups that are reported, with their filters."""


class Reporter(Protocol):
    """Tells the routers in one version, and holds whatever is pending in it.

    A change of version cancels all that is pending (RFC 9776 §7.2.1, RFC 9777 §8.2.1): the host
    takes a new reporter and lets go of the old one.
    """

    @property
    def version(self) -> int: ...

    def filter_changed(
        self, now: Instant, group: Address, old: SourceFilter, new: SourceFilter
    ) -> list[Effect]:
        """A reportable group's filter became another one; the reception state has it already."""

    def query(
        self, now: Instant, group: Address | None, sources: SourceList, max_response: Duration
    ) -> list[Effect]:
        """A query to answer within `max_response`; `group` None: about all of them."""

    def report_heard(self, now: Instant, group: Address) -> list[Effect]:
        """Another host reported the group in an older version; it need not be held here."""

    def announce(self, now: Instant, groups: Groups) -> list[Effect]:
        """Reports these groups as if they had just been joined (RFC 3590 §4, RFC 9777 §5.2.14)."""

    def say(self, now: Instant, group: Address) -> list[Effect]:
        """Reports a group that is held, at once and once; what is pending for it stays so."""

    def forget(self, group: Address) -> list[Effect]:
        """Cancels what is pending for the group; nothing is sent."""

    def retire(self) -> list[Effect]:
        """What is to be said of all that is pending when it is cancelled."""

    def fire(self, now: Instant, until: Instant) -> list[Effect]:
        """Does what is due by `until`, which is `now` or earlier, as much as one call may do."""

    def next_deadline(self) -> Instant | None: ...

    def timers(self, group: Address) -> Mapping[str, Instant]:
        """The group's running timers by name."""

    @property
    def general_response_due(self) -> Instant | None:
        """When the answer to a general query is due, where one answer serves all groups."""

    @property
    def running_timers(self) -> int: ...

    def leaving(self) -> list[Address]:
        """Groups no longer held about which reports are still owed."""
