"""One agent for several network namespaces: told apart, asked together, and coming and going."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from mcastd_lab import Bridge, Lab
from mcastd_lab.iproute2 import ip
from support.lab import mcastctl, received, run_in, scrape
from support.namespaces import Served, Several, in_namespace
from support.waiting import eventually, first

pytestmark = pytest.mark.lab

MANY = int(os.environ.get("MCASTD_MANY_NAMESPACES", "6"))
"""A hundred take two minutes."""


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    """Tests make the namespaces that they need, and leave the agent as it was."""
    state = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch, Lab() as made:
        patch.setenv("STATE_DIRECTORY", str(state))
        yield Several(made)


@pytest.fixture(scope="module")
def blue(several: Several) -> Served:
    return several.serve()


@pytest.fixture(scope="module")
def red(several: Several) -> Served:
    return several.serve()


def test_interfaces_of_one_name_and_index_are_counted_apart(
    several: Several, blue: Served, red: Served
) -> None:
    assert blue.namespace.index("eth0") == red.namespace.index("eth0")

    before = [received(several.agent, f"{each.name}/eth0") for each in (blue, red)]
    blue.send(3)
    red.send(5)

    def more() -> list[int]:
        now = [received(several.agent, f"{each.name}/eth0") for each in (blue, red)]
        kind = "igmp query 3"
        return [a.get(kind, 0) - b.get(kind, 0) for a, b in zip(now, before, strict=True)]

    eventually(lambda: more() == [3, 5])
    found = {each.get("namespace"): each for each in several.agent.ask("counters")}
    assert set(found) >= {None, blue.name, red.name}
    assert all(each["interface"] == "eth0" for each in found.values())


def test_one_answer_is_of_all_namespaces_and_a_name_chooses_one(
    several: Several, blue: Served, red: Served
) -> None:
    for method in ("groups", "querier"):
        found = several.agent.ask(method)
        assert {each.get("namespace") for each in found} >= {None, blue.name, red.name}
        for name in (f"{blue.name}/eth0", f"{blue.name}/"):
            chosen = several.agent.ask(method, name=name)
            assert {each["namespace"] for each in chosen} == {blue.name}

    shown = mcastctl(several.agent, "groups", f"{red.name}/eth0", "224.0.0.1").stdout
    assert shown.splitlines()[1].split()[:2] == [f"{red.name}/eth0", "224.0.0.1"]


def test_names_that_are_none_are_refused_by_what_they_lack(several: Several, blue: Served) -> None:
    refused = {
        "nowhere/eth0": "nowhere: not a namespace of this agent (",
        f"{blue.name}/eth9": "eth9: not run by this agent (eth0)",
        f"{blue.name}/../eth0": "not run by this agent",
        "../eth0": "..: not a namespace of this agent",
        "/eth0": "/eth0: not run by this agent",
    }
    for name, said in refused.items():
        result = mcastctl(several.agent, "groups", name)
        assert (result.returncode, said in result.stderr) == (2, True), result.stderr


def test_host_mode_in_a_namespace_joins_for_its_clients(several: Several) -> None:
    namespace = several.lab.namespace("served")
    switch = several.lab.namespace("switch")
    bridge = Bridge(switch, "br0", "198.51.100.1/24")
    port = bridge.connect(namespace, "eth0", "198.51.100.10/24")
    several.expect(namespace.name)
    name = f"{namespace.name}/eth0"

    def holds(group: str) -> bool:
        return any(each["grp"] == group and each["port"] == port for each in bridge.memberships())

    result = mcastctl(several.agent, "join", name, "239.1.1.1")
    assert (result.returncode, f"mcastctl mode {name} host" in result.stderr) == (2, True)
    assert mcastctl(several.agent, "mode", name, "host").stdout == f"{name}: observe -> host\n"
    assert mcastctl(several.agent, "join", name, "239.1.1.1").returncode == 0
    eventually(lambda: holds("239.1.1.1"))

    with several.agent.asked("join", name=name, group="239.1.1.2", hold=True) as lines:
        answer = next(lines)["result"]
        assert (answer["namespace"], answer["held"], answer["pid"]) == (
            namespace.name, True, os.getpid(),
        )  # fmt: skip
        eventually(lambda: holds("239.1.1.2"))
    eventually(lambda: not holds("239.1.1.2"))
    assert holds("239.1.1.1")


def test_a_version_is_set_and_kept_in_a_namespace_alone(several: Several) -> None:
    served = several.serve()
    name = f"{served.name}/eth0"
    assert mcastctl(several.agent, "mode", name, "host").returncode == 0

    result = mcastctl(several.agent, "version", name, "igmp", "2", "--persist")

    assert result.returncode == 0, result.stderr
    assert f"90-mcastctl.{served.name}.toml" in result.stdout
    shown = json.loads(mcastctl(several.agent, "version", name, "igmp", "--json").stdout)
    assert [(each["namespace"], each["max_version"]) for each in shown] == [(served.name, 2)]
    others = several.agent.ask("status")["interfaces"]
    assert {e["igmp"]["max_version"] for e in others if e.get("namespace") != served.name} == {3}


def test_one_scrape_has_the_metrics_of_all(several: Several, blue: Served, red: Served) -> None:
    shown = scrape(several.main)

    for served in (blue, red):
        counted = received(several.agent, f"{served.name}/eth0").get("igmp query 3", 0)
        assert counted == shown.value(
            "mcastd_messages_total", namespace=served.name, direction="rx", protocol="igmp",
            type="query", version="3",
        )  # fmt: skip
        assert shown.value("mcastd_namespace_up", namespace=served.name) == 1
    own = [line for line in shown.text.splitlines() if line.startswith("mcastd_groups{interface")]
    assert own
    assert "namespace=" not in own[0]
    if which("promtool"):
        checked = run_in(several.main, "promtool", "check", "metrics", input=shown.text)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_who_watches_sees_what_happens_in_all_namespaces_or_in_one(
    several: Several, blue: Served, red: Served
) -> None:
    with (
        several.agent.watching(type="query") as all_of_them,
        several.agent.watching(type="query", interface=f"{red.name}/eth0") as reds,
    ):
        eventually(lambda: several.agent.ask("querier"))  # both have begun

        def sent(served: Served, events: Iterator[dict[str, object]]) -> dict[str, object]:
            served.send(1)
            return first(events, namespace=served.name)

        assert sent(blue, all_of_them)["interface"] == "eth0"
        assert sent(red, all_of_them)["interface"] == "eth0"
        assert next(reds)["namespace"] == red.name


def test_a_namespace_that_is_deleted_goes_and_is_served_again_when_it_is_made_again(
    several: Several,
) -> None:
    served = several.serve()
    process = several.of(served.name)["pid"]
    with several.agent.watching(type="namespace") as events:
        several.agent.ask("querier")
        served.forget()

        eventually(lambda: not served.is_alive(), what="the end of the namespace")
        first(events, namespace=served.name, state="gone")
        assert several.of(served.name) == {}  # a pattern named it
        assert not Path(f"/proc/{process}").exists()

        ip("netns", "add", served.name)
        served.connect()
        first(events, namespace=served.name, state="running")
    eventually(lambda: several.interface(served)["hook"] == "xdp-native")
    assert several.of(served.name)["starts"] == 1
    assert "Traceback" not in several.agent.log()


def test_an_agent_that_is_killed_is_started_anew_and_others_do_not_notice(
    several: Several, blue: Served
) -> None:
    served = several.serve()
    name = f"{served.name}/eth0"
    before = several.of(blue.name)
    faults = scrape(several.main).value("mcastd_faults_total", of="namespace")
    assert mcastctl(several.agent, "mode", name, "host").returncode == 0
    with several.agent.asked("join", name=name, group="239.1.1.2", hold=True) as lines:
        assert next(lines)["result"]["held"]
        os.kill(several.of(served.name)["pid"], signal.SIGKILL)
        assert next(lines, None) is None  # who holds is told by the end of his connection

    several.expect(served.name, "ended")
    found = several.expect(served.name)

    assert found["starts"] == 2
    served.send(2)
    several.expect_counted(served, igmp_query_3=2)
    assert several.of(blue.name)["pid"] == before["pid"]
    assert f"namespace {served.name}: its agent was ended by SIGKILL; it is tried again" in (
        several.agent.log()
    )
    shown = scrape(several.main)
    assert shown.value("mcastd_faults_total", of="namespace") == faults + 1
    assert shown.value("mcastd_namespace_starts_total", namespace=served.name) == 2


def test_an_agent_that_does_not_answer_is_told_and_the_others_answer(
    several: Several, blue: Served
) -> None:
    served = several.serve()
    process = several.of(served.name)["pid"]
    os.kill(process, signal.SIGSTOP)
    try:
        result = mcastctl(several.agent, "groups")
        assert f"namespace {served.name}: did not answer within 5 s" in result.stderr
        assert f"{blue.name}/eth0" in result.stdout
        assert "did not answer" in several.of(served.name)["problem"]
    finally:
        os.kill(process, signal.SIGCONT)
    eventually(lambda: several.of(served.name)["problem"] is None)


def test_a_name_of_no_text_is_served_as_it_is_shown(several: Several) -> None:
    """A namespace by a symbolic link: it goes with the link."""
    there = several.lab.namespace("other")
    name = several.lab.namespace("served").name
    link = os.fsencode(f"/run/netns/{name}").replace(b"-served", b"\xff-served")
    os.symlink(f"/run/netns/{there.name}", link)
    try:
        several.expect(name.replace("-served", "\\xff-served"))
        assert len(in_namespace(there)) == 1
    finally:
        os.unlink(link)
    eventually(lambda: in_namespace(there) == set())


def test_many_namespaces_come_and_go_at_once(several: Several) -> None:
    names = [several.lab.namespace("served").name for _ in range(MANY)]
    for name in names:
        several.expect(name)
    assert len(set(several.of(name)["pid"] for name in names)) == MANY

    for name in names:
        ip("netns", "del", name)
    eventually(lambda: not any(several.of(name) for name in names), within=60 + MANY)


def test_what_ails_a_namespace_is_told_with_its_name_and_a_command_that_goes_there(
    several: Several, blue: Served
) -> None:
    """Its files, routes and sysctls are its own; so is the recorder of its agent."""
    blue.namespace.sysctl({"ipv4.conf.eth0.force_igmp_version": 2})
    try:
        found = eventually(
            lambda: [e for e in several.agent.ask("doctor") if e["kind"] == "version_forced"]
        )
        assert [(each["namespace"], each["interface"]) for each in found] == [(blue.name, "eth0")]
        assert found[0]["remedy"].startswith(f"ip netns exec {blue.name} sysctl -w ")
        assert [each["command"] for each in found[0]["evidence"]] == [
            f"ip netns exec {blue.name} sysctl net/ipv4/conf/eth0/force_igmp_version"
        ]
    finally:
        blue.namespace.sysctl({"ipv4.conf.eth0.force_igmp_version": 0})
    blue.send(1)
    eventually(
        lambda: [
            each
            for each in several.agent.ask("recording", name=f"{blue.name}/eth0")
            if each["kind"] == "frame" and each["namespace"] == blue.name
        ]
    )
    assert {None, blue.name} <= {each.get("namespace") for each in several.agent.ask("recording")}
