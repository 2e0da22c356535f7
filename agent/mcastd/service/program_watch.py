"""Notices that a program was detached by somebody else: the agent would miss packets.

The kernel tells nobody of it, so each interface is looked at now and then: some in each look, all
in turn.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping

from mcastd.gmp.time import Instant
from mcastd.service.interface import Interface
from mcastd.service.limit import SayingLimit

log = logging.getLogger("mcastd")

AT_ONCE = 128
"""Interfaces in one look: each costs a call into the kernel for each of its programs."""


class ProgramWatch:
    """`found` is called with each interface that lacks a program."""

    def __init__(
        self, interfaces: Mapping[int, Interface], found: Callable[[Interface], None]
    ) -> None:
        self._interfaces = interfaces
        self._found = found
        self._round: deque[int] = deque()
        self._limit = SayingLimit()

    def look(self, now: Instant) -> None:
        """Looks at the next interfaces; after the last one it begins again."""
        if not self._round:
            self._round.extend(self._interfaces)
        for _ in range(min(AT_ONCE, len(self._round))):
            interface = self._interfaces.get(self._round.popleft())
            attachment = interface.attachment if interface is not None else None
            if interface is None or attachment is None or attachment.is_whole():
                continue
            if self._limit.may_say(interface.name, now) is not None:
                log.warning(
                    "%s: another tool detached a program; mcastd attaches it again", interface.name
                )
            self._found(interface)
