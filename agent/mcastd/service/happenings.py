"""What comes of a happening: the programs, the log and those who watch are told."""

from __future__ import annotations

import logging
import time
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from mcastd.classify import as_object
from mcastd.fastpath import FastPath, Fate
from mcastd.gmp.time import Instant, in_seconds
from mcastd.service.addresses import Own
from mcastd.service.bus import Bus
from mcastd.service.clock import now, wall_clock
from mcastd.service.faults import Fault, Faults
from mcastd.service.floods import Flood, FloodChange
from mcastd.service.interface import Event, Interface
from mcastd.service.limit import SayingLimit
from mcastd.service.observer import Happening
from mcastd.service.recorder import Recorder

log = logging.getLogger("mcastd")

MAPS = {
    "assigned": "the groups and addresses of all interfaces",
    "queriers": "known queriers",
    "listed": "named queriers",
}
"""What is in the maps that can become full."""

LOGGED = ("querier", "unlisted_querier", "version", "unanswered", "warning")
"""Happenings that an operator finds in the log."""


class Teller:
    """Tells what happens to interfaces."""

    def __init__(self, fast_path: FastPath, faults: Faults | None = None) -> None:
        self.bus = Bus(fast_path.hand_over_reports)
        self._fast_path = fast_path
        self._faults = faults or Faults()
        self._refused: dict[str, int] = {}
        self._limit = SayingLimit()
        self.recorder = Recorder()

    def tell(self, interface: Interface, family: str, happening: Happening) -> None:
        fields = {"interface": interface.name, "protocol": family, **happening.fields}
        if happening.name in LOGGED:
            level = logging.INFO if happening.name == "querier" else logging.WARNING
            self._log(level, (interface.name, family), happening.name, fields)
        if happening.name in ("joined", "left") and interface.index is not None:
            group = interface.observers[family].family.parse(str(happening.fields["group"]))
            self.assign(interface.index, [group], assigned=happening.name == "joined")
        at = time.time()
        self.recorder.event(at, happening.name, fields)
        if self.bus.is_watched:
            self.bus.publish({"event": happening.name, "ts": at, **fields})

    def tell_all(self, interface: Interface, happenings: Iterable[tuple[str, Happening]]) -> None:
        """Happenings with their family's name."""
        for family, happening in happenings:
            self.tell(interface, family, happening)

    def message(self, interface: Interface, event: Event, *, from_outside: bool) -> None:
        """Records a message, and tells those who watch of it."""
        self.recorder.frame(interface.name, event.captured, is_outbound=not from_outside)
        if self.bus.needs_messages:
            self.bus.publish(message_object(interface, event, from_outside))

    def announce(self, name: str, interface: str, **fields: Any) -> None:
        """Tells those who watch of something that concerns the whole interface."""
        at = time.time()
        self.recorder.event(at, name, {"interface": interface} | fields)
        if self.bus.is_watched:
            event = {"event": name, "ts": at, "interface": interface}
            self.bus.publish(event | fields)

    def flood(self, change: FloodChange) -> None:
        """Tells the log and those who watch that a flood has started or ended."""
        head = {"state": change.state, "ring": change.ring}
        fields = {"interface": change.interface} | head | flood_object(change.flood)
        self._log(logging.WARNING, (change.interface, *head.values()), "flood", fields)
        self.announce("flood", **fields)

    def addresses(self, index: int, addresses: Mapping[bytes, Own]) -> None:
        """Tells the programs what unicast addresses are to the interface."""
        for address, own in addresses.items():
            try:
                if own is Own.NO:
                    self._fast_path.unassign(index, address)
                else:
                    self._fast_path.assign(index, address, is_usable=own is Own.USABLE)
            except OSError as error:
                self._faults.tell_error(Fault.INTERFACE, f"interface {index}", error)
        self._tell_of_full_maps()

    def assign(self, index: int, addresses: Iterable[bytes], *, assigned: bool) -> None:
        """Tells the programs which addresses and groups are the interface's own."""
        put = self._fast_path.assign if assigned else self._fast_path.unassign
        for address in addresses:
            try:
                put(index, address)
            except OSError as error:
                self._faults.tell_error(Fault.INTERFACE, f"interface {index}", error)
        self._tell_of_full_maps()

    def _tell_of_full_maps(self) -> None:
        """What there was no room for, each time that it has become more."""
        for name, count in self._fast_path.refused.items():
            if count > self._refused.get(name, 0):
                self._refused[name] = count
                text = f"the map of {MAPS.get(name, name)} is full: {count} times there was no room"
                self._faults.tell(Fault.MAP_FULL, text, about=name)

    def _log(self, level: int, about: Hashable, name: str, fields: dict[str, Any]) -> None:
        """Not more often than people can read: queries can be forged."""
        suppressed = self._limit.may_say((about, name), now())
        if suppressed is None:
            return
        more = f" ({suppressed} more like this were not told)" if suppressed else ""
        log.log(level, "%s%s", sentence(name, fields), more)


def message_object(interface: Interface, event: Event, from_outside: bool) -> dict[str, Any]:
    at = wall_clock(Instant(event.captured.at))
    cut = len(event.captured.frame) < event.captured.frame_length
    line = as_object(0, round(at * 1e9), event.decoded, cut)
    del line["n"]
    head = {"event": "message", "interface": interface.name}
    if event.captured.fate != Fate.PASSED:
        head["fate"] = Fate(event.captured.fate).name.lower()
    return head | {"direction": "rx" if from_outside else "tx"} | line


def flood_object(flood: Flood) -> dict[str, Any]:
    """`refused`, and of these `discarded`, messages; `rate`: a second; `seconds`: how long."""
    return {
        "refused": flood.refused.messages,
        "discarded": flood.refused.discarded,
        "rate": round(flood.rate, 1),
        "seconds": round(in_seconds(flood.duration), 3),
    }


def sentence(name: str, fields: dict[str, Any]) -> str:
    """A log line: what happened, then its fields."""
    rest = " ".join(f"{key}={value}" for key, value in fields.items())
    return f"{name} {rest}"
