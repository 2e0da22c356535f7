"""Notices that nothing is heard although all programs are where they should be.

Now and then each interface's program is run on a question of the agent's own, which nobody else
sees (BPF_PROG_TEST_RUN) and which must come out of the ring. If it does not, the maps are not what
the agent wrote, or the ring is not read: a link that is still attached tells nothing of either.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from mcastd.gmp.time import Instant, after, seconds
from mcastd.service.interface import Interface

AT_ONCE = 64
"""Interfaces that are asked in one look: each costs some ten microseconds."""

ROUND = seconds(10)
"""From the beginning of a round to that of the next."""

IN_VAIN = 3
"""Questions that must be lost, one after the other, with nothing else waiting in the ring."""


class Deafness:
    """`ask` has an interface's program see the question, and raises OSError if the kernel cannot do
    that; `is_drained` says whether all that was put into the ring has been taken out; `found` is
    called with the index of an interface that does not hear.
    """

    def __init__(
        self,
        interfaces: Mapping[int, Interface],
        ask: Callable[[int], None],
        is_drained: Callable[[], bool],
        found: Callable[[int], None],
    ) -> None:
        self._interfaces = interfaces
        self._ask = ask
        self._is_drained = is_drained
        self._found = found
        self._round: deque[int] = deque()
        self._next_round = Instant(0)
        self._lost: dict[int, int] = {}

    def look(self, now: Instant) -> None:
        """Judges what was asked in earlier looks, and asks the next interfaces."""
        if self._is_drained():
            for index, lost in list(self._lost.items()):
                self._judge(index, lost + 1)
        if not self._round and now >= self._next_round:
            self._round.extend(self._interfaces)
            self._next_round = after(now, ROUND)
        for _ in range(min(AT_ONCE, len(self._round))):
            self._put(self._round.popleft(), 0)

    def heard(self, index: int) -> None:
        """The question came out of the ring."""
        self._lost.pop(index, None)

    def _judge(self, index: int, lost: int) -> None:
        if lost < IN_VAIN:
            self._put(index, lost)
            return
        del self._lost[index]
        if index in self._interfaces:  # it may have gone since it was asked
            self._found(index)

    def _put(self, index: int, lost: int) -> None:
        interface = self._interfaces.get(index)
        self._lost.pop(index, None)
        if interface is None or interface.attachment is None:
            return
        try:
            self._ask(index)
        except OSError:
            return  # nothing can be said of it
        self._lost[index] = lost
