"""How long this machine lets a process wait: what is measured in times must be told from that."""

from __future__ import annotations

import threading
import time

BEAT_SECONDS = 0.02


class Pulse:
    """A thread that sleeps and wakes, and remembers by how much too late."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(BEAT_SECONDS):
            now = time.monotonic()
            late = now - last - BEAT_SECONDS
            if late > BEAT_SECONDS:
                self._late.append((now, late))
            last = now

    def worst(self, begin: float, end: float) -> float:
        """Seconds by which it woke too late in that time."""
        late = list(self._late)
        return max((each for at, each in late if begin <= at and at - each <= end), default=0.0)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
