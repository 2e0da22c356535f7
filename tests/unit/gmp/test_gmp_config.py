"""The tunables: names, defaults, ranges."""

from __future__ import annotations

from typing import Any

import pytest
from mcastd.gmp.config import (
    MOST_QUERIERS,
    TUNABLES,
    ConfigError,
    HostConfig,
    OlderQuerierFormula,
    RouterAlertPolicy,
)
from mcastd.gmp.family import IGMP, MLD, AddressPattern, ProtocolFamily
from mcastd.gmp.time import NO_TIME, milliseconds, seconds
from support.network import Network


def test_the_defaults_are_the_rfcs(family: ProtocolFamily) -> None:
    assert HostConfig.from_mapping(family, {}) == HostConfig(
        max_version=family.newest,
        ssm_ranges=(family.ssm,),
        robustness=2,
        query_interval=seconds(125),
        query_response_interval=seconds(10),
        older_unsolicited_report_interval=seconds(10),
        unsolicited_report_interval=seconds(1),
        older_querier_formula=OlderQuerierFormula.RFC9776,
        older_querier_limit=NO_TIME,
        queriers=(),
        compat_enable=True,
        require_ttl1=True,
        require_router_alert=RouterAlertPolicy.LENIENT,
        report_suppression=True,
        leave_only_if_last_reporter=True,
        report_link_local_groups=True,
        ssm_enforce=True,
        announce_version_change=False,
        max_sources_per_filter=4096,
        max_pending_sources=1024,
        refresh=NO_TIME,
    )


NAMED = {
    "igmp": AddressPattern(0xFFFFFF00, 0xC0000200),
    "mld": AddressPattern((1 << 128) - 1, 0xFE80 << 112 | 1),
}


def test_every_tunable_can_be_set(family: ProtocolFamily) -> None:
    mapping: dict[str, Any] = {
        "igmp_max_version": 1,
        "mld_max_version": 1,
        "robustness": 7,
        "query_interval": 31744,
        "query_response_interval": 0.5,
        "uri_old": 2.5,
        "uri_new": 0.01,
        "ovqp_formula": "rfc3376",
        "ovqp_limit": 3600,
        "queriers": ["192.0.2.0/24", "fe80::1"],
        "compat_enable": False,
        "require_ttl1": False,
        "require_router_alert": "strict",
        "report_suppression": False,
        "leave_only_if_last_reporter": False,
        "report_link_local_groups": False,
        "ssm_ranges": [],
        "ssm_enforce": False,
        "announce_version_change": True,
        "max_sources_per_filter": 64,
        "max_pending_sources": 366,
        "refresh": "60s",
    }

    assert set(mapping) == set(TUNABLES)
    assert HostConfig.from_mapping(family, mapping) == HostConfig(
        max_version=1,
        ssm_ranges=(),
        robustness=7,
        query_interval=seconds(31744),
        query_response_interval=milliseconds(500),
        older_unsolicited_report_interval=milliseconds(2500),
        unsolicited_report_interval=milliseconds(10),
        older_querier_formula=OlderQuerierFormula.RFC3376,
        older_querier_limit=seconds(3600),
        queriers=(NAMED[family.name],),
        compat_enable=False,
        require_ttl1=False,
        require_router_alert=RouterAlertPolicy.STRICT,
        report_suppression=False,
        leave_only_if_last_reporter=False,
        report_link_local_groups=False,
        ssm_enforce=False,
        announce_version_change=True,
        max_sources_per_filter=64,
        max_pending_sources=366,
        refresh=seconds(60),
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("igmp_max_version", 0),
        ("igmp_max_version", 4),
        ("igmp_max_version", True),
        ("igmp_max_version", "3"),
        ("mld_max_version", 3),
        ("robustness", 1),
        ("robustness", 8),
        ("robustness", 2.0),
        ("query_interval", 0),
        ("query_interval", 31745),
        ("query_interval", True),
        ("query_interval", "125"),
        ("query_interval", float("nan")),
        ("ovqp_formula", "rfc2236"),
        ("ovqp_formula", []),
        ("ovqp_limit", -1),
        ("refresh", 4.9),
        ("refresh", 3601),
        ("refresh", -1),
        ("refresh", "60"),
        ("refresh", "60 s"),
        ("refresh", "4s"),
        ("refresh", "nans"),
        ("refresh", "60m"),
        ("query_interval", "0s"),
        ("ovqp_limit", 1_000_001),
        ("queriers", "192.0.2.1"),
        ("queriers", [1]),
        ("queriers", ["192.0.2.1/24"]),
        ("queriers", ["224.0.0.1"]),
        ("queriers", ["ff02::1"]),
        ("queriers", ["router.example"]),
        ("report_suppression", 1),
        ("compat_enable", 1),
        ("require_router_alert", True),
        ("ssm_ranges", "232.0.0.0/8"),
        ("ssm_ranges", 232),
        ("ssm_ranges", [232]),
        ("ssm_ranges", ["232.0.0.0"]),
        ("ssm_ranges", ["232.0.0.1/8"]),
        ("ssm_ranges", ["232.x.0.0/8"]),
        ("max_sources_per_filter", 63),
        ("max_pending_sources", 365),
    ],
)
def test_a_value_out_of_range_is_refused_with_key_value_and_what_is_allowed(
    family: ProtocolFamily, key: str, value: object
) -> None:
    with pytest.raises(ConfigError) as caught:
        HostConfig.from_mapping(family, {key: value})

    error = caught.value
    assert isinstance(error, ValueError)
    assert (error.key, error.value) == (key, value)
    assert key in str(error)
    assert repr(value) in str(error)
    assert error.allowed in str(error)


def test_an_unknown_tunable_is_refused(family: ProtocolFamily) -> None:
    with pytest.raises(ConfigError, match=r"robustnes = 2: not a tunable; known are .*robustness"):
        HostConfig.from_mapping(family, {"robustnes": 2})


def test_another_familys_maximum_is_left_alone() -> None:
    assert HostConfig.from_mapping(MLD, {"igmp_max_version": 1}).max_version == 2
    assert HostConfig.from_mapping(IGMP, {"mld_max_version": 1}).max_version == 3


def test_a_change_leaves_everything_else(family: ProtocolFamily, net: Network) -> None:
    config = net.config(robustness=3).changed(family, {"uri_new": 2})

    assert (config.robustness, config.unsolicited_report_interval) == (3, seconds(2))


def test_source_specific_ranges_may_be_of_both_families() -> None:
    mapping = {"ssm_ranges": ["232.0.0.0/8", "239.232.0.0/16", "ff3x::/32"]}
    igmp, mld = (HostConfig.from_mapping(each, mapping) for each in (IGMP, MLD))

    assert igmp.is_source_specific(IGMP.parse("239.232.1.1"))
    assert not igmp.is_source_specific(IGMP.parse("239.233.1.1"))
    assert mld.ssm_ranges == (MLD.ssm,)


def test_a_list_without_a_family_leaves_that_familys_range() -> None:
    mapping = {"ssm_ranges": ["239.232.0.0/16"]}

    assert HostConfig.from_mapping(MLD, mapping).ssm_ranges == (MLD.ssm,)


def test_so_many_queriers_can_be_named(family: ProtocolFamily) -> None:
    names = [f"192.0.2.{number}" for number in range(MOST_QUERIERS)]
    HostConfig.from_mapping(family, {"queriers": names})
    with pytest.raises(ConfigError, match="at most 64 addresses"):
        HostConfig.from_mapping(family, {"queriers": [*names, "192.0.2.99"]})
