"""Runs the turns of the event loop: drains the rings and runs timers, in bounded pieces."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from itertools import chain

from mcastd.fastpath.ring import Captured, Fate
from mcastd.gmp.time import Instant
from mcastd.gmp.timers import Timers
from mcastd.service.clock import now
from mcastd.service.happenings import Teller
from mcastd.service.interface import Decoder, Interface
from mcastd.service.programs import Programs

log = logging.getLogger("mcastd")

REPORTS_AT_ONCE = 64
"""In one turn of the loop, behind all queries and what this host says."""

SPOKEN_AT_ONCE = 4
"""Of what this host says: each may tell of 180 new groups, which takes some seven milliseconds."""


class Turns:
    """Takes events to the interfaces that they concern, and wakes those whose time has come.

    `interfaces`: those that are run, by index; they come and go. `known_changed` is called when a
    querier has come to be known, or is no longer; `look_at_kernel` when what the kernel receives
    may have changed. `failed` is called with what the kernel refuses for one interface: it is not
    the others' end; `probed` when the agent's own question came out of the ring.
    """

    def __init__(
        self,
        fast_path: Programs,
        teller: Teller,
        interfaces: Mapping[int, Interface],
        known_changed: Callable[[], None],
        look_at_kernel: Callable[[], None],
    ) -> None:
        self.failed: Callable[[int, OSError], None] = lambda index, error: None
        self.probed: Callable[[int], None] = lambda index: None
        self.known_changed = known_changed
        self._look_at_kernel = look_at_kernel
        self._fast_path = fast_path
        self._teller = teller
        self._interfaces = interfaces
        self._decode = Decoder()
        self._deadlines: Timers[int] = Timers()
        self._armed_for: Instant | None = None
        self._timer: asyncio.TimerHandle | None = None

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Takes events from now on, on this loop."""
        for ring in self._fast_path.rings.values():
            loop.add_reader(ring.fileno(), self._turn)

    def close(self) -> None:
        """Takes nothing any more, also of what is waiting."""
        loop = asyncio.get_running_loop()
        for ring in self._fast_path.rings.values():
            loop.remove_reader(ring.fileno())
        if self._timer is not None:
            self._timer.cancel()

    # Events of the fast path.

    def _turn(self) -> None:
        """One bounded piece of work: queries first, other hosts' reports last."""
        rings = self._fast_path.rings
        queries, spoken = rings["query"].drain(), rings["egress"].drain(SPOKEN_AT_ONCE)
        reports = rings["report"].drain(REPORTS_AT_ONCE)
        for captured in queries:
            self._take_safely(captured, from_outside=True)
        for index in {captured.ifindex for captured in queries}:
            try:
                self.know_queriers(index)
            except OSError as error:
                self.failed(index, error)
        for captured in spoken:
            self._take_safely(captured, from_outside=False)
        for captured in reports:
            self._take_safely(captured, from_outside=True)
        self.arm({captured.ifindex for captured in chain(queries, spoken, reports)})

    def _take_safely(self, captured: Captured, *, from_outside: bool) -> None:
        try:
            self._take(captured, from_outside=from_outside)
        except OSError as error:
            self.failed(captured.ifindex, error)

    def _take(self, captured: Captured, *, from_outside: bool) -> None:
        interface = self._interfaces.get(captured.ifindex)
        if captured.fate == Fate.PROBE:
            self.probed(captured.ifindex)
            return
        event = self._decode(captured)
        if interface is None or event is None:
            return
        self._teller.message(interface, event, from_outside=from_outside)
        if captured.fate in (Fate.OWN, Fate.PASSING):
            return
        told = interface.hear(event) if from_outside else interface.overhear(event)
        if not from_outside or interface.is_holding:
            self._look_at_kernel()  # its sockets' wishes have changed, or are about to be told
        for each in told:
            self._teller.tell(interface, event.decoded.family.name, each)

    def know_queriers(self, index: int) -> None:
        """Tells the programs whose queries have precedence over strangers'."""
        interface = self._interfaces.get(index)
        if interface is None:
            return
        known = set().union(*(each.queriers.known for each in interface.observers.values()))
        if known == interface.known_queriers:
            return
        for address in known ^ interface.known_queriers:
            try:
                self._fast_path.know_querier(index, address, known=address in known)
            except OSError as error:
                log.warning("%s: a querier has no limit of its own: %s", interface.name, error)
        interface.known_queriers = known
        self.known_changed()

    # Time.

    def arm(self, touched: Iterable[int] | None = None) -> None:
        """One timer for all that time brings.

        `touched`: the interfaces to which something happened, by index; all if None.
        """
        for index in self._interfaces if touched is None else touched:
            interface = self._interfaces.get(index)
            if interface is not None:
                self._set_deadline(index, interface.next_deadline())
        due = self._deadlines.next_deadline()
        if due == self._armed_for and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._armed_for = due
        if due is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, (due - now()) / 1e9), self._expire)

    def forget(self, index: int) -> None:
        """The interface is not run any more."""
        self._deadlines.stop(index)

    def _set_deadline(self, index: int, deadline: Instant | None) -> None:
        if deadline is None:
            self._deadlines.stop(index)
        elif self._deadlines.deadline(index) != deadline:
            self._deadlines.start(index, deadline)

    def _expire(self) -> None:
        """Lets those interfaces act whose time has come, and no others."""
        self._timer = None
        at = now()
        expired = []
        while (index := self._deadlines.pop_due(at)) is not None:
            expired.append(index)
            interface = self._interfaces.get(index)
            if interface is None:
                continue
            try:
                self._teller.tell_all(interface, interface.advance(at))
            except OSError as error:
                self.failed(index, error)
        self.arm(expired)
