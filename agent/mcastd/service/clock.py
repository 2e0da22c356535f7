"""The clock of the shell: the core is told the time, and people are told it in their own."""

from __future__ import annotations

import time

from mcastd.gmp.time import Instant


def now() -> Instant:
    return Instant(time.monotonic_ns())


def wall_now() -> float:
    """Seconds since 1970."""
    return time.time()


def wall_clock(at: Instant) -> float:
    """Seconds since 1970 of a monotonic instant."""
    return wall_now() - (now() - at) / 1e9
