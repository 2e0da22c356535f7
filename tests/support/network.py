"""Addresses, filters, messages and records of either family, by short names."""

from __future__ import annotations

from mcastd.gmp.config import HostConfig
from mcastd.gmp.effects import SendLeave, SendReport
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import SourceFilter, exclude, include
from mcastd.gmp.messages import Leave, MembershipReport, Query
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.gmp.time import seconds
from mcastd.native import SourceList


class Network:
    """What tests speak of, in the family's addresses; `g1 < g2 < g3`, `s1 < s2 < s3 < s4`."""

    def __init__(self, family: ProtocolFamily) -> None:
        self.family = family
        self.newest = family.newest
        self.older = family.versions[-2]
        self.g1, self.g2, self.g3 = self._pick(
            "239.1.2.3 239.1.2.4 239.129.2.3", "ff15::1 ff15::2 ff1e::db8:1"
        )
        self.ssm, self.link_local, self.all_hosts = self._pick(
            "232.1.1.1 224.0.0.251 224.0.0.1", "ff3e::1:1 ff02::fb ff02::1"
        )
        self.s1, self.s2, self.s3, self.s4 = self._pick(
            "10.0.0.1 10.0.0.2 10.0.1.1 198.51.100.7", "2001:db8::1 2001:db8::2 2001:db8::3 fd00::1"
        )
        self.here, self.querier, self.neighbour = self._pick(
            "192.0.2.10 192.0.2.1 192.0.2.11", "fe80::10 fe80::1 fe80::11"
        )
        self.everything = self.exclude()
        self.nothing = self.include()

    def _pick(self, igmp: str, mld: str) -> list[Address]:
        texts = {4: igmp, 16: mld}[self.family.address_width].split()
        return [self.family.parse(text) for text in texts]

    def config(self, **tunables: object) -> HostConfig:
        return HostConfig.from_mapping(self.family, self.tunables(**tunables))

    def tunables(self, **tunables: object) -> dict[str, object]:
        """`max_version` stands for the family's own."""
        most = f"{self.family.name}_max_version"
        return {most if key == "max_version" else key: each for key, each in tunables.items()}

    def sources(self, *sources: Address) -> SourceList:
        return SourceList.of(sources, self.family.address_width)

    def include(self, *sources: Address) -> SourceFilter:
        return include(self.sources(*sources))

    def exclude(self, *sources: Address) -> SourceFilter:
        return exclude(self.sources(*sources))

    def query(
        self,
        group: Address | None = None,
        *sources: Address,
        version: int | None = None,
        max_response: float = 10,
        older_max_response: float | None = None,
        robustness: int = 2,
        query_interval: float = 125,
        to: Address | None = None,
    ) -> Query:
        """Of the newest version, general, if nothing else is said."""
        older = max_response if older_max_response is None else older_max_response
        return Query(
            version or self.newest,
            self.querier,
            to or group or self.family.all_hosts,
            group or self.family.unspecified,
            self.sources(*sources),
            seconds(max_response),
            seconds(older),
            robustness,
            seconds(query_interval),
        )

    def older_query(self, group: Address | None = None, max_response: float = 10) -> Query:
        return self.query(group, version=self.older, max_response=max_response)

    def report(self, group: Address, version: int | None = None) -> MembershipReport:
        """Another host's, in an older version."""
        return MembershipReport(version or self.older, self.neighbour, group, group)

    def leave(self, group: Address) -> Leave:
        return Leave(self.older, self.neighbour, self.family.all_routers, group)

    def sent_report(self, group: Address, version: int | None = None) -> SendReport:
        return SendReport(version or self.older, group)

    def sent_leave(self, group: Address) -> SendLeave:
        return SendLeave(self.older, group)

    def is_in(self, group: Address, *sources: Address) -> GroupRecord:
        return GroupRecord(RecordType.MODE_IS_INCLUDE, group, self.sources(*sources))

    def is_ex(self, group: Address, *sources: Address) -> GroupRecord:
        return GroupRecord(RecordType.MODE_IS_EXCLUDE, group, self.sources(*sources))

    def to_in(self, group: Address, *sources: Address) -> GroupRecord:
        return GroupRecord(RecordType.CHANGE_TO_INCLUDE_MODE, group, self.sources(*sources))

    def to_ex(self, group: Address, *sources: Address) -> GroupRecord:
        return GroupRecord(RecordType.CHANGE_TO_EXCLUDE_MODE, group, self.sources(*sources))

    def allow(self, group: Address, *sources: Address) -> GroupRecord:
        return GroupRecord(RecordType.ALLOW_NEW_SOURCES, group, self.sources(*sources))

    def block(self, group: Address, *sources: Address) -> GroupRecord:
        return GroupRecord(RecordType.BLOCK_OLD_SOURCES, group, self.sources(*sources))
