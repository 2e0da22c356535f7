"""Pairs of the agent's interfaces: read once a second, judged, told, and shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mcastd.fastpath.pairs import PairMaps
from mcastd.gmp.time import Instant
from mcastd.service.clock import wall_clock
from mcastd.service.documents import JsonObject
from mcastd.service.events import PairChanged
from mcastd.service.happenings import Teller
from mcastd.service.interface import Interface
from mcastd.service.pair_places import PairPlaces
from mcastd.streams.pair_lines import as_pair_object
from mcastd.streams.pair_states import NAMES, PairEvent, PairState, WatchedPair
from mcastd.streams.pairs import Pair

if TYPE_CHECKING:
    from mcastd.service.config import Settings

log = logging.getLogger("mcastd")


def pairs_of(settings: Settings) -> list[Pair]:
    """Where there are agents in several namespaces, those of which this one runs an interface."""
    return [
        pair
        for pair in settings.streams.pairs
        if not (settings.namespace or settings.namespaces)
        or any(settings.of(leg.interface, ()) is not None for leg in pair)
    ]


class PairReader:
    """All pairs that are configured, also those that wait for an interface."""

    def __init__(self, interfaces: Mapping[int, Interface], teller: Teller) -> None:
        self._interfaces = interfaces
        self._teller = teller
        self._settings: Settings | None = None
        self._places: PairPlaces | None = None
        self.watched: dict[Pair, WatchedPair] = {}

    def configure(self, maps: PairMaps, settings: Settings) -> None:
        """What was counted of pairs that are still there stays. OSError."""
        self._settings = settings
        streams, pairs = settings.streams, pairs_of(settings)
        places = self._places = self._places or PairPlaces(maps)
        unplaced = places.use(pairs, streams.pair_window)
        self.watched = {
            pair: self.watched.get(pair) or WatchedPair(pair)
            for pair in pairs
            if pair not in unplaced
        }
        if unplaced:
            log.warning(
                "%d of %d pairs are not counted: there is room for %d until mcastd is started anew",
                len(unplaced), len(pairs), places.room,
            )  # fmt: skip

    def look_up(self) -> None:
        """Legs are where their interfaces are now. OSError."""
        if self.watched and self._places is not None:
            self._places.look_up(self._counted())

    def read(self, at: Instant) -> None:
        """OSError."""
        if not self.watched or self._settings is None or self._places is None:
            return
        self.look_up()
        streams = self._settings.streams
        for pair, sample in self._places.samples(at).items():
            watched = self.watched.get(pair)
            if watched is not None:
                event = watched.read(at, sample, streams.pair_window, streams.stalled_after)
                if event is not None:
                    self._tell(event)

    def _counted(self) -> dict[str, int]:
        """Interfaces whose streams are counted, by name."""
        return {
            each.name: index
            for index, each in self._interfaces.items()
            if each.attachment is not None and each.attachment.streams
        }

    def _tell(self, event: PairEvent) -> None:
        """On the interface of a, or, as long as it is not there, of b."""
        names = {each.name for each in self._interfaces.values()}
        for leg in event.pair:
            if leg.interface is not None and leg.interface in names:
                self._teller.announce(leg.interface, PairChanged(event))
                return

    def problem(self, watched: WatchedPair) -> str | None:
        """Why packets of the legs cannot be matched."""
        counted = self._counted()
        for name, leg in zip(NAMES, watched.pair, strict=True):
            if leg.interface not in counted:
                return f"{name}: no streams are counted on {leg.interface}"
        return watched.problem

    def objects(self) -> Iterator[JsonObject]:
        """One for each pair, in the order of the configuration."""
        for pair, watched in list(self.watched.items()):
            made = as_pair_object(
                pair,
                watched.sample,
                state=watched.state.value,
                problem=self.problem(watched),
            )
            for name, leg in zip(
                NAMES, watched.sample.legs if watched.sample else (), strict=False
            ):
                made[name]["last"] = None if leg.last is None else wall_clock(leg.last)
            yield made

    def states(self) -> dict[PairState, int]:
        """How many pairs are in each state."""
        found = [each.state for each in self.watched.values()]
        return {state: found.count(state) for state in PairState}
