"""Events as JSON objects: made here and nowhere else, and only for somebody who reads them."""

from __future__ import annotations

from typing import assert_never

from mcastd.fastpath.ring import Fate
from mcastd.gmp.family import ProtocolFamily
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.time import Instant, in_seconds
from mcastd.service import events
from mcastd.service.answer_documents import Filter
from mcastd.service.clock import wall_clock
from mcastd.service.documents import JsonObject
from mcastd.service.events import DeviceEvent, FamilyEvent, InterfaceEvent, RunEvent
from mcastd.service.floods import Flood
from mcastd.service.interface import Event
from mcastd.streams import Key
from mcastd.streams.pair_states import PairEvent
from mcastd.streams.sample import address_text
from mcastd.streams.states import Event as StreamChange
from mcastd.wire.describe import described

Object = JsonObject
"""A JSON object."""

NAMES: dict[type, str] = {
    events.Joined: "joined",
    events.FilterChanged: "changed",
    events.Left: "left",
    events.QuerierChanged: "querier",
    events.UnlistedQuerier: "unlisted_querier",
    events.VersionChanged: "version",
    events.Unanswered: "unanswered",
    events.Warned: "warning",
    events.Refused: "refused",
    events.Announced: "announced",
    events.Attached: "attached",
    events.Detached: "detached",
    events.Deaf: "deaf",
    events.ProblemBegan: "problem",
    events.ProblemEnded: "problem",
    events.ModeChanged: "mode",
    events.LinkChanged: "link",
    events.MulticastSwitched: "multicast",
    events.FailedOver: "failover",
    events.Renamed: "renamed",
    events.Gone: "gone",
    events.FloodChanged: "flood",
    events.StreamChanged: "stream",
    events.PairChanged: "pair",
}
"""What `mcastctl watch --type` calls them."""


def name_of(event: FamilyEvent | InterfaceEvent) -> str:
    return NAMES[type(event)]


def family_fields(family: ProtocolFamily, event: FamilyEvent) -> Object:
    """The event's own fields, in their order."""
    match event:
        case events.Joined() | events.FilterChanged():
            who = {"group": family.format(event.group), "application": event.application}
            held = filter_object(family, event.filter)
            return {**who, "mode": held["mode"], "sources": held["sources"]}
        case events.Left():
            return {"group": family.format(event.group), "application": event.application}
        case events.QuerierChanged() | events.UnlistedQuerier():
            return {"address": family.format(event.address), "version": event.version}
        case events.VersionChanged():
            return version_fields(family, event)
        case events.Unanswered():
            return {"queries": event.queries}
        case events.Warned() | events.Refused():
            return {"text": event.text}
        case _:
            assert_never(event)


def version_fields(family: ProtocolFamily, event: events.VersionChanged) -> Object:
    """An older querier is named only where there is one."""
    fields: Object = {"from": event.previous, "to": event.version}
    if event.querier is not None:
        fields["querier"] = family.format(event.querier)
    if event.forgotten_in is not None:
        fields["forgotten_in"] = in_seconds(event.forgotten_in)
    return fields


def interface_fields(event: InterfaceEvent) -> Object:
    """The event's own fields, in their order."""
    match event:
        case events.FloodChanged():
            return {"state": event.state, "ring": event.ring, **flood_object(event.flood)}
        case events.StreamChanged():
            return stream_fields(event.change)
        case events.PairChanged():
            return pair_fields(event.change)
        case (
            events.LinkChanged()
            | events.MulticastSwitched()
            | events.FailedOver()
            | events.Renamed()
            | events.Gone()
        ):
            return device_fields(event)
        case _:
            return run_fields(event)


def run_fields(event: RunEvent) -> Object:
    match event:
        case events.Announced():
            return {"cause": event.cause.value}
        case events.Attached():
            return {"hook": event.hook.value}
        case events.ProblemBegan():
            return {"state": "began", "text": event.text}
        case events.ProblemEnded():
            return {"state": "over", "text": event.text}
        case events.ModeChanged():
            return {"mode": event.mode.value}
        case events.Detached() | events.Deaf():
            return {}
        case _:
            assert_never(event)


def device_fields(event: DeviceEvent) -> Object:
    match event:
        case events.LinkChanged():
            return {"running": event.is_running}
        case events.MulticastSwitched():
            return {"on": event.on}
        case events.FailedOver():
            return {"from": event.before, "to": event.now}
        case events.Renamed():
            return {"to": event.name}
        case events.Gone():
            return {}
        case _:
            assert_never(event)


def stream_fields(change: StreamChange) -> Object:
    """A group from which nothing comes has neither source nor port."""
    subject = change.subject
    fields: Object = {}
    if isinstance(subject, Key):
        fields["group"] = address_text(subject.group)
        fields["source"] = address_text(subject.source)
        fields |= {"port": subject.port, "vlan": list(subject.vlan)}
    else:
        fields["group"] = address_text(subject[1])
    before = change.before.value if change.before else None
    return fields | {"state": change.state.value, "before": before}


def pair_fields(change: PairEvent) -> Object:
    before = change.before.value if change.before else None
    fields: Object = {"a": str(change.pair.a), "b": str(change.pair.b)}
    fields |= {"state": change.state.value, "before": before}
    return fields if change.problem is None else fields | {"problem": change.problem}


def message_object(interface: str, event: Event, *, from_outside: bool) -> Object:
    """A message that the programs handed over, with all that could be decoded of it."""
    at = wall_clock(Instant(event.captured.at))
    cut = len(event.captured.frame) < event.captured.frame_length
    head: Object = {"event": "message", "interface": interface}
    if event.captured.fate != Fate.PASSED:
        head["fate"] = Fate(event.captured.fate).name.lower()
    ts = in_seconds(round(at * 1e9))
    return (
        head
        | {"direction": "rx" if from_outside else "tx", "ts": ts}
        | described(event.decoded, cut=cut)
    )


def flood_object(flood: Flood) -> Object:
    """`refused`, and of these `discarded`, messages; `rate`: a second; `seconds`: how long."""
    return {
        "refused": flood.refused.messages,
        "discarded": flood.refused.discarded,
        "rate": round(flood.rate, 1),
        "seconds": round(in_seconds(flood.duration), 3),
    }


def filter_object(family: ProtocolFamily, current: SourceFilter) -> Filter:
    """The fields of a filter."""
    sources = [family.format(source) for source in current.sources]
    return {"mode": current.mode.value, "sources": sources}
