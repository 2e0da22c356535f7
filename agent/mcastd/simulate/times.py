"""Times as a scenario writes them."""

from __future__ import annotations

from mcastd.gmp.time import Duration, Instant, seconds
from mcastd.simulate.nodes import Node

LATEST = 1_000_000_000
"""Seconds; more than thirty years."""


def instant(node: Node) -> Instant:
    """Seconds from the start."""
    return Instant(seconds(node.number(0, LATEST)))


def duration(node: Node) -> Duration:
    """Seconds."""
    return seconds(node.number(0, LATEST))
