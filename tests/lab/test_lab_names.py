"""Interfaces by whatever name: any bytes, alternative names, lists; and what is no name at all."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from mcastd_lab import Lab, Member, Namespace
from support.lab import Cable, interface, mcastctl, mcastd, scrape
from support.waiting import eventually

pytestmark = pytest.mark.lab

ODD = {
    "\udcff\udcfe0": r"\xff\xfe0",
    "\x1b[2J0": r"\x1b[2J0",
    "a;$b*'\"\\0": r"""a;$b*'"\\0""",
    "büro0": "büro0",
}
"""Names as Python passes bytes to a command, and as they are shown."""


def add(host: Namespace, name: str) -> None:
    host.ip("link", "add", name, "type", "veth", "peer", "name", "far0")
    host.ip("link", "set", name, "up")


@pytest.mark.parametrize(("name", "shown"), ODD.items(), ids=["bytes", "escape", "shell", "utf-8"])
@pytest.mark.parametrize("when", ["before", "later"])
def test_a_name_of_any_bytes_is_run_and_shown(
    cable: Cable, name: str, shown: str, when: str
) -> None:
    if when == "before":
        add(cable.host, name)
    agent = cable.observe("-i", name)
    if when == "later":
        add(cable.host, name)

    eventually(lambda: interface(agent, shown).get("hook") == "xdp-native")
    assert agent.ask("status")["missing"] == []
    assert shown in mcastctl(agent, "status").stdout
    assert mcastctl(agent, "querier", shown).returncode == 0
    assert mcastctl(agent, "querier", name).returncode == 0
    assert mcastctl(agent, "doctor", shown, "--json").returncode in (0, 1)
    assert scrape(cable.host).text


def test_a_name_of_any_bytes_that_is_not_named_is_in_no_ones_way(cable: Cable) -> None:
    add(cable.host, "\udcff\udcfe0")
    agent = cable.observe()
    cable.host.ip("link", "set", "\udcff\udcfe0", "name", "\udcfd1")

    assert interface(agent)["hook"] == "xdp-native"
    assert agent.process.poll() is None


def test_groups_are_found_on_an_interface_whose_name_is_no_text(cable: Cable) -> None:
    add(cable.host, "\udcff0")
    member = cable.lab.keep(Member(cable.host, "\udcff0"))
    member.join("239.1.2.3")

    agent = cable.observe("-i", "\udcff0")

    assert "239.1.2.3" in [each["group"] for each in agent.ask("groups", name=r"\xff0")]


@pytest.mark.parametrize("when", ["before", "later"])
def test_an_alternative_name_is_its_interface(cable: Cable, when: str) -> None:
    long = "the-uplink-to-the-provider"
    if when == "before":
        cable.host.ip("link", "property", "add", "dev", "eth0", "altname", long)
    agent = cable.lab.agent(cable.host, "-i", long, "--metrics", "")
    if when == "later":
        assert agent.ask("status")["missing"] == [long]
        cable.host.ip("link", "property", "add", "dev", "eth0", "altname", long)

    eventually(lambda: interface(agent).get("hook") == "xdp-native")
    assert agent.ask("status")["missing"] == []
    assert interface(agent)["alternative_names"] == [long]
    for command in (("querier", long), ("counters", long), ("mode", long, "host")):
        answer = mcastctl(agent, *command, "--json")
        assert answer.returncode == 0, answer.stderr
    assert interface(agent)["mode"] == "host"


def test_a_list_with_commas_is_each_of_its_interfaces(cable: Cable) -> None:
    add(cable.host, "eth1")

    agent = cable.lab.agent(cable.host, "-i", "eth0,eth1", "--metrics", "")

    assert {each["name"] for each in agent.ask("status")["interfaces"]} == {"eth0", "eth1"}


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("eth0:1", "name its interface: eth0"),
        ("eth0@if5", "its name is eth0"),
        ("eth0,,eth1", "no interface is called so"),
        ("", "no interface is called so"),
        ("a/b/eth0", "no interface is called so"),
        ("../eth0", "no namespace is called so"),
        ("eth 0", "no interface is called so"),
    ],
)
def test_what_is_no_interfaces_name_is_refused_in_a_line_that_says_what_to_write(
    lab: Lab, name: str, remedy: str
) -> None:
    host = lab.namespace("host")

    refused = mcastd(host, "run", "-i", name, "--metrics", "")

    assert refused.returncode == 2
    assert remedy in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_a_remedy_with_sysctl_works_for_a_name_with_dots(cable: Cable) -> None:
    """Typed as it is told, into a shell, for sysctl(8) itself."""
    name = "eth0.100;$x"
    add(cable.host, name)
    forced = Path("/proc/sys/net/ipv4/conf", name, "force_igmp_version")
    with cable.host.entered():
        forced.write_text("2\n")
    agent = cable.observe("-i", name)

    (remark,) = interface(agent, name)["remarks"]
    command = remark.partition("(")[2].partition(",")[0]
    with cable.host.entered():
        subprocess.run(["bash", "-c", command], check=True, capture_output=True)
        assert forced.read_text() == "0\n"
    assert interface(agent, name)["remarks"] == []


def test_a_remedy_with_ip_works_for_a_name_that_a_shell_would_read(cable: Cable) -> None:
    name = "a;$b*'0"
    add(cable.host, name)
    cable.host.ip("link", "set", name, "multicast", "off")
    agent = cable.observe("-i", name)
    problem = interface(agent, name)["problem"]

    with cable.host.entered():
        command = problem.partition("(")[2].removesuffix(")")
        subprocess.run(["bash", "-c", command], check=True, capture_output=True)

    eventually(lambda: interface(agent, name)["hook"] == "xdp-native")
    (link,) = json.loads(cable.host.ip("-json", "link", "show", name))
    assert "MULTICAST" in link["flags"]
