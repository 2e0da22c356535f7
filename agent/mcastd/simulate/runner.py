"""Runs a scenario: the real engine and the real codecs against a scripted clock.

Received packets are decoded as those of a network are, and what the engine wants sent is encoded
and read back from the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from mcastd import wire
from mcastd.gmp.config import RouterAlertPolicy
from mcastd.gmp.counters import Counted
from mcastd.gmp.effects import (
    Effect,
    Refreshed,
    Refused,
    ReportsMatter,
    SendLeave,
    SendRecords,
    SendReport,
    VersionChanged,
    Warn,
)
from mcastd.gmp.events import Configure, Event, LinkDown, LinkUp, Listen, SourceAddressChanged
from mcastd.gmp.family import FAMILIES
from mcastd.gmp.host import Host
from mcastd.gmp.time import Instant, in_seconds, seconds
from mcastd.simulate.interface import Interface
from mcastd.simulate.lines import Line, sent
from mcastd.simulate.scenario import (
    JSON,
    Action,
    AddressAdded,
    AddressRemoved,
    MtuChanged,
    Receive,
    Scenario,
    Step,
)

_START = Instant(0)
_ECHO = seconds(1)
"""How long our own report without a source address can come back (a looped frame has no other sign
of its sender)."""


def run(scenario: Scenario) -> Iterator[Line]:
    """The lines of the output, in order of time; the last is the `end`."""
    return _Run(scenario).lines()


class _Run:
    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._family = scenario.family
        self._config = scenario.config
        self._interface = Interface(scenario.family, scenario.mtu, scenario.addresses)
        self._host = Host(scenario.family, scenario.config, scenario.delays.begin())
        self._source = self._family.unspecified
        self._now = _START
        self._sent: list[Line] = []

    def lines(self) -> Iterator[Line]:
        yield from self._take_address(_START)
        for step in self._scenario.steps:
            yield from self._pass_time(step.at)
            yield from self._take(step)
        yield from self._pass_time(self._scenario.until)
        end = self._now if self._scenario.until is None else self._scenario.until
        yield Line(end, "end", self._end())

    def _pass_time(self, until: Instant | None) -> Iterator[Line]:
        """Fires what becomes due up to `until`, all there is if it is None."""
        while (due := self._host.next_deadline()) is not None:
            if until is not None and due > until:
                return
            yield from self._lines(due, self._host.advance(due))
            following = self._host.next_deadline()
            assert following is None or following > due, "a deadline stays when it has passed"
            self._now = due

    def _take(self, step: Step) -> Iterator[Line]:
        self._now = step.at
        match step.action:
            case Receive(packet):
                yield from self._receive(step, packet)
            case AddressAdded(address):
                self._interface.add(address)
                yield from self._take_address(step.at)
            case AddressRemoved(address):
                self._interface.remove(address)
                yield from self._take_address(step.at)
            case MtuChanged(mtu):
                self._interface.mtu = mtu
            case Configure() | Listen() | LinkDown() | LinkUp():
                self._note(step.action)
                yield from self._handle(step.at, step.action, step)
            case _:
                assert_never(step.action)

    def _note(self, action: Action) -> None:
        match action:
            case Configure(config):
                self._config = config
            case LinkDown():
                self._interface.is_up = False
            case LinkUp():
                self._interface.is_up = True

    def _take_address(self, now: Instant) -> Iterator[Line]:
        source = self._interface.source
        if source != self._source:
            self._source = source
            yield from self._handle(now, SourceAddressChanged(source))

    def _receive(self, step: Step, packet: bytes) -> Iterator[Line]:
        if not self._interface.is_up:
            return
        received = wire.decode_packet(packet, self._context())
        if received is None or received.family is not self._family:
            return
        if isinstance(received, wire.Rejected):
            readable = received.message is not None
            yield self._rejected(step.at, received.reason, received.kind, readable=readable)
        elif self._is_echo(step.at, packet):
            yield self._rejected(step.at, wire.Reason.LOOPBACK, received.kind)
        else:
            if wire.Note.NO_ROUTER_ALERT in received.notes:
                self._host.statistics.count(Counted.NO_ROUTER_ALERT)
            yield from self._handle(step.at, received.message, step)

    def _context(self) -> wire.ReceptionContext:
        config = self._config
        newest: dict[str, int] = {each.name: each.newest for each in FAMILIES.values()}
        newest[self._family.name] = config.max_version
        return wire.ReceptionContext(
            igmp_max_version=newest["igmp"],
            mld_max_version=newest["mld"],
            require_ttl1=config.require_ttl1,
            require_router_alert=config.require_router_alert is RouterAlertPolicy.STRICT,
            own_addresses=self._interface.addresses,
            joined=self._host.groups,
        )

    def _is_echo(self, now: Instant, packet: bytes) -> bool:
        """Whether it is what we sent a moment ago without a source address."""
        if self._source != self._family.unspecified:
            return False
        return any(line.packet == packet for line in self._sent if now - line.at <= _ECHO)

    def _rejected(
        self, now: Instant, reason: wire.Reason, kind: wire.Kind, *, readable: bool = False
    ) -> Line:
        has_records = kind.type == "report" and kind.version == self._family.newest
        message = None if has_records else kind.type
        self._host.statistics.rejected(reason.label, message, readable=readable)
        return Line(now, "reject", {"reason": reason.label})

    def _handle(self, now: Instant, event: Event, step: Step | None = None) -> Iterator[Line]:
        yield from self._lines(now, self._host.handle(now, event), step)

    def _lines(
        self, now: Instant, effects: Iterable[Effect], step: Step | None = None
    ) -> Iterator[Line]:
        for effect in effects:
            match effect:
                case SendRecords() | SendReport() | SendLeave():
                    yield from self._send(now, effect)
                case VersionChanged(version=version):
                    yield Line(now, "mode", version)
                case Refused(code, text):
                    number = step.number if step else None
                    yield Line(now, "error", {"step": number, "code": code, "text": text})
                case Warn(text):
                    yield Line(now, "warning", text)
                case ReportsMatter() | Refreshed():
                    pass
                case _:
                    assert_never(effect)

    def _send(self, now: Instant, effect: SendRecords | SendReport | SendLeave) -> Iterator[Line]:
        if not wire.can_send(self._family, self._interface.mtu):
            self._host.statistics.failed_to_send()
            return
        for packet in self._packets(effect):
            line = sent(now, self._family, packet)
            if isinstance(effect, SendRecords):
                self._host.statistics.sent_records(1)
            if self._source == self._family.unspecified:
                self._sent = [each for each in self._sent if now - each.at <= _ECHO] + [line]
            yield line

    def _packets(self, effect: SendRecords | SendReport | SendLeave) -> Iterable[bytes]:
        family, source = self._family, self._source
        match effect:
            case SendRecords(records):
                return wire.report_packets(family, records, source, self._interface.mtu)
            case SendReport(version, group):
                return [wire.membership_report(family, version, group, source)]
            case SendLeave(_, group):
                return [wire.leave(family, group, source)]

    def _end(self) -> JSON:
        host, family = self._host, self._family
        return {
            "mode": host.version,
            "robustness": host.robustness,
            "query_interval": in_seconds(host.query_interval),
            "groups": {
                family.format(group): {
                    "mode": state.mode.value,
                    "sources": [family.format(each) for each in state.sources],
                }
                for group, state in sorted(host.groups.items())
            },
            "counters": dict(host.statistics.as_mapping()),
        }
