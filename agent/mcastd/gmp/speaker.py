"""Which version is spoken, and by which reporter: the one place where the mode is looked at."""

from __future__ import annotations

from collections.abc import Mapping

from mcastd.gmp.compatibility import HostCompatibilityMode
from mcastd.gmp.effects import Effect, VersionChanged
from mcastd.gmp.family import Address
from mcastd.gmp.recording import RecordReporter
from mcastd.gmp.reporter import Reporter
from mcastd.gmp.state import HostState
from mcastd.gmp.suppressing import SuppressingReporter
from mcastd.gmp.time import Instant, after


class Speaker:
    """The reporter of the version that queriers and configuration leave.

    When that is another version, a new reporter takes over; all that was pending is cancelled
    because it belonged to the old one (RFC 9776 §7.2.1, RFC 9777 §8.2.1).
    """

    __slots__ = ("_compatibility", "_reporter", "_state")

    def __init__(self, state: HostState) -> None:
        self._state = state
        self._compatibility = HostCompatibilityMode(state.family)
        self._reporter = self._new_reporter()

    @property
    def reporter(self) -> Reporter:
        return self._reporter

    @property
    def version(self) -> int:
        """The version spoken now."""
        return self._reporter.version

    @property
    def compatibility_version(self) -> int:
        """The Host Compatibility Mode, whatever the configured maximum."""
        return self._compatibility.version

    @property
    def older_querier_deadlines(self) -> Mapping[int, Instant]:
        return self._compatibility.deadlines

    def hear(self, version: int, until: Instant, source: Address) -> list[Effect]:
        """An older querier was heard, which is taken to be present until then."""
        self._compatibility.hear(version, until, source)
        return self.settle()

    def settle(self) -> list[Effect]:
        """Speaks the right version from now on."""
        return [] if self._right_version() == self.version else self._replace_reporter()

    def configured(self, now: Instant) -> list[Effect]:
        """The configuration is another; without compatibility no older querier counts."""
        config = self._state.config
        if not config.compat_enable:
            self._compatibility.forget()
        limit = config.older_querier_limit
        self._compatibility.believe(config, after(now, limit) if limit else None)
        return self.settle()

    def restart(self) -> list[Effect]:
        """As on a link where nothing was heard yet; cancels everything."""
        self._compatibility.forget()
        return self._replace_reporter()

    def advance(self, now: Instant) -> list[Effect]:
        """Fires what is due.

        In order of time: what was due before the version changed is sent, what was due later is
        cancelled with the rest, however late the call. At the same instant the version goes first.
        What is left because it is too much for one call is due still.
        """
        effects: list[Effect] = []
        while (due := self.next_deadline()) is not None and due <= now:
            older_querier = self._compatibility.next_deadline()
            if older_querier == due:
                self._compatibility.expire(due)
                effects += self.settle()
            else:
                until = now if older_querier is None else min(now, Instant(older_querier - 1))
                effects += self._reporter.fire(now, until)
                left = self._reporter.next_deadline()
                if left is not None and left <= until:
                    break  # more than one call may do
        return effects

    def next_deadline(self) -> Instant | None:
        reporter = self._reporter.next_deadline()
        older_querier = self._compatibility.next_deadline()
        if reporter is None or older_querier is None:
            return older_querier if reporter is None else reporter
        return min(reporter, older_querier)

    def _right_version(self) -> int:
        return min(self._compatibility.version, self._state.config.max_version)

    def _replace_reporter(self) -> list[Effect]:
        previous = self._reporter
        self._reporter = self._new_reporter()
        effects = previous.retire()
        if previous.version != self.version:
            effects.append(VersionChanged(previous.version, self.version))
        return effects

    def _new_reporter(self) -> Reporter:
        version = self._right_version()
        if version == self._state.family.newest:
            return RecordReporter(self._state, version)
        return SuppressingReporter(self._state, version)
