"""What the programs are told of an interface's settings."""

from __future__ import annotations

from collections.abc import Mapping

from mcastd.fastpath import Limit, Policy
from mcastd.gmp.config import HostConfig, RouterAlertPolicy
from mcastd.service.guard import Guard


def policy_of(configs: Mapping[str, HostConfig], guard: Guard, *, reports: bool) -> Policy:
    """How the programs are to read an interface's packets, and how many they are to take."""
    igmp, mld = configs["igmp"], configs["mld"]
    return Policy(
        igmp_max_version=igmp.max_version,
        mld_max_version=mld.max_version,
        require_ttl1=igmp.require_ttl1,
        require_router_alert=igmp.require_router_alert is RouterAlertPolicy.STRICT,
        hand_over_reports=reports,
        discard_floods=guard.discard_floods,
        queries=Limit(guard.query_limit, guard.query_burst),
        reports=Limit(guard.report_limit, guard.report_burst),
        known_querier=Limit(guard.querier_limit, guard.querier_burst),
    )
