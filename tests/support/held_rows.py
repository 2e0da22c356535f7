"""Rows for drivers and kinds of interface: of each, what held in a machine, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from support.kernel_features import TCX_SINCE
from support.kinds import KINDS, REFUSED, UNFIT, Kind
from support.machines.kernel import Kernel, key
from support.supported import Row

OF_KINDS = {
    "test_it_is_observed": "querier and groups known",
    "test_messages_are_counted_once": "each message counted once",
    "test_the_bridge_keeps_all_groups_in_host_mode": "host mode: the bridge keeps all groups",
    "test_where_linux_answers_no_mld_query_the_bridge_keeps_igmps": (
        "host mode: the bridge keeps IGMP's groups (Linux answers no MLD query there)"
    ),
    "test_a_join_is_spoken_of_once": "a join is spoken of once",
    "test_groups_are_held_over_a_fail_over": "groups held over a fail-over",
    "test_host_mode_is_refused_where_another_device_speaks": "host mode is refused",
    "test_what_cannot_be_run_says_why_and_what_to_name_instead": (
        "says why, and what to name instead"
    ),
}
OF_DRIVERS = {
    "test_the_hook_is_the_best_that_the_driver_has": "hook, querier, doctor",
    "test_every_frame_is_counted_as_what_it_is": "frames of all types and reasons counted exactly",
    "test_a_tag_is_told_whether_the_nic_takes_it_out_or_not": "VLAN tags, rx offload",
    "test_what_the_nics_filter_lets_through": "multicast filter",
    "test_the_agent_goes_on_when_the_link_flaps": "link flap",
    "test_the_mtu_changes_while_it_is_attached": "MTU",
    "test_the_queues_change_while_it_is_attached": "ethtool -L",
    "test_the_rings_change_while_it_is_attached": "ethtool -G",
    "test_the_driver_is_taken_away_and_comes_back": "unbind and bind",
}

TEST = re.compile(r"(\w+)\[([^]]+)\]$")


def held_of(name: str, held: Collection[str], words: Mapping[str, str]) -> list[str]:
    """What held of a kind or driver: of a test with further parameters, with which of them."""
    found: dict[str, list[str]] = {}
    for each in held:
        match = TEST.search(each)
        if match and match[1] in words and (match[2] == name or match[2].startswith(f"{name}-")):
            found.setdefault(match[1], []).append(match[2][len(name) + 1 :])
    told = []
    for test, text in words.items():
        if test in found:
            further = " ".join(filter(None, found[test]))
            told.append(f"{text} {further}".strip())
    return told


def of_kinds(kernel: Kernel, held: Collection[str]) -> list[Row]:
    """`held`: identifiers of the tests of tests/lab/test_kinds.py that passed."""
    egress = "tcx" if key(kernel.release)[:2] >= TCX_SINCE else "clsact"

    def row(kind: Kind) -> Row | None:
        told = held_of(kind.name, held, OF_KINDS)
        if not told:
            return None
        base = {"kind": kind.name, "kernel": kernel.series, "tried": "; ".join(told)}
        if kind in UNFIT:
            return base | {"in": "-", "out": "-", "modes": "none"}
        ingress = kind.hook if kind.hook != "tcx" else egress
        host = kind in KINDS and any(each.startswith("host mode") for each in told)
        modes = "observe, host" if host else "observe"
        return base | {"in": ingress, "out": egress, "modes": modes}

    rows = (row(each) for each in (*KINDS, *REFUSED, *UNFIT))
    return [each for each in rows if each is not None]


def of_driver(kernel: Kernel, driver: str, hooks: Mapping[str, str], held: Collection[str]) -> Row:
    """`hooks`: in and out, as they were chosen."""
    told = held_of(driver, held, OF_DRIVERS)
    row = {"driver": driver, "kernel": kernel.series, "modes": "observe"}
    return row | {"in": hooks["in"], "out": hooks["out"], "tried": "; ".join(told)}
