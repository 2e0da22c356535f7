"""Loads programs into the kernel in threads, while the rest of the agent starts.

The verifier takes tens of milliseconds for each program, in which Python has nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from threading import Event, Thread
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loading(Generic[K, V]):
    """Values that are made in threads: in each one after the other, in their order."""

    def __init__(self, make: Callable[[K], V], lanes: Iterable[Iterable[K]]) -> None:
        lists = [list(lane) for lane in lanes]
        self._make = make
        self._made: dict[K, V | Exception] = {}
        self._done = {key: Event() for lane in lists for key in lane}
        self._threads = [Thread(target=self._work, args=(lane,)) for lane in lists]
        for thread in self._threads:
            thread.start()

    def _work(self, lane: list[K]) -> None:
        for key in lane:
            try:
                self._made[key] = self._make(key)
            except Exception as error:  # told to whoever asks for it
                self._made[key] = error
            self._done[key].set()

    def __contains__(self, key: K) -> bool:
        return key in self._done

    def __getitem__(self, key: K) -> V:
        """Waits for it, if need be; raises what making it raised."""
        self._done[key].wait()
        made = self._made[key]
        if isinstance(made, Exception):
            raise made
        return made

    def join(self) -> None:
        """Waits until all are made, or have failed."""
        for thread in self._threads:
            thread.join()

    def made(self) -> list[V]:
        """All that were made; waits for them."""
        self.join()
        return [each for each in self._made.values() if not isinstance(each, Exception)]
