"""Says to the programs that the agent lives: without it they hold nothing back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from mcastd.gmp.time import Instant, after, milliseconds, seconds

log = logging.getLogger("mcastd")

BEAT_LASTS = seconds(2)
BEAT_EVERY = milliseconds(500)


class Heartbeat:
    """`write` tells the programs until when they may act; `lapsed` is called after a pause in which
    they did not. `lapses`: how many there were."""

    def __init__(
        self,
        clock: Callable[[], Instant],
        write: Callable[[int], object],
        lapsed: Callable[[], object],
    ) -> None:
        self._clock = clock
        self._write = write
        self._lapsed = lapsed
        self._until = Instant(0)
        self._timer: asyncio.TimerHandle | None = None
        self.lapses = 0

    def begin(self) -> None:
        """Beats now, and from now on by itself."""
        self._beat()
        if self._timer is None:
            self._schedule()

    def _beat(self) -> None:
        now = self._clock()
        has_lapsed = Instant(0) < self._until < now
        self._until = after(now, BEAT_LASTS)
        self._write(self._until)
        if has_lapsed:
            self.lapses += 1
            log.warning("the heartbeat lapsed: the kernel spoke for itself meanwhile")
            self._lapsed()

    def _schedule(self) -> None:
        def beat() -> None:
            self._schedule()  # first: the next beat comes whatever becomes of this one
            self._beat()

        self._timer = asyncio.get_running_loop().call_later(BEAT_EVERY / 1e9, beat)

    def end(self) -> None:
        """From now on the programs hold nothing back."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._until = Instant(0)
        self._write(0)

    def age(self) -> float:
        """Seconds since the last beat; there was one."""
        return (self._clock() - (self._until - BEAT_LASTS)) / 1e9
