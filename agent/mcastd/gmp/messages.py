"""IGMP and MLD messages as the core sees them: times are durations, addresses are bytes.

`source` and `destination` are those of the IP header.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcastd.gmp.family import Address
from mcastd.gmp.records import GroupRecord
from mcastd.gmp.time import NO_TIME, Duration
from mcastd.native import SourceList


@dataclass(frozen=True, slots=True)
class Query:
    """A Membership Query (RFC 9776 §4.1) or Multicast Listener Query (RFC 9777 §5.1).

    `version` is the one on the wire. `group` is all zeros in a general query. `max_response` is the
    code as this version reads it; `older_max_response` the same code as the versions before the
    newest read it, linearly (RFC 9776 §7.2.1). `robustness` (QRV) and `query_interval` (QQIC) are
    zero where the message has none.
    """

    version: int
    source: Address
    destination: Address
    group: Address
    sources: SourceList
    max_response: Duration
    older_max_response: Duration
    robustness: int = 0
    query_interval: Duration = NO_TIME
    suppress: bool = False


@dataclass(frozen=True, slots=True)
class MembershipReport:
    """A report of one group: IGMPv1, IGMPv2, MLDv1."""

    version: int
    source: Address
    destination: Address
    group: Address


@dataclass(frozen=True, slots=True)
class RecordReport:
    """A report of group records: IGMPv3, MLDv2."""

    version: int
    source: Address
    destination: Address
    records: tuple[GroupRecord, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """An IGMPv2 Leave Group or an MLDv1 Done."""

    version: int
    source: Address
    destination: Address
    group: Address


@dataclass(frozen=True, slots=True)
class Other:
    """A message for routers only: DVMRP, PIMv1, mtrace, router discovery."""

    type: int
    source: Address
    destination: Address


Message = Query | MembershipReport | RecordReport | Leave | Other
