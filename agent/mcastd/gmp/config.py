"""The tunables of a host's protocol: names, defaults and ranges, in one table.

A mapping is what a configuration file, a scenario or an operator gives: intervals are numbers of
seconds, or such with their unit ("60s"), ranges of addresses are prefixes. What it becomes here has
the core's types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from ipaddress import ip_address, ip_network
from typing import Any, Final, NamedTuple

from mcastd.allowed import YES_OR_NO, Allowed, interval, one_of, texts, whole
from mcastd.gmp.family import FAMILIES, Address, AddressPattern, ProtocolFamily
from mcastd.gmp.time import NO_TIME, Duration, in_seconds, milliseconds, seconds
from mcastd.printable import brief


class OlderQuerierFormula(Enum):
    """How long an older IGMP querier is remembered.

    RFC 9776 §8.12 counts ten times the query's Max Resp Time and does not rely on learned values;
    RFC 3376 §8.12 counts it once and does.
    """

    RFC9776 = "rfc9776"
    RFC3376 = "rfc3376"


class RouterAlertPolicy(Enum):
    """What becomes of an IGMPv2 or IGMPv3 query without Router Alert (RFC 9776 §9.1)."""

    LENIENT = "lenient"
    STRICT = "strict"


class ConfigError(ValueError):
    """A tunable that is not known, or a value it cannot have."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"{key} = {brief(value)}: {allowed}")
        self.key = key
        self.value = value
        self.allowed = allowed


QUERY_INTERVAL: Final = seconds(125)
QUERY_RESPONSE_INTERVAL: Final = seconds(10)
OLDER_UNSOLICITED_REPORT_INTERVAL: Final = seconds(10)
UNSOLICITED_REPORT_INTERVAL: Final = seconds(1)

MOST_QUERIERS: Final = 64
"""That can be named for one interface."""


class HostConfig(NamedTuple):
    """Tunables of one family on one interface; `from_mapping` knows their names in files.

    `max_version`: the newest version ever spoken.
    `ssm_ranges`: the source-specific groups (RFC 4607 §1); by default the family's own.
    `robustness`, `query_interval`: until a query teaches others (RFC 9776 §8.1, §8.2).
    `query_response_interval`: RFC 9776 §8.3, RFC 9777 §9.3.
    `older_unsolicited_report_interval`: of IGMPv1, IGMPv2 and MLDv1 (RFC 2236 §8.10,
    RFC 2710 §7.10).
    `unsolicited_report_interval`: of IGMPv3 and MLDv2 (RFC 9776 §8.11, RFC 9777 §9.11).
    `older_querier_limit`: for how long an older querier is remembered at the most, whatever was
    learned; 0 is no limit, as in the RFCs, which allow for 61 hours (RFC 9777 §9.12).
    `queriers`: those that are believed; all if none is named.
    `compat_enable`: whether an older query changes the version spoken (RFC 9776 §7.2.1).
    `require_ttl1`, `require_router_alert`: what a received packet must have.
    `report_suppression`: whether another host's older report makes ours unnecessary (RFC 2236 §3,
    RFC 2710 §4).
    `leave_only_if_last_reporter`: the optimisation of RFC 2236 §3, RFC 2710 §4.
    `report_link_local_groups`: whether 224.0.0.0/24 and link-scope groups are reported at all.
    `ssm_enforce`: refuse any-source requests in the source-specific range (RFC 4604 §2.1).
    `announce_version_change`: report all groups when an operator changed the version spoken.
    `max_sources_per_filter`: of one application's request (RFC 9776 §2 wants at least 64).
    `refresh`: how often all groups are reported while no querier is heard; 0 is never.
    `max_pending_sources`: recorded for one group's answer, beyond which all its sources are told
    (RFC 9776 §9.1).
    """

    max_version: int
    ssm_ranges: tuple[AddressPattern, ...]
    robustness: int = 2
    query_interval: Duration = QUERY_INTERVAL
    query_response_interval: Duration = QUERY_RESPONSE_INTERVAL
    older_unsolicited_report_interval: Duration = OLDER_UNSOLICITED_REPORT_INTERVAL
    unsolicited_report_interval: Duration = UNSOLICITED_REPORT_INTERVAL
    older_querier_formula: OlderQuerierFormula = OlderQuerierFormula.RFC9776
    older_querier_limit: Duration = NO_TIME
    queriers: tuple[AddressPattern, ...] = ()
    compat_enable: bool = True
    require_ttl1: bool = True
    require_router_alert: RouterAlertPolicy = RouterAlertPolicy.LENIENT
    report_suppression: bool = True
    leave_only_if_last_reporter: bool = True
    report_link_local_groups: bool = True
    ssm_enforce: bool = True
    announce_version_change: bool = False
    max_sources_per_filter: int = 4096
    max_pending_sources: int = 1024
    refresh: Duration = NO_TIME

    @classmethod
    def from_mapping(cls, family: ProtocolFamily, mapping: Mapping[str, Any]) -> HostConfig:
        """The defaults but for what `mapping` says; ConfigError for the first thing wrong in it.

        A tunable of another family is checked and otherwise left alone: files are shared.
        """
        return cls(max_version=family.newest, ssm_ranges=(family.ssm,)).changed(family, mapping)

    def changed(self, family: ProtocolFamily, mapping: Mapping[str, Any]) -> HostConfig:
        """This configuration but for what `mapping` says; ConfigError as in `from_mapping`."""
        fields: dict[str, Any] = {}
        for key, value in mapping.items():
            tunable = TUNABLES.get(key)
            if tunable is None:
                raise ConfigError(key, value, f"not a tunable; known are {', '.join(TUNABLES)}")
            fields |= tunable.read(key, value, family)
        return self._replace(**fields)

    def is_source_specific(self, group: Address) -> bool:
        """Whether the group is in a source-specific range (RFC 4607 §1)."""
        return any(each.matches(group) for each in self.ssm_ranges)

    def is_capped(self, family: ProtocolFamily) -> bool:
        """Whether only older versions than the newest may be spoken."""
        return self.max_version < family.newest

    def is_believed(self, querier: Address) -> bool:
        """Whether queries from there may change anything."""
        return not self.queriers or any(each.matches(querier) for each in self.queriers)


class Tunable(NamedTuple):
    """One row of the table: where a value goes and what may be given.

    `family`: the one it concerns; None means all. `own` takes a family's part of what was read;
    None if that says nothing about it.
    """

    field: str
    allowed: Allowed
    family: ProtocolFamily | None = None
    own: Callable[[Any, ProtocolFamily], Any] = lambda read, _family: read

    def read(self, key: str, value: Any, family: ProtocolFamily) -> dict[str, Any]:
        """The field and its value; nothing if it does not concern the family."""
        try:
            read = self.own(self.allowed.read(value), family)
        except (TypeError, ValueError):
            raise ConfigError(key, value, f"allowed is {self.allowed.text}") from None
        if read is None or self.family not in (None, family):
            return {}
        return {self.field: read}


def _interval(field: str, low: Duration, high: Duration, *, or_never: bool = False) -> Tunable:
    allowed = interval(in_seconds(low), in_seconds(high), or_never=or_never)
    return Tunable(field, allowed, own=lambda read, _family: seconds(read))


Ranges = list[tuple[int, AddressPattern]]
"""With the address width of each."""


def _ranges(field: str) -> Tunable:
    """A list of prefixes of any family; a family of which it names none keeps what it has.

    An empty list stands for no range in any family.
    """

    def read(value: Any) -> Ranges:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise TypeError
        return [address_range(str(text)) for text in value]

    def own(given: Ranges, family: ProtocolFamily) -> tuple[AddressPattern, ...] | None:
        found = of_width(given, family.address_width)
        return found if found or not given else None

    what = 'a list of prefixes such as "232.0.0.0/8" or "ff3x::/32"'
    return Tunable(field, texts(what, read), own=own)


def _sources(field: str) -> Tunable:
    """A list of unicast addresses and prefixes of any family; none stands for all there are."""

    def read(value: Any) -> Ranges:
        if isinstance(value, str) or not isinstance(value, Sequence) or len(value) > MOST_QUERIERS:
            raise TypeError
        if not all(isinstance(text, str) for text in value):
            raise TypeError
        networks = [ip_network(text) for text in value]
        if any(each.is_multicast for each in networks):
            raise ValueError
        return [
            (
                len(each.network_address.packed),
                AddressPattern(int(each.netmask), int(each.network_address)),
            )
            for each in networks
        ]

    what = f'at most {MOST_QUERIERS} addresses and prefixes: ["192.0.2.1", "fe80::/64"]'
    return Tunable(
        field,
        texts(what, read),
        own=lambda given, family: of_width(given, family.address_width),
    )


def of_width(given: Ranges, width: int) -> tuple[AddressPattern, ...]:
    return tuple(pattern for each, pattern in given if each == width)


def address_range(text: str) -> tuple[int, AddressPattern]:
    """The address width and pattern of a prefix; an `x` in it stands for any hexadecimal digit."""
    low, _, length = text.partition("/")
    value = ip_address(low.replace("x", "0"))
    any_digit = int(value) ^ int(ip_address(low.replace("x", "f")))
    network = ip_network(f"{value}/{length}")
    mask = int(network.netmask) & ~any_digit
    return len(value.packed), AddressPattern(mask, int(value))


TUNABLES: Final[Mapping[str, Tunable]] = {
    **{
        f"{name}_max_version": Tunable(
            "max_version", whole(family.versions[0], family.newest), family
        )
        for name, family in FAMILIES.items()
    },
    "robustness": Tunable("robustness", whole(2, 7)),
    "query_interval": _interval("query_interval", seconds(1), seconds(31744)),
    "query_response_interval": _interval(
        "query_response_interval", milliseconds(1), seconds(3174.4)
    ),
    "uri_old": _interval("older_unsolicited_report_interval", milliseconds(10), seconds(3600)),
    "uri_new": _interval("unsolicited_report_interval", milliseconds(10), seconds(3600)),
    "ovqp_formula": Tunable("older_querier_formula", one_of(OlderQuerierFormula)),
    "ovqp_limit": _interval("older_querier_limit", NO_TIME, seconds(1_000_000)),
    "queriers": _sources("queriers"),
    "compat_enable": Tunable("compat_enable", YES_OR_NO),
    "require_ttl1": Tunable("require_ttl1", YES_OR_NO),
    "require_router_alert": Tunable("require_router_alert", one_of(RouterAlertPolicy)),
    "report_suppression": Tunable("report_suppression", YES_OR_NO),
    "leave_only_if_last_reporter": Tunable("leave_only_if_last_reporter", YES_OR_NO),
    "report_link_local_groups": Tunable("report_link_local_groups", YES_OR_NO),
    "ssm_ranges": _ranges("ssm_ranges"),
    "ssm_enforce": Tunable("ssm_enforce", YES_OR_NO),
    "announce_version_change": Tunable("announce_version_change", YES_OR_NO),
    "max_sources_per_filter": Tunable("max_sources_per_filter", whole(64, 1_000_000)),
    "max_pending_sources": Tunable("max_pending_sources", whole(366, 1_000_000)),
    "refresh": _interval("refresh", seconds(5), seconds(3600), or_never=True),
}
"""By the names of files, scenarios and commands."""
