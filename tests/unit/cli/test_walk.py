"""The way of one group, as `mcastctl doctor IFACE GROUP` prints it."""

from __future__ import annotations

from typing import Any

import pytest
from mcastd.cli.walk import STOPS, Answers, Way, render, steps

GROUP = "239.1.1.1"


def finding(kind: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": kind, "severity": "fault", "interface": "eth0", "protocol": "igmp",
        "group": GROUP, "text": f"the text of {kind}",
        "evidence": [{"shows": "it", "command": "ip link"}],
    } | more  # fmt: skip


def held(**more: Any) -> dict[str, Any]:
    return {
        "applications": [{"name": "kernel", "processes": [{"name": "vlc", "pid": 7}]}],
        "reported": True, "last_reported": 5.0,
    } | more  # fmt: skip


QUERIER = {
    "protocol": "igmp",
    "queriers": [{"address": "192.0.2.1", "current": True, "version": 3, "queries": 4}],
}
STREAM = {"state": "live", "packets": 10, "source": "192.0.2.9"}


def answers(*found: dict[str, Any], **more: Any) -> Answers:
    given = {"groups": [held()], "queriers": [QUERIER], "streams": [STREAM]} | more
    return Answers(found, **given)


def holds(of: Answers, group: str = GROUP) -> dict[str, bool | None]:
    return {each.name: each.holds for each in steps("eth0", group, of)}


def test_all_steps_hold_where_all_is_seen_and_nothing_is_found() -> None:
    assert holds(answers()) == dict.fromkeys(STOPS, True)
    text = render(steps("eth0", GROUP, answers()))
    assert "joined         by vlc (pid 7): mcastctl groups eth0 239.1.1.1" in text
    assert "192.0.2.1 asks in version 3, 4 queries" in text
    assert "10 packets from 192.0.2.9" in text
    assert text.endswith("no step is known to stop it")


@pytest.mark.parametrize(
    ("step", "kind"), [(step, kind) for step, kinds in STOPS.items() for kind in kinds]
)
def test_each_kind_stops_the_way_at_its_step(step: str, kind: str) -> None:
    walked = steps("eth0", GROUP, answers(finding(kind)))
    assert [each.name for each in walked if each.holds is False] == [step]
    assert f"the text of {kind}: ip link" in render(walked)
    assert render(walked).endswith(f"it stops first at: {step}")


@pytest.mark.parametrize(
    "other",
    [{"interface": "eth1"}, {"group": "239.9.9.9"}, {"protocol": "mld"}, {"severity": "note"}],
)
def test_a_finding_of_another_way_or_a_note_stops_nothing(other: dict[str, Any]) -> None:
    assert False not in holds(answers(finding("rp_filter", **other))).values()


def test_what_is_not_seen_is_not_said_to_hold() -> None:
    blind = holds(answers(streams=[], queriers=[]))
    unknown = {name for name, each in blind.items() if each is None}
    assert unknown == {"querier", "answered", "data", "source filter", "rp_filter", "sockets"}


def test_a_group_that_is_not_joined_stops_there_and_nothing_behind_it_is_known() -> None:
    found = holds(answers(finding("not_joined"), groups=[]))
    assert (found["joined"], found["reported"], found["source filter"]) == (False, None, None)


def test_rules_that_could_not_be_read_are_not_known_to_let_it_through() -> None:
    note = finding("not_looked_at", severity="note", interface=None, protocol=None, group=None)
    assert holds(answers(note))["firewall"] is None


def test_a_group_that_is_never_reported_or_was_not_yet_is_not_said_to_be() -> None:
    for each in (held(reported=False, last_reported=None), held(last_reported=None)):
        assert holds(answers(groups=[each]))["reported"] is None


def test_mld_goes_by_its_own_querier_however_the_group_is_written() -> None:
    asks = [QUERIER, QUERIER | {"protocol": "mld", "queriers": []}]
    found = finding("not_reported", protocol="mld", group="ff15::1")
    walked = holds(answers(found, queriers=asks), "FF15:0::1")
    assert (walked["querier"], walked["reported"]) == (None, False)


def test_no_rp_filter_is_spoken_of_for_ipv6() -> None:
    nothing = Answers(findings=(), groups=(), queriers=(), streams=())

    assert "rp_filter" in [each.name for each in steps("eth0", "239.1.2.3", nothing)]
    assert "rp_filter" not in [each.name for each in steps("eth0", "ff15::1", nothing)]


def test_the_way_as_an_object_is_like_a_finding_with_its_steps() -> None:
    """Golden: scripts read it."""
    found = finding("firewall_out")
    walked = Way("blue/eth0", GROUP, tuple(steps("blue/eth0", GROUP, answers())))
    stopped = Way("eth0", GROUP, tuple(steps("eth0", GROUP, answers(found))[1:4])).as_object()

    assert walked.as_object()["namespace"] == "blue"
    assert walked.as_object()["text"] == "no step is known to stop it"
    assert [each["name"] for each in walked.as_object()["steps"]] == list(STOPS)
    assert stopped == {
        "kind": "way", "severity": "note", "interface": "eth0", "protocol": "igmp", "group": GROUP,
        "text": "it stops first at: reported", "evidence": [], "why": "", "remedy": "",
        "steps": [
            {
                "name": "joined", "holds": True, "shows": "by vlc (pid 7)",
                "command": "mcastctl groups eth0 239.1.1.1",
            },
            {
                "name": "reported", "holds": False, "shows": "the text of firewall_out",
                "command": "ip link",
            },
            {
                "name": "querier", "holds": True,
                "shows": "192.0.2.1 asks in version 3, 4 queries",
                "command": "mcastctl querier eth0",
            },
        ],
    }  # fmt: skip
    gone = Way("eth0", "ff15::1", (), "eth0: not run by this agent")
    assert (gone.as_object()["text"], gone.as_object()["steps"]) == (gone.problem, [])
    assert gone.text() == "the way of ff15::1 on eth0 cannot be told: eth0: not run by this agent"
