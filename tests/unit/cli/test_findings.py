"""What `mcastctl doctor` prints."""

from __future__ import annotations

from typing import Any

from mcastd.cli.findings import render

STATUS = {
    "interfaces": [
        {"name": name, "igmp": {"groups": 2, "querier": "192.0.2.1"},
         "mld": {"groups": 1, "querier": None}}
        for name in ("eth0", "eth1")
    ]
}  # fmt: skip


def finding(severity: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "rp_filter", "severity": severity, "interface": "eth0", "protocol": "igmp",
        "group": None, "text": "10.9.9.9 is dropped", "why": "the kernel drops it",
        "evidence": [{"shows": "rp_filter is 1", "command": "sysctl a"}], "remedy": "ip route add",
    } | more  # fmt: skip


def test_a_healthy_host_has_three_lines() -> None:
    lines = render([], STATUS).splitlines()
    assert lines[0] == "looked at eth0, eth1: 6 groups, 1 querier"
    assert lines[2] == "nothing found"
    assert len(lines) == 3
    assert render([], STATUS, "eth1", "239.1.1.1").startswith(
        "looked at eth1: 239.1.1.1, 1 querier"
    )


def test_a_note_stands_behind_and_takes_nothing_from_health() -> None:
    lines = render([finding("note")], STATUS).splitlines()
    assert lines[2] == "nothing found"
    assert lines[3] == "note: eth0 igmp: 10.9.9.9 is dropped"


def test_a_fault_says_what_shows_it_why_it_matters_and_what_mends_it() -> None:
    assert render([finding("note", why=""), finding("fault", namespace="blue")], STATUS) == (
        "blue/eth0 igmp: 10.9.9.9 is dropped\n"
        "    seen: rp_filter is 1: sysctl a\n"
        "    why it matters: the kernel drops it\n"
        "    what to do: ip route add\n"
        "note: eth0 igmp: 10.9.9.9 is dropped\n"
        "    seen: rp_filter is 1: sysctl a\n"
        "    what to do: ip route add"
    )
