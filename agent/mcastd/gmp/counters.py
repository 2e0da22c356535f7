"""What is counted, and the names under which each family counts it.

The names are those of `struct igmpstat` and of the ICMPv6 MIB, with more of the same kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final


class Counted(Enum):
    """Something that happens to a message.

    `RECEIVED`: every message whose checksum is right. `QUERY` and `REPORT` come before a look at
    what the message says, `BAD_QUERY` and `BAD_REPORT` after it; reports are those of one group,
    IGMPv1, IGMPv2 and MLDv1. `BETWEEN_VERSIONS`: a query whose length is no version's (RFC 9776
    §7.1, RFC 9777 §8.1).
    """

    RECEIVED = auto()
    TOO_SHORT = auto()
    BETWEEN_VERSIONS = auto()
    BAD_CHECKSUM = auto()
    BAD_TTL = auto()
    NO_ROUTER_ALERT = auto()
    BAD_SOURCE = auto()
    QUERY = auto()
    BAD_QUERY = auto()
    QUERY_VERSION_1 = auto()
    QUERY_VERSION_2 = auto()
    QUERY_VERSION_3 = auto()
    GENERAL_QUERY = auto()
    GROUP_QUERY = auto()
    GROUP_AND_SOURCE_QUERY = auto()
    REPORT = auto()
    BAD_REPORT = auto()
    OUR_REPORT = auto()
    LEAVE = auto()
    SUPPRESSED = auto()
    SENT_REPORT = auto()
    SENT_LEAVE = auto()
    SEND_ERROR = auto()


IGMP_COUNTERS: Final[Mapping[Counted, tuple[str, ...]]] = {
    Counted.RECEIVED: ("igps_rcv_total",),
    Counted.TOO_SHORT: ("igps_rcv_tooshort",),
    Counted.BETWEEN_VERSIONS: ("igps_rcv_tooshort", "igps_rcv_wrongver"),
    Counted.BAD_CHECKSUM: ("igps_rcv_badsum",),
    Counted.BAD_TTL: ("igps_rcv_badttl",),
    Counted.NO_ROUTER_ALERT: ("igps_rcv_nora",),
    Counted.QUERY: ("igps_rcv_queries",),
    Counted.BAD_QUERY: ("igps_rcv_badqueries",),
    Counted.QUERY_VERSION_1: ("igps_rcv_v1_queries",),
    Counted.QUERY_VERSION_2: ("igps_rcv_v2_queries",),
    Counted.QUERY_VERSION_3: ("igps_rcv_v3_queries",),
    Counted.GENERAL_QUERY: ("igps_rcv_gen_queries",),
    Counted.GROUP_QUERY: ("igps_rcv_group_queries",),
    Counted.GROUP_AND_SOURCE_QUERY: ("igps_rcv_gsr_queries",),
    Counted.REPORT: ("igps_rcv_reports",),
    Counted.BAD_REPORT: ("igps_rcv_badreports",),
    Counted.OUR_REPORT: ("igps_rcv_ourreports",),
    Counted.SUPPRESSED: ("igps_suppressed",),
    Counted.SENT_REPORT: ("igps_snd_reports",),
    Counted.SENT_LEAVE: ("igps_snd_reports", "igps_snd_leaves"),
    Counted.SEND_ERROR: ("igps_snd_errors",),
}
"""`igps_snd_reports` counts leaves too, as it always did."""

MLD_COUNTERS: Final[Mapping[Counted, tuple[str, ...]]] = {
    Counted.RECEIVED: ("ipv6IfIcmpInGroupMembTotal",),
    Counted.TOO_SHORT: ("ipv6IfIcmpInErrors",),
    Counted.BETWEEN_VERSIONS: ("ipv6IfIcmpInErrors", "ipv6IfIcmpInGroupMembWrongVersion"),
    Counted.BAD_CHECKSUM: ("ipv6IfIcmpInBadChecksum",),
    Counted.BAD_TTL: ("ipv6IfIcmpBadHoplimit",),
    Counted.NO_ROUTER_ALERT: ("ipv6IfIcmpInBadRouterAlert",),
    Counted.BAD_SOURCE: ("ipv6IfIcmpInErrors",),
    Counted.QUERY: ("ipv6IfIcmpInGroupMembQueries",),
    Counted.BAD_QUERY: ("ipv6IfIcmpInGroupMembBadQueries",),
    Counted.QUERY_VERSION_1: ("ipv6IfIcmpInGroupMembV1Queries",),
    Counted.QUERY_VERSION_2: ("ipv6IfIcmpInGroupMembV2Queries",),
    Counted.GENERAL_QUERY: ("ipv6IfIcmpInGroupMembGeneralQueries",),
    Counted.GROUP_QUERY: ("ipv6IfIcmpInGroupMembGroupQueries",),
    Counted.GROUP_AND_SOURCE_QUERY: ("ipv6IfIcmpInGroupMembGroupSourceQueries",),
    Counted.REPORT: ("ipv6IfIcmpInGroupMembResponses",),
    Counted.BAD_REPORT: ("ipv6IfIcmpInGroupMembBadReports",),
    Counted.OUR_REPORT: ("ipv6IfIcmpInGroupMembOurReports",),
    Counted.LEAVE: ("ipv6IfIcmpInGroupMembReductions",),
    Counted.SUPPRESSED: ("ipv6IfIcmpGroupMembSuppressed",),
    Counted.SENT_REPORT: ("ipv6IfIcmpOutGroupMembResponses",),
    Counted.SENT_LEAVE: ("ipv6IfIcmpOutGroupMembReductions",),
    Counted.SEND_ERROR: ("ipv6IfIcmpOutErrors",),
}


class Statistics:
    """The counters of one family on one interface; they never go back."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: Mapping[Counted, tuple[str, ...]]) -> None:
        self._names = names
        self._values = {name: 0 for several in names.values() for name in several}

    def count(self, what: Counted, times: int = 1) -> None:
        for name in self._names.get(what, ()):
            self._values[name] += times

    def count_all(self, several: tuple[Counted, ...]) -> None:
        for what in several:
            self.count(what)

    def sent_records(self, packets: int) -> None:
        """Told by whoever sent a `SendRecords`: only the codec knows how many packets it took."""
        self.count(Counted.SENT_REPORT, packets)

    def failed_to_send(self, packets: int = 1) -> None:
        self.count(Counted.SEND_ERROR, packets)

    def rejected(self, reason: str, message: str | None = None, *, readable: bool = False) -> None:
        """Told by whoever refused a packet before it became an event.

        `reason` is a reject reason's label; `message` what the packet was as far as known: `query`,
        `report` (of one group), `leave`. `readable`: it was long enough for an older version, which
        makes a query that is too short one between two versions. An unknown reason counts as
        received.
        """
        if readable and (reason, message) == ("too_short", "query"):
            self.count_all(_BETWEEN_VERSIONS)
            return
        self.count_all(
            REJECTIONS.get((reason, message)) or REJECTIONS.get((reason, None)) or _RECEIVED
        )

    def go_on_from(self, earlier: Statistics) -> None:
        """Adds what was counted by another for the same family."""
        for name, count in earlier._values.items():
            self._values[name] += count

    def value(self, what: Counted) -> int:
        """Under the first of its names; 0 if it has none."""
        return next((self._values[name] for name in self._names.get(what, ())), 0)

    def as_mapping(self) -> dict[str, int]:
        """All counters by name, also those that are zero."""
        return dict(self._values)


_RECEIVED: Final = (Counted.RECEIVED,)
_BETWEEN_VERSIONS: Final = (Counted.RECEIVED, Counted.BETWEEN_VERSIONS)
_BAD_QUERY: Final = (Counted.RECEIVED, Counted.QUERY, Counted.BAD_QUERY)
_BAD_REPORT: Final = (Counted.RECEIVED, Counted.REPORT, Counted.BAD_REPORT)

REJECTIONS: Final[Mapping[tuple[str, str | None], tuple[Counted, ...]]] = {
    ("fragment", None): _RECEIVED,
    ("too_short", None): (Counted.RECEIVED, Counted.TOO_SHORT),
    ("bad_length", None): (Counted.RECEIVED, Counted.TOO_SHORT),
    ("bad_checksum", None): (Counted.BAD_CHECKSUM,),
    ("bad_ttl", None): (Counted.RECEIVED, Counted.BAD_TTL),
    ("no_router_alert", None): (Counted.RECEIVED, Counted.NO_ROUTER_ALERT),
    ("bad_source", None): (Counted.RECEIVED, Counted.BAD_SOURCE),
    ("bad_destination", "query"): _BAD_QUERY,
    ("bad_destination", "report"): _BAD_REPORT,
    ("bad_group", "query"): _BAD_QUERY,
    ("bad_group", "report"): _BAD_REPORT,
    ("bad_source_count", None): (Counted.RECEIVED, Counted.TOO_SHORT),
}
"""What a refused packet counts as, by reject reason and message; `None`: whatever the message."""
