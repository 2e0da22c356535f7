"""The maps in which pairs are counted: which streams are legs, and what came on them."""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping

from mcastd.fastpath.kernel import Map

ZERO = struct.pack("=I", 0)


class PairMaps:
    """Of the programs that count streams; there is room for so many pairs (`room`)."""

    def __init__(self, maps: Mapping[str, Map]) -> None:
        self._pairs, self._legs, self._turn = (
            maps[name] for name in ("pairs", "pair_legs", "pair_legs_turn")
        )
        self.room = self._pairs.spec.entries
        self._known: dict[bytes, int] = {}

    def put(self, number: int, value: bytes) -> None:
        """struct mcast_pair, of a pair that no stream is a leg of. OSError."""
        self._pairs.update(struct.pack("=I", number), value)

    def value(self, number: int) -> bytes:
        """struct mcast_pair. OSError."""
        size = self._pairs.spec.value_size
        return self._pairs.lookup(struct.pack("=I", number), size) or bytes(size)

    def use_legs(self, legs: Mapping[bytes, int]) -> None:
        """These streams (struct mcast_leg_key) are legs now: two for each pair, from 1. OSError.

        Streams that are known find out with their next packet.
        """
        if legs == self._known:
            return
        for key in self._known.keys() - legs.keys():
            self._legs.delete(key)
        for key, number in legs.items():
            self._legs.update(key, struct.pack("=I", number))
        self._known = dict(legs)
        turn = int.from_bytes(self._turn.lookup(ZERO, 4) or b"", sys.byteorder)
        self._turn.update(ZERO, ((turn + 1) % (1 << 32) or 1).to_bytes(4, sys.byteorder))
