"""Time in the core: integer nanoseconds of a monotonic clock, given, never asked for."""

from typing import NewType

Instant = NewType("Instant", int)
"""Nanoseconds of CLOCK_MONOTONIC, the clock of `bpf_ktime_get_ns()`."""

Duration = NewType("Duration", int)
"""Nanoseconds."""

NO_TIME = Duration(0)


def seconds(count: float) -> Duration:
    return Duration(round(count * 1_000_000_000))


def milliseconds(count: float) -> Duration:
    return Duration(round(count * 1_000_000))


def after(instant: Instant, duration: Duration) -> Instant:
    return Instant(instant + duration)


def in_seconds(duration: int) -> float:
    """For people and metrics; the core does not count in floats."""
    return duration / 1_000_000_000
