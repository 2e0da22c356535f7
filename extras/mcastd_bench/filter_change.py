"""What one changed source of a group's filter costs the daemon, while nobody watches.

CPU of all that the loop does with it, from an application's request to the last packet of what is
said at once: merging, the engine, the report, the event for whoever would be told. As in
`engine.filter_change`, a change adds one source, or takes it away again.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import cycle

from mcastd.gmp.config import HostConfig
from mcastd.gmp.effects import ReportsMatter, SendLeave, SendRecords, SendReport
from mcastd.gmp.family import FAMILIES, ProtocolFamily
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.time import Duration, Instant, after, seconds
from mcastd.service.guard import Guard
from mcastd.service.happenings import Teller
from mcastd.service.interface import Interface
from mcastd.wire import report_packets

from mcastd_bench.engine import MTU, QUERIERS, group
from mcastd_bench.engine_sources import per_call, sources
from mcastd_bench.row import Contest, Row

NUMBERS = [100, 4096, 100_000]


def rows() -> Iterable[Row]:
    for family, suffix in zip(FAMILIES.values(), ("", "/v6"), strict=True):
        for number in NUMBERS:
            prepare = partial(_changes, family, number)
            yield Row(f"service.filter_change/{number}{suffix}", "us", prepare)


class Packing:
    """A voice that packs what it is to send, and sends nothing."""

    is_busy = False

    def __init__(self, family: ProtocolFamily) -> None:
        self._family = family
        self._source = family.parse(QUERIERS[family.name])

    def send(self, order: SendRecords | SendReport | SendLeave, *, urgent: bool = False) -> None:
        if isinstance(order, SendRecords):
            for _ in report_packets(self._family, order.records, self._source, MTU):
                pass

    def listen(self, matter: ReportsMatter) -> None:
        """There are no other hosts."""

    def refresh(self, within: Duration) -> None:
        """There is no kernel."""


class OneGroup:
    """An interface in host mode with one group, and a clock that goes on."""

    def __init__(self, family: ProtocolFamily) -> None:
        configs = {name: HostConfig.from_mapping(each, {}) for name, each in FAMILIES.items()}
        self._interface = Interface("bench", configs, Guard())
        self._observer = self._interface.of(family)
        self._family, self._group, self._now = family, group(family, 1), Instant(0)
        self._teller = Teller(lambda _on: None)
        self._observer.speak(self._now, Packing(family))

    def ask(self, wanted: SourceFilter) -> None:
        """As the agent takes a request, from its memberships to its timer."""
        for event in self._observer.listen(self._now, "api:bench", self._group, wanted):
            self._teller.tell(self._interface, self._family.name, event)
        self._interface.next_deadline()

    def wait(self) -> None:
        """Lets the repeats of the report be sent."""
        self._now = after(self._now, seconds(100))
        self._teller.tell_all(self._interface, self._interface.advance(self._now))


def _changes(family: ProtocolFamily, number: int) -> Contest:
    one = OneGroup(family)
    more = number // 2 * 2
    both = [sources(family, number), sources(family, number, [more])]
    one.ask(both[1])
    one.wait()
    turns = cycle(both)
    return Contest(partial(per_call, lambda: one.ask(next(turns)), between=one.wait))
