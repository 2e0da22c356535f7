"""Which pair is counted in which place of the programs' maps, and which streams are its legs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcastd._native import ffi
from mcastd.fastpath.pairs import PairMaps
from mcastd.gmp.time import Duration, Instant
from mcastd.streams.pair_sample import BUSY, LEG_KEY_SIZE, PairSample
from mcastd.streams.pairs import NOWHERE, Pair, packed_legs


class PairPlaces:
    """Each pair has a place as long as it is configured, and its counts stay with it."""

    def __init__(self, maps: PairMaps) -> None:
        self._maps = maps
        self.room = maps.room
        self._places: list[Pair | None] = [None] * self.room
        self._window = Duration(0)
        self._indices: Mapping[str, int] = {}

    def use(self, pairs: Sequence[Pair], window: Duration) -> list[Pair]:
        """These and no others from now on; those that find no room. OSError.

        What was counted of one that was there before stays, unless the window is another.
        """
        wanted = set(pairs) if window == self._window else set()
        self._places = [each if each in wanted else None for each in self._places]
        self._window = window
        self.look_up(self._indices)
        new = [each for each in pairs if each not in self._places]
        free = [number for number, each in enumerate(self._places) if each is None]
        for number, pair in zip(free, new, strict=False):
            fresh = ffi.new("struct mcast_pair *")
            fresh.window = window
            self._maps.put(number, bytes(ffi.buffer(fresh)))
            self._places[number] = pair
        self.look_up(self._indices)
        return new[len(free) :]

    def look_up(self, indices: Mapping[str, int]) -> None:
        """The interfaces that are there now, by name: legs come on these. OSError."""
        self._indices = dict(indices)
        legs = packed_legs(self._places, indices)
        keys = bytes(ffi.buffer(legs))
        self._maps.use_legs(
            {
                keys[number * LEG_KEY_SIZE : (number + 1) * LEG_KEY_SIZE]: number + 1
                for number in range(2 * self.room)
                if legs[number].width and legs[number].ifindex != NOWHERE
            }
        )

    def samples(self, now: Instant) -> dict[Pair, PairSample]:
        """What was counted of each pair. OSError."""
        return {
            pair: PairSample.unpack(self._maps.value(number), now, busy=BUSY)
            for number, pair in enumerate(self._places)
            if pair is not None
        }
