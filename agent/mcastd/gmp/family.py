"""What differs between IGMP and MLD, as values; the engine asks here and never for a name.

Addresses are `bytes` of `address_width` in network order throughout the core.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import NamedTuple

from mcastd.gmp.counters import IGMP_COUNTERS, MLD_COUNTERS, Counted
from mcastd.gmp.time import Duration, milliseconds, seconds
from mcastd.native import SourceList

Address = bytes
"""4 or 16 bytes in network order."""


class AddressPattern(NamedTuple):
    """Addresses that are `value` under `mask`, both as the numbers that the bytes stand for."""

    mask: int
    value: int

    def matches(self, address: Address) -> bool:
        return int.from_bytes(address) & self.mask == self.value


def pattern(mask: str, value: str) -> AddressPattern:
    return AddressPattern(int(ip_address(mask)), int(ip_address(value)))


class ProtocolFamily(NamedTuple):
    """A Group Management Protocol (RFC 4604 §1): IGMP or MLD.

    `name`: the label in metrics and files.
    `versions`: ascending; the last is the newest, the one that reports records.
    `all_hosts`: 224.0.0.1, ff02::1: where general queries go, and the group never reported.
    `all_routers`: where a Leave or Done goes.
    `all_report_routers`: where a report with records goes.
    `multicast`, `not_unicast`: which addresses can be groups, and which cannot be sources.
    `unreported`: groups no message ever concerns (RFC 9776 §5, RFC 9777 §6).
    `ssm`: the source-specific range (RFC 4607 §1).
    `max_response_unit`: one count of the Max Resp Code.
    `max_response_code_bits`, `max_response_mantissa_bits`: its width on the wire and that of the
    mantissa of its floating-point form (RFC 9776 §4.1.1, RFC 9777 §5.1.3).
    `version_1_max_response`: what code 0 stands for in the oldest query, None if it means 0.
    `ungrouped_versions`: those whose queries are general whatever their group field says
    (RFC 1112 Appendix I).
    `leaving_versions`: the older versions that announce a leave.
    `older_timer_uses_learned_values`: the older querier's time comes from the last query heard and
    not from the defaults (RFC 9777 §9.12 as against RFC 9776 §8.12).
    `older_querier_timeouts`: the fixed ones, by maximum version and that of the older querier
    (RFC 2236 §8.11).
    `announces_first_address`: whether groups are reported anew once there is an address to report
    them from (RFC 3590 §4, RFC 9777 §5.2.14).
    `counters`: which counters speak of what is counted.
    `minimum_mtu`: below it nothing is sent.
    `overhead`: bytes of the IP header with Router Alert before a message.
    """

    name: str
    address_width: int
    versions: tuple[int, ...]
    all_hosts: Address
    all_routers: Address
    all_report_routers: Address
    multicast: AddressPattern
    not_unicast: tuple[AddressPattern, ...]
    unreported: tuple[AddressPattern, ...]
    link_local_groups: AddressPattern
    ssm: AddressPattern
    max_response_unit: Duration
    max_response_code_bits: int
    max_response_mantissa_bits: int
    version_1_max_response: Duration | None
    ungrouped_versions: frozenset[int]
    leaving_versions: frozenset[int]
    older_timer_uses_learned_values: bool
    older_querier_timeouts: Mapping[tuple[int, int], Duration]
    announces_first_address: bool
    counters: Mapping[Counted, tuple[str, ...]]
    minimum_mtu: int
    overhead: int

    def __eq__(self, other: object) -> bool:
        """There is one of each."""
        return self is other

    def __hash__(self) -> int:
        return id(self)

    @property
    def newest(self) -> int:
        return self.versions[-1]

    @property
    def unspecified(self) -> Address:
        """0.0.0.0 or `::`: the group of a general query."""
        return bytes(self.address_width)

    @property
    def lowest_multicast(self) -> Address:
        """All addresses below it are unicast but for the unspecified one."""
        return self.multicast.value.to_bytes(self.address_width)

    @property
    def no_sources(self) -> SourceList:
        return SourceList(b"", self.address_width)

    def is_multicast(self, address: Address) -> bool:
        return len(address) == self.address_width and self.multicast.matches(address)

    def is_unicast(self, address: Address) -> bool:
        """Whether the address can be a source (RFC 9776 §2)."""
        return len(address) == self.address_width and not any(
            each.matches(address) for each in self.not_unicast
        )

    def is_reportable(self, group: Address) -> bool:
        """Whether messages may concern the group at all (RFC 9776 §5, RFC 9777 §6)."""
        return not any(each.matches(group) for each in self.unreported)

    def is_source_specific(self, group: Address) -> bool:
        """Whether the group is in the source-specific range (RFC 4607 §1)."""
        return self.ssm.matches(group)

    def max_response(self, version: int, said: Duration) -> Duration:
        """A query's Max Resp Time: what it said, or what its version always means (RFC 2236 §4)."""
        return (version in self.ungrouped_versions and self.version_1_max_response) or said

    def parse(self, text: str) -> Address:
        """ValueError, naming the text, if it is no address of this family."""
        packed = ip_address(text).packed
        if len(packed) != self.address_width:
            raise ValueError(f"{text!r} is not an address of {self.name}'s family")
        return packed

    def format(self, address: Address) -> str:
        return str(ip_address(address))


IGMP = ProtocolFamily(
    name="igmp",
    address_width=4,
    versions=(1, 2, 3),
    all_hosts=ip_address("224.0.0.1").packed,
    all_routers=ip_address("224.0.0.2").packed,
    all_report_routers=ip_address("224.0.0.22").packed,
    multicast=pattern("240.0.0.0", "224.0.0.0"),
    not_unicast=(
        pattern("240.0.0.0", "224.0.0.0"),
        pattern("255.255.255.255", "0.0.0.0"),
        pattern("255.255.255.255", "255.255.255.255"),
    ),
    unreported=(pattern("255.255.255.255", "224.0.0.1"),),
    link_local_groups=pattern("255.255.255.0", "224.0.0.0"),
    ssm=pattern("255.0.0.0", "232.0.0.0"),
    max_response_unit=milliseconds(100),
    max_response_code_bits=8,
    max_response_mantissa_bits=4,
    version_1_max_response=seconds(10),
    ungrouped_versions=frozenset({1}),
    leaving_versions=frozenset({2}),
    older_timer_uses_learned_values=False,
    older_querier_timeouts={(2, 1): seconds(400)},
    announces_first_address=False,
    counters=IGMP_COUNTERS,
    minimum_mtu=68,
    overhead=24,
)

MLD = ProtocolFamily(
    name="mld",
    address_width=16,
    versions=(1, 2),
    all_hosts=ip_address("ff02::1").packed,
    all_routers=ip_address("ff02::2").packed,
    all_report_routers=ip_address("ff02::16").packed,
    multicast=pattern("ff00::", "ff00::"),
    not_unicast=(
        pattern("ff00::", "ff00::"),
        pattern("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::"),
    ),
    unreported=(
        pattern("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff02::1"),
        pattern("ff0f::", "ff00::"),
        pattern("ff0f::", "ff01::"),
    ),
    link_local_groups=pattern("ff0f::", "ff02::"),
    ssm=pattern("fff0:ffff::", "ff30::"),
    max_response_unit=milliseconds(1),
    max_response_code_bits=16,
    max_response_mantissa_bits=12,
    version_1_max_response=None,
    ungrouped_versions=frozenset(),
    leaving_versions=frozenset({1}),
    older_timer_uses_learned_values=True,
    older_querier_timeouts={},
    announces_first_address=True,
    counters=MLD_COUNTERS,
    minimum_mtu=1280,
    overhead=48,
)

FAMILIES = {family.name: family for family in (IGMP, MLD)}
