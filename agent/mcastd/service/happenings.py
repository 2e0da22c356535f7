"""Sends events to the log as text, and to those who watch as JSON."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Iterable, Mapping

from mcastd.service import events
from mcastd.service.bus import Bus
from mcastd.service.clock import now, wall_now
from mcastd.service.describe import family_fields, interface_fields, message_object, name_of
from mcastd.service.documents import JsonObject, Unread
from mcastd.service.events import FamilyEvent, InterfaceEvent
from mcastd.service.interface import Event, Interface
from mcastd.service.limit import SayingLimit
from mcastd.service.recorder import Recorder

log = logging.getLogger("mcastd")

LOGGED: Mapping[type, int] = {
    events.QuerierChanged: logging.INFO,
    events.UnlistedQuerier: logging.WARNING,
    events.VersionChanged: logging.WARNING,
    events.Unanswered: logging.WARNING,
    events.Warned: logging.WARNING,
}
"""Events of a family that an operator finds in the log, and at which level."""


class Teller:
    """Tells what happens to interfaces. `on_interest`: as of the bus."""

    def __init__(self, on_interest: Callable[[bool], None]) -> None:
        self.bus = Bus(on_interest)
        self._limit = SayingLimit()
        self.recorder = Recorder()

    def tell(self, interface: Interface, family: str, event: FamilyEvent) -> None:
        """Of one family on an interface."""
        self.recorder.event(wall_now(), interface.name, event, interface.observers[family].family)
        name, level = name_of(event), LOGGED.get(type(event))
        is_wanted = self.bus.wants(name, interface.name)
        suppressed = None if level is None else self._may_log((interface.name, family), name)
        if not is_wanted and suppressed is None:
            return
        head: JsonObject = {"interface": interface.name, "protocol": family}
        fields = head | family_fields(interface.observers[family].family, event)
        if level is not None and suppressed is not None:
            write(level, name, fields, suppressed)
        if is_wanted:
            self.bus.publish({"event": name, "ts": wall_now(), **fields})

    def tell_all(self, interface: Interface, told: Iterable[tuple[str, FamilyEvent]]) -> None:
        """Events with their family's name."""
        for family, event in told:
            self.tell(interface, family, event)

    def announce(self, interface: str, event: InterfaceEvent) -> None:
        """Tells those who watch of something that concerns the whole interface."""
        name = name_of(event)
        self.recorder.event(wall_now(), interface, event)
        if self.bus.wants(name, interface):
            head: JsonObject = {"event": name, "ts": wall_now(), "interface": interface}
            self.bus.publish(head | interface_fields(event))

    def flood(self, interface: str, event: events.FloodChanged) -> None:
        """Tells the log and those who watch that a flood has started or ended."""
        suppressed = self._may_log((interface, event.state, event.ring), "flood")
        if suppressed is not None:
            fields = {"interface": interface} | interface_fields(event)
            write(logging.WARNING, "flood", fields, suppressed)
        self.announce(interface, event)

    def message(self, interface: Interface, event: Event, *, from_outside: bool) -> None:
        """Records a message, and tells those who watch of it."""
        self.recorder.frame(interface.name, event.captured, is_outbound=not from_outside)
        if self.bus.needs_messages:
            self.bus.publish(message_object(interface.name, event, from_outside=from_outside))

    def _may_log(self, about: Hashable, name: str) -> int | None:
        """How many like it were kept back; None if this one is: queries can be forged."""
        return self._limit.may_say((about, name), now())


def write(level: int, name: str, fields: Unread, suppressed: int) -> None:
    """A log line: what happened, then its fields."""
    rest = " ".join(f"{key}={value}" for key, value in fields.items())
    more = f" ({suppressed} similar messages suppressed)" if suppressed else ""
    log.log(level, "%s%s", f"{name} {rest}", more)
