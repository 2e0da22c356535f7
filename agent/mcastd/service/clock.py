"""Reads the clocks: the monotonic one for the core, the time of day for people."""

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
