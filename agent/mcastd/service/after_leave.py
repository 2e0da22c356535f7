"""Keeps memberships in force for a time after their leave, where the join asked for that.

An application that is started anew leaves and joins within seconds. Routers and switches would end
the stream in between, and start it again; held after the leave, it does not stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from mcastd.service.owned import Key, Owned

LONGEST = 3600
"""Seconds: longer than that, a membership that nobody wants should not be."""


class AfterLeave:
    """Those that wait for their end; `end` is called with each when its time is over.

    They count as memberships that were asked for: their number is bounded with those.
    """

    def __init__(self, end: Callable[[Owned], None]) -> None:
        self._end = end
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._timers

    def begin(self, membership: Owned) -> None:
        """It was left just now."""
        loop = asyncio.get_running_loop()
        seconds = membership.hold_after_leave
        self._timers[membership.key] = loop.call_later(seconds, self._is_over, membership)

    def forget(self, key: Key) -> None:
        """It is joined again, or has ended."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def rename(self, moved: Mapping[Owned, Owned]) -> None:
        """As they are now, by what they were. The time that is left stays."""
        loop = asyncio.get_running_loop()
        for old, membership in moved.items():
            self.forget(membership.key)
            timer = self._timers.pop(old.key, None)
            if timer is not None:
                timer.cancel()
                again = loop.call_at(timer.when(), self._is_over, membership)
                self._timers[membership.key] = again

    def seconds_left(self, key: Key) -> float | None:
        """None if it was not left."""
        timer = self._timers.get(key)
        return None if timer is None else max(0.0, timer.when() - asyncio.get_running_loop().time())

    def close(self) -> None:
        """None ends any more by itself."""
        for key in list(self._timers):
            self.forget(key)

    def _is_over(self, membership: Owned) -> None:
        del self._timers[membership.key]
        self._end(membership)
