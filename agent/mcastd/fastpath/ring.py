"""Reads the programs' events from the ring buffers: drained in C, a batch at a time."""

from __future__ import annotations

from enum import IntEnum

from mcastd import native
from mcastd._native import lib as abi
from mcastd.fastpath.kernel import Map

Captured = native.Captured
"""An event: a frame, when and where it was seen, and what the classifier found.

`at`: ns of CLOCK_MONOTONIC. `frame`: as much of the frame as was handed over, of `frame_length`
bytes in all. `hook`: 0 XDP, 1 ingress, 2 egress. `fate`: what became of it. `source`,
`destination`, `group`: what most want to know, without decoding the rest. `content`: all but when
and where, the same for the same message. The others are `struct mcast_message`.
"""

BATCH_EVENTS = 256
"""At the most in one turn of the event loop: timers and queries must not wait for a flood."""


class Fate(IntEnum):
    """What became of the packet of an event (enum mcast_fate)."""

    PASSED = abi.MCAST_PASSED
    HELD_BACK = abi.MCAST_HELD_BACK
    OWN = abi.MCAST_OWN
    PASSING = abi.MCAST_PASSING
    PROBE = abi.MCAST_PROBE


class Ring:
    """The reading end of one ring."""

    def __init__(self, ring_map: Map) -> None:
        """OSError if it cannot be mapped."""
        self.fd = ring_map.fd
        self._reader = native.RingReader(ring_map.fd, ring_map.spec.entries)

    def fileno(self) -> int:
        """Readable while events wait."""
        return self.fd

    def waiting(self) -> int:
        """Bytes not read yet."""
        return self._reader.waiting()

    def drain(self, most: int = BATCH_EVENTS) -> list[Captured]:
        """The oldest events, `most` at the most; an empty list if none are complete."""
        return self._reader.drain(most)

    def close(self) -> None:
        self._reader.close()
