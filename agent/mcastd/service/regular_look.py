"""Looks once a second for floods, losses, detached programs and new counts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from mcastd.gmp.time import Instant, after, seconds
from mcastd.service import events
from mcastd.service.clock import now, wall_now
from mcastd.service.deafness import Deafness
from mcastd.service.floods import LOOK_SECONDS, FloodWatch
from mcastd.service.growing import Growing
from mcastd.service.happenings import Teller
from mcastd.service.interface import Interface
from mcastd.service.losses import Losses, by_ring_and_cause
from mcastd.service.machine import Sign
from mcastd.service.program_watch import ProgramWatch
from mcastd.service.programs import Programs

RECORD_EVERY = seconds(10)
"""Between two readings of the counters that are recorded."""


class RegularLook:
    """`interfaces`: those that are run. `lost`: is told of an interface of whose own reports copies
    were lost. `turned_at`: when it was looked last.
    """

    def __init__(
        self,
        fast_path: Programs,
        interfaces: Mapping[int, Interface],
        teller: Teller,
        *,
        programs: ProgramWatch,
        deafness: Deafness,
        sign: Sign,
        lost: Callable[[str], None],
    ) -> None:
        self._fast_path, self._interfaces, self._teller = fast_path, interfaces, teller
        self._programs, self._deafness, self._sign = programs, deafness, sign
        self._lost = lost
        self._losses = Losses()
        self.losing: Growing[tuple[str, str]] = Growing()
        """By ring and cause, events that were lost."""
        self._recorded = Instant(0)
        self._timer: asyncio.TimerHandle | None = None
        self.turned_at = now()
        self.floods = FloodWatch(self.turned_at)
        self.looked: Callable[[], object] = lambda: None
        """Is called at the end of each."""

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Looks from now on, on this loop."""
        self._loop = loop
        self._timer = loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Once. The next one comes whatever becomes of this one."""
        try:
            self._look_once()
        finally:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look)

    def _look_once(self) -> None:
        counted = self._fast_path.counters()
        for change in self.floods.look(now(), counted):
            self._teller.flood(
                change.interface, events.FloodChanged(change.state, change.ring, change.flood)
            )
        self.losing.look(now(), by_ring_and_cause(counted))
        for name in self._losses.look(counted):
            self._lost(name)
        self._programs.look(now())
        self._deafness.look(now())
        self._sign.update(self._interfaces.keys())
        if now() >= after(self._recorded, RECORD_EVERY):
            self._recorded = now()
            self._teller.recorder.count(wall_now(), counted)
        self.looked()
        self.turned_at = now()

    def rename(self, old: str, new: str) -> None:
        """What was seen of an interface goes on under its new name."""
        self.floods.rename(old, new)
        self.losing.rename(old, new)
        self._losses.rename(old, new)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._sign.close()
