"""What a packet is: protocol, type and version, numbered as in `bpf/abi.h`."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from mcastd._native import lib
from mcastd.gmp.family import IGMP, MLD, ProtocolFamily


class Kind(IntEnum):
    """A protocol, a type and a version."""

    IGMP_QUERY_1 = lib.MCAST_IGMP_QUERY_1
    IGMP_QUERY_2 = lib.MCAST_IGMP_QUERY_2
    IGMP_QUERY_3 = lib.MCAST_IGMP_QUERY_3
    IGMP_REPORT_1 = lib.MCAST_IGMP_REPORT_1
    IGMP_REPORT_2 = lib.MCAST_IGMP_REPORT_2
    IGMP_REPORT_3 = lib.MCAST_IGMP_REPORT_3
    IGMP_LEAVE_2 = lib.MCAST_IGMP_LEAVE_2
    IGMP_OTHER = lib.MCAST_IGMP_OTHER
    MLD_QUERY_1 = lib.MCAST_MLD_QUERY_1
    MLD_QUERY_2 = lib.MCAST_MLD_QUERY_2
    MLD_REPORT_1 = lib.MCAST_MLD_REPORT_1
    MLD_REPORT_2 = lib.MCAST_MLD_REPORT_2
    MLD_LEAVE_1 = lib.MCAST_MLD_LEAVE_1
    MLD_OTHER = lib.MCAST_MLD_OTHER

    @property
    def family(self) -> ProtocolFamily:
        return _MEANINGS[self].family

    @property
    def type(self) -> str:
        """The label in metrics and files: query, report, leave (Done too) or other."""
        return _MEANINGS[self].type

    @property
    def version(self) -> int | None:
        """The version on the wire; None where a type has none."""
        return _MEANINGS[self].version

    @property
    def label(self) -> str:
        """Such as "igmp query 3", "mld leave 1", "igmp other"."""
        return _MEANINGS[self].label


class _Meaning(NamedTuple):
    family: ProtocolFamily
    type: str
    version: int | None
    label: str


def _meaning(kind: Kind) -> _Meaning:
    protocol, name, *version = kind.name.lower().split("_")
    family = IGMP if protocol == IGMP.name else MLD
    number = int(version[0]) if version else None
    return _Meaning(family, name, number, kind.name.lower().replace("_", " "))


_MEANINGS = {kind: _meaning(kind) for kind in Kind}
