"""Packets into messages, or into the reason why not. Never raises, whatever the bytes.

`bpf/rules.h` says what a packet is and refuses all that can be refused without its records and
without knowing the interface; the rest is here, in the same order of reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mcastd._native import ffi, lib
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.messages import Message
from mcastd.wire.codecs import codec_of
from mcastd.wire.contents import NOTHING, Contents, read_message
from mcastd.wire.context import ReceptionContext
from mcastd.wire.kinds import Kind
from mcastd.wire.reasons import Reason
from mcastd.wire.records import UnknownRecord


class Note(StrEnum):
    """What is remarkable about a message that is accepted nevertheless."""

    NO_ROUTER_ALERT = "no_router_alert"
    UNKNOWN_RECORD_TYPE = "unknown_record_type"
    TRUNCATED = "truncated"
    """Fewer bytes were captured than the packet has."""


class Classified(Protocol):
    """`struct mcast_message` of `bpf/abi.h`."""

    @property
    def kind(self) -> int: ...
    @property
    def reason(self) -> int: ...
    @property
    def flags(self) -> int: ...
    @property
    def tags(self) -> int: ...
    @property
    def vlan(self) -> Sequence[int]: ...
    @property
    def network(self) -> int: ...
    @property
    def message(self) -> int: ...
    @property
    def length(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Received:
    """A message that may be believed. `vlan`: identifiers, outermost first."""

    message: Message
    kind: Kind
    vlan: tuple[int, ...] = ()
    notes: frozenset[Note] = frozenset()
    unknown_records: tuple[UnknownRecord, ...] = ()

    @property
    def family(self) -> ProtocolFamily:
        return self.kind.family

    @property
    def version(self) -> int | None:
        return self.kind.version


@dataclass(frozen=True, slots=True)
class Rejected:
    """A packet that is refused, and what it would have said, as far as that can be read."""

    reason: Reason
    kind: Kind
    vlan: tuple[int, ...] = ()
    notes: frozenset[Note] = frozenset()
    source: Address | None = None
    destination: Address | None = None
    message: Message | None = None
    unknown_records: tuple[UnknownRecord, ...] = ()

    @property
    def family(self) -> ProtocolFamily:
        return self.kind.family

    @property
    def version(self) -> int | None:
        return self.kind.version


def decode_packet(packet: bytes, context: ReceptionContext) -> Received | Rejected | None:
    """From the IP header on; None if it is neither IGMP nor MLD."""
    found = ffi.new("struct mcast_message *")
    lib.mcast_classify_packet(packet, len(packet), context.rules, found)
    return decode_event(packet, found, context)


def decode_frame(frame: bytes, context: ReceptionContext) -> Received | Rejected | None:
    """From the Ethernet header on, with up to two VLAN tags; None if neither IGMP nor MLD."""
    found = ffi.new("struct mcast_message *")
    lib.mcast_classify_frame(frame, len(frame), context.rules, found)
    return decode_event(frame, found, context)


def decode_event(
    frame: bytes, found: Classified, context: ReceptionContext
) -> Received | Rejected | None:
    """What is classified already; `frame` may be only the beginning of what `found` speaks of."""
    if not found.kind:
        return None
    kind = Kind(found.kind)
    codec = codec_of(kind.family)
    width = codec.family.address_width
    source = _address(frame, found.network + codec.source_offset, width)
    destination = _address(frame, found.network + codec.destination_offset, width)
    body = frame[found.message : found.message + found.length] if found.message else b""
    contents = NOTHING
    if source is not None and destination is not None:
        contents = read_message(codec, kind, body, source, destination)
    notes = _notes(found, body, contents)
    reasons = _reasons(found, context, source, destination)
    reasons |= (
        contents.faults - _UNKNOWN_BEYOND_THE_CUT if Note.TRUNCATED in notes else contents.faults
    )
    vlan = tuple(found.vlan[tag] for tag in range(min(found.tags, len(found.vlan))))
    message, unknown_records = contents.message, contents.unknown_records
    if message is not None and not reasons:
        return Received(message, kind, vlan, notes, unknown_records)
    reason = min(reasons, default=Reason.TOO_SHORT)
    return Rejected(reason, kind, vlan, notes, source, destination, message, unknown_records)


_UNKNOWN_BEYOND_THE_CUT = frozenset({Reason.BAD_SOURCE_COUNT})


def _address(frame: bytes, at: int, width: int) -> Address | None:
    address = frame[at : at + width]
    return address if len(address) == width else None


def _notes(found: Classified, body: bytes, contents: Contents) -> frozenset[Note]:
    notes = set()
    if found.flags & lib.MCAST_WITHOUT_ROUTER_ALERT:
        notes.add(Note.NO_ROUTER_ALERT)
    if contents.unknown_records:
        notes.add(Note.UNKNOWN_RECORD_TYPE)
    if not found.reason and len(body) < found.length:
        notes.add(Note.TRUNCATED)
    return frozenset(notes)


def _reasons(
    found: Classified,
    context: ReceptionContext,
    source: Address | None,
    destination: Address | None,
) -> set[Reason]:
    """The classifier's, and what it leaves to those who know the interface."""
    reasons = {Reason(found.reason)} if found.reason else set()
    if context.addresses_known:
        if found.flags & lib.MCAST_TO_ASSIGNED and not context.is_assigned(destination or b""):
            reasons.add(Reason.BAD_DESTINATION)
        if found.flags & lib.MCAST_FROM_OTHERS and source in context.own_addresses:
            reasons.add(Reason.LOOPBACK)
    return reasons
