"""Makes the policy for the programs from an interface's settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain

from mcastd.fastpath.policies import Limit, Policy, Prefix
from mcastd.gmp.config import HostConfig, RouterAlertPolicy
from mcastd.gmp.family import FAMILIES, ProtocolFamily
from mcastd.service.guard import Guard


def policy_of(
    configs: Mapping[str, HostConfig],
    guard: Guard,
    *,
    reports: bool,
    host_mode: bool = False,
    hardware: bytes = bytes(6),
    held: Collection[str] = (),
) -> Policy:
    """How the programs are to read an interface's packets, how many they are to take, and what is
    kept from the kernel and the wire in host mode.

    `held`: the families whose reports of the kernel's own are held back. Older queries are kept
    from the kernel under a cap, and where they are not believed. A cap is one in host mode only:
    where the kernel alone speaks, queries are read as it reads them.
    """
    igmp, mld = configs["igmp"], configs["mld"]
    capped = {name: each.is_capped(FAMILIES[name]) for name, each in configs.items()}
    return Policy(
        host_mode=host_mode,
        hold_igmp="igmp" in held,
        hold_mld="mld" in held,
        consume_igmp=capped["igmp"] or not igmp.compat_enable,
        consume_mld=capped["mld"] or not mld.compat_enable,
        strict_kernel=guard.strict_kernel,
        hardware=hardware,
        igmp_max_version=igmp.max_version if host_mode else FAMILIES["igmp"].newest,
        mld_max_version=mld.max_version if host_mode else FAMILIES["mld"].newest,
        require_ttl1=igmp.require_ttl1,
        require_router_alert=igmp.require_router_alert is RouterAlertPolicy.STRICT,
        hand_over_reports=reports,
        discard_floods=guard.discard_floods,
        queries=Limit(guard.query_limit, guard.query_burst),
        reports=Limit(guard.report_limit, guard.report_burst),
        listed=tuple(chain(*(prefixes(FAMILIES[name], each) for name, each in configs.items()))),
        known_querier=Limit(guard.querier_limit, guard.querier_burst),
    )


def prefixes(family: ProtocolFamily, config: HostConfig) -> list[Prefix]:
    """The queriers that are named for one family."""
    return [
        Prefix(each.value.to_bytes(family.address_width), each.mask.bit_count())
        for each in config.queriers
    ]
