"""`mcastctl` against a running agent: exit codes, tables, JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcastd_lab import Member
from support.lab import Filter, Segment, expect_filter, mcastctl
from support.waiting import eventually, stretched

pytestmark = pytest.mark.lab

DONE, NO, BAD_INPUT, NOT_THERE = 0, 1, 2, 3
GROUP = "239.77.7.7"


@pytest.fixture(scope="module")
def joined(observed: Segment) -> Segment:
    observed.member().join(GROUP)
    expect_filter(observed.agent, GROUP, Filter("exclude", ()))
    eventually(lambda: json_of(observed, "querier")[0]["queriers"])
    return observed


def json_of(segment: Segment, *arguments: str) -> Any:
    done = mcastctl(segment.agent, *arguments, "--json")
    assert done.returncode == DONE, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["groups"],
        ["groups", "eth0"],
        ["groups", "eth0", GROUP],
        ["querier"],
        ["querier", "eth0"],
        ["counters"],
        ["counters", "eth0"],
    ],
)
def test_every_question_is_answered_as_a_table_and_as_json(
    joined: Segment, arguments: list[str]
) -> None:
    table = mcastctl(joined.agent, *arguments)
    answer = json_of(joined, *arguments)

    assert (table.returncode, table.stderr) == (DONE, "")
    assert "eth0" in table.stdout
    assert "eth0" in json.dumps(answer)
    assert "\x1b" not in table.stdout, "colour is for terminals"


def test_status_has_what_an_operator_asks_first(joined: Segment) -> None:
    (found,) = json_of(joined, "status")["interfaces"]

    assert (found["name"], found["mode"], found["hook"]) == ("eth0", "observe", "xdp-native")
    assert found["igmp"]["querier"] == "192.0.2.1"
    assert found["igmp"]["groups"] >= 1
    assert set(found["lost"]) == {"query", "report", "egress"}


def test_counters_are_all_there_also_the_zero_ones(joined: Segment) -> None:
    (found,) = json_of(joined, "counters", "eth0")

    assert set(found["messages"]["rx"]) == set(found["messages"]["tx"])
    assert found["messages"]["rx"]["igmp query 1"] == 0
    assert found["messages"]["rx"]["igmp query 3"] > 0
    assert found["rejected"]["rx"]["mld"]["bad_ttl"] == 0


def test_a_group_that_is_not_received_is_exit_code_1(joined: Segment) -> None:
    done = mcastctl(joined.agent, "groups", "eth0", "239.99.99.99")

    assert done.returncode == NO


def test_a_group_that_is_not_received_is_an_empty_list_in_json(joined: Segment) -> None:
    done = mcastctl(joined.agent, "groups", "eth0", "239.99.99.99", "--json")

    assert (done.returncode, json.loads(done.stdout)) == (NO, [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["groups", "eth9"], "eth9: not run by this agent (eth0)"),
        (["querier", "eth9"], "eth9: not run by this agent (eth0)"),
        (["counters", "eth9"], "eth9: not run by this agent (eth0)"),
        (["groups", "eth0", "nonsense"], "nonsense"),
        (["nonsense"], "invalid choice"),
        (["watch", "--count", "many"], "invalid int value"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_wrong(
    joined: Segment, arguments: list[str], said: str
) -> None:
    done = mcastctl(joined.agent, *arguments)

    assert done.returncode == BAD_INPUT
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["status", "groups", "querier", "counters", "watch"])
def test_no_daemon_is_exit_code_3_in_one_line(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mcastd.cli.mcastctl", "--control", tmp_path / "none", command],
        capture_output=True,
        text=True,
        check=False,
        timeout=stretched(60),
    )

    assert done.returncode == NOT_THERE
    assert len(done.stderr.splitlines()) == 1
    assert "is mcastd running?" in done.stderr


def test_watch_streams_json_lines(joined: Segment) -> None:
    done = mcastctl(joined.agent, "watch", "--json", "--count", "4")

    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, len(events)) == (DONE, 4)
    assert all(each["interface"] == "eth0" for each in events)


def test_watch_shows_only_what_is_asked_for(joined: Segment) -> None:
    arguments = ("watch", "--json", "--count", "3", "--type", "query", "--interface", "eth0")

    done = mcastctl(joined.agent, *arguments)

    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["type"] for each in events] == ["query"] * 3
    assert {each["direction"] for each in events} == {"rx"}


def test_watch_prints_a_line_for_each_event(joined: Segment) -> None:
    done = mcastctl(joined.agent, "watch", "--count", "3", "--type", "query")

    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all(" eth0 < " in line and "general" in line for line in lines)


def watching(segment: Segment) -> subprocess.Popen[str]:
    control = str(segment.agent.control)
    return subprocess.Popen(
        [sys.executable, "-m", "mcastd.cli.mcastctl", "--control", control, "watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


def test_watch_ends_quietly_on_ctrl_c(joined: Segment) -> None:
    with watching(joined) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=stretched(20))

    assert (process.returncode, errors) == (DONE, "")


def test_watch_says_that_the_daemon_has_ended(segment: Segment) -> None:
    segment.observe()
    with watching(segment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        segment.agent.close()
        _, errors = process.communicate(timeout=stretched(20))

    assert process.returncode == NOT_THERE
    assert "has ended" in errors


def test_those_who_stop_watching_leave_no_trace(joined: Segment) -> None:
    for _ in range(3):
        with watching(joined) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.kill()

    assert joined.agent.ask("status")
    assert "exception" not in joined.agent.log().lower()


def test_another_members_events_are_told_from_the_hosts_own(joined: Segment) -> None:
    neighbour = joined.lab.keep(Member(joined.neighbour, "eth0"))
    with joined.agent.watching() as events:
        joined.agent.ask("status")
        neighbour.join("239.77.7.8")
        joined.member().join("239.77.7.9")
        told: dict[str, str] = {}
        while len(told) < 2:
            event = next(events)
            for record in event.get("records", ()):
                if record["group"] in ("239.77.7.8", "239.77.7.9"):
                    told[record["group"]] = event["direction"]

    assert told == {"239.77.7.8": "rx", "239.77.7.9": "tx"}
