"""The control socket's answers as tables."""

from __future__ import annotations

import time
from typing import Any

import pytest
from mcastd.cli import tables
from mcastd.cli.cells import ago, table
from mcastd.cli.event_lines import event_line

FAMILY: dict[str, Any] = {
    "version": 3, "last_reported_version": 3, "max_version": 3, "spoken_by": "kernel",
    "allowed_by": "protocol", "configured_max_version": 3, "querier": "192.0.2.1",
    "querier_version": 3, "older_queriers": [], "groups": 2, "sources": 5, "unanswered_queries": 0,
}  # fmt: skip
NO_LOSS = {"ring_full": 0, "rate_limited": 0}
NO_FLOOD = {"active": False, "count": 0, "last": None}
FLOOD = {"since": 0.0, "refused": 1234, "discarded": 1200, "rate": 999.6, "seconds": 12.3}
INTERFACE: dict[str, Any] = {
    "name": "eth0", "index": 2, "mode": "observe", "hook": "xdp-native", "egress_hook": "tcx",
    "hook_reasons": [], "remarks": [],
    "running": True, "problem": None, "igmp": FAMILY, "mld": FAMILY,
    "lost": {"query": NO_LOSS, "report": NO_LOSS, "egress": NO_LOSS},
    "floods": {"query": NO_FLOOD, "report": NO_FLOOD},
}  # fmt: skip


def status(**parts: object) -> list[str]:
    document = {"interfaces": [INTERFACE | parts], "missing": []}
    return tables.render("status", document).splitlines()


def test_columns_are_as_wide_as_they_must_be() -> None:
    assert table(("A", "LONGER"), [("wide cell", 1), ("x", "")]) == (
        "A          LONGER\nwide cell  1\nx"
    )


def test_status_has_a_line_for_each_family() -> None:
    head, igmp, mld = status()

    assert head.split()[:3] == ["INTERFACE", "MODE", "HOOK"]
    assert igmp.split()[:4] == ["eth0", "observe", "xdp-native", "igmp"]
    assert mld.split()[3] == "mld"
    assert "3 of 3" in igmp
    assert "192.0.2.1 (v3)" in igmp


@pytest.mark.parametrize(
    ("parts", "remark"),
    [
        ({"problem": "is not an Ethernet interface"}, "eth0 is not an Ethernet interface"),
        (
            {"hook_reasons": ["native XDP: the driver cannot"]},
            "eth0: native XDP: the driver cannot",
        ),
        ({"igmp": FAMILY | {"unanswered_queries": 3}}, "eth0: 3 igmp queries not answered"),
    ],
)
def test_what_is_wrong_stands_below_the_table(parts: dict[str, object], remark: str) -> None:
    assert status(**parts)[-1] == remark


def test_an_older_querier_is_remarked_with_its_time() -> None:
    older = [{"version": 2, "address": "192.0.2.7", "forgotten_in": 253.4}]

    remark = status(igmp=FAMILY | {"older_queriers": older})[-1]

    assert "version 2" in remark
    assert "192.0.2.7" in remark
    assert "253 s" in remark


def test_reports_that_nobody_asks_for_are_told_where_they_are_made_or_cannot_be() -> None:
    refresh = {"interval": 60.0, "state": "running", "next_in": 12.4}
    lines = status(igmp=FAMILY | {"refresh": refresh})
    assert "no igmp querier is heard; all groups are reported every 60 s" in lines[-1]
    assert "in 12 s" in lines[-1]

    observed = FAMILY | {"refresh": refresh | {"state": "observing", "next_in": None}}
    _, _, _, remark = status(igmp=observed, mld=observed)
    assert "refresh = 60 is in force in host mode only" in remark
    assert "mcastctl mode eth0 host" in remark

    for state in ("querier", "link_down"):
        assert len(status(igmp=FAMILY | {"refresh": refresh | {"state": state}})) == 3


def test_losses_are_added_up() -> None:
    lost = {"query": {"ring_full": 1, "rate_limited": 2}, "report": NO_LOSS, "egress": NO_LOSS}

    assert status(lost=lost)[1].split()[-1] == "3"


def test_a_flood_is_remarked_while_it_goes_on() -> None:
    gone = {"active": False, "count": 3, "last": FLOOD}
    floods = {"query": gone | {"active": True}, "report": gone}

    *_, mld, remark = status(floods=floods)

    assert mld.split()[3] == "mld"
    assert remark == "eth0: a query flood for 12 s, 1234 refused, up to 1000 a second"


def test_what_was_discarded_is_counted_by_ring() -> None:
    counted = {
        "interface": "eth0",
        "messages": {"rx": {"igmp query 3": 0}, "tx": {"igmp query 3": 0}},
        "rejected": {"rx": {"igmp": {"bad_ttl": 0}, "mld": {"bad_ttl": 0}}},
        "events": {"query": 5, "egress": 6},
        "lost": {"query": {"ring_full": 1, "rate_limited": 2}, "egress": NO_LOSS},
        "discarded": {"query": {"igmp": 3, "mld": 4}},
    }

    *_, query, egress = tables.render("counters", [counted]).splitlines()

    assert query.split() == ["query", "5", "1", "2", "7"]
    assert egress.split() == ["egress", "6", "0", "0", "-"]


def test_no_querier_is_said_so() -> None:
    assert "none heard" in status(igmp=FAMILY | {"querier": None, "querier_version": None})[1]


GROUP: dict[str, Any] = {
    "interface": "eth0", "protocol": "igmp", "group": "232.1.2.3", "mode": "include",
    "sources": ["10.0.0.1", "10.0.0.2"], "applications": [{"name": "kernel"}], "reported": True,
    "since": None, "last_reported": None,
}  # fmt: skip


def test_a_groups_sources_are_listed() -> None:
    _, line = tables.render("groups", [GROUP]).splitlines()

    assert "10.0.0.1, 10.0.0.2" in line
    assert "kernel" in line


def test_of_many_sources_only_a_few_are_listed() -> None:
    assert tables.sources_text([str(number) for number in range(5)]) == "0, 1, 2 and 2 more"
    assert tables.sources_text([]) == "-"


def test_a_group_that_is_never_reported_is_said_so() -> None:
    _, line = tables.render("groups", [GROUP | {"reported": False}]).splitlines()

    assert "never reported" in line


def test_times_are_told_as_how_long_ago() -> None:
    assert ago(time.time() - 90) == "90 s ago"
    assert ago(time.time() + 90) == "0 s ago"
    assert ago(None) == "-"


QUERIER: dict[str, Any] = {
    "address": "192.0.2.1", "current": True, "version": 3, "robustness": 2, "interval": 125.0,
    "observed_interval": None, "max_response": 10.0, "queries": 1, "without_router_alert": 0,
    "first_heard": None, "last_heard": None,
}  # fmt: skip


def test_queriers_that_are_not_the_one_are_marked() -> None:
    part = {"interface": "eth0", "protocol": "igmp", "queriers": [
        QUERIER, QUERIER | {"address": "192.0.2.9", "current": False}
    ]}  # fmt: skip

    lines = tables.render("querier", [part]).splitlines()

    assert "192.0.2.9 (other)" in lines[2]
    assert "125 s" in lines[1]


def test_a_link_without_a_querier_has_a_line_too() -> None:
    part = {"interface": "eth0", "protocol": "mld", "queriers": []}

    assert "none heard" in tables.render("querier", [part])


def test_an_event_is_one_line() -> None:
    event = {"event": "joined", "ts": 0.25, "interface": "eth0", "group": "239.1.2.3",
             "mode": "include", "sources": ["10.0.0.1", "10.0.0.2"]}  # fmt: skip

    assert event_line(event) == (
        "00:00:00.250000  JOINED  interface eth0  group 239.1.2.3  mode include  "
        "sources {10.0.0.1, 10.0.0.2}"
    )


def test_an_event_without_a_time_keeps_its_column() -> None:
    line = event_line({"event": "lost", "count": 3})

    assert line == f"{' ' * 15}  LOST  count 3"
