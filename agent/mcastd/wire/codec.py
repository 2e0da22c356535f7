"""What differs between IGMP and MLD on the wire, as a value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Protocol

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.native import checksum


class HeaderWriter(Protocol):
    """Writes the IP header, options and all, before a message of `length` bytes."""

    def __call__(
        self,
        source: Address,
        destination: Address,
        length: int,
        *,
        ttl: int = 1,
        router_alert: bool = True,
    ) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Codec:
    """A family's message types and the layout of its messages.

    `report_types`: by version.
    `alerting_queries`: the versions whose queries carry Router Alert.
    `head`: type, Max Resp Code, group, with the checksum left 0: what queries begin with and what
    older reports and leaves consist of.
    `source_offset`, `destination_offset`: of the addresses in the IP header.
    `pseudo_header_sum`: what the checksum of a message of so many bytes starts from.
    """

    family: ProtocolFamily
    query_type: int
    report_types: Mapping[int, int]
    leave_type: int
    leave_version: int
    alerting_queries: frozenset[int]
    head: Struct
    source_offset: int
    destination_offset: int
    ip_header: HeaderWriter
    pseudo_header_sum: Callable[[Address, Address, int], int]

    def packet(
        self,
        source: Address,
        destination: Address,
        message: bytes,
        *,
        ttl: int = 1,
        router_alert: bool = True,
    ) -> bytes:
        """`message`, whose checksum field is 0, with its checksum and behind an IP header."""
        length = len(message)
        total = checksum(message, self.pseudo_header_sum(source, destination, length))
        header = self.ip_header(source, destination, length, ttl=ttl, router_alert=router_alert)
        return b"".join((header, message[:2], total.to_bytes(2), message[4:]))
