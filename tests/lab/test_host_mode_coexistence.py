"""Host mode beside others: what is refused and why, and what an operator is told."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcastd.client import AgentError, Client
from mcastd.service.memberships import STATE_FILE
from mcastd_lab import Bridge, Lab, Namespace, RunningAgent
from support.host_lab import ANY, HostLab, eventually, host_lab

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


@pytest.fixture
def agent(net: HostLab) -> Iterator[RunningAgent]:
    made = net.agent()
    yield made
    made.close()


def ctl(agent: RunningAgent, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcastd.cli.mcastctl", "--control", str(agent.control)]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)


def remarks(agent: RunningAgent) -> str:
    return "\n".join(agent.ask("status")["interfaces"][0]["remarks"])


def test_a_bridge_port_is_refused(net: HostLab) -> None:
    """And so is an interface that has none of the multicast that there is to speak of."""
    with Lab() as lab:
        switch, host = lab.namespace("ports"), lab.namespace("behind")
        port = Bridge(switch, "br0", "192.0.2.2/24").connect(host, "eth0")
        agent = lab.agent(switch, "-i", port, "-i", "lo", "--mode", "host", "--metrics", "")
        found = {each["name"]: each for each in agent.ask("status")["interfaces"]}
        assert found[port]["mode"] == "observe"
        assert "is a port of a bridge" in found[port]["problem"]
        assert found["lo"]["problem"].startswith("is the loopback interface")
        with Client(str(agent.control)) as client:
            with pytest.raises(AgentError, match="is a port of a bridge"):
                client.call("mode", name=port, mode="host")
            with pytest.raises(AgentError, match="is the loopback interface"):
                client.call("mode", name="lo", mode="host")
            with pytest.raises(AgentError, match=f"mcastctl mode {port} host"):
                client.join(port, "239.1.1.1")


def test_an_interface_without_multicast_is_refused(net: HostLab) -> None:
    with Lab() as lab:
        one = lab.namespace("one")
        one.ip("link", "add", "eth7", "type", "veth", "peer", "name", "eth8")
        one.ip("link", "set", "eth7", "multicast", "off", "up")
        agent = lab.agent(one, "-i", "eth7", "--mode", "host", "--metrics", "")
        status = agent.ask("status")["interfaces"][0]
        assert status["mode"] == "observe"
        assert "ip link set dev eth7 multicast on" in status["problem"]


def test_becoming_a_bridge_port_ends_host_mode() -> None:
    with Lab() as lab:
        one: Namespace = lab.namespace("one")
        one.ip("link", "add", "eth7", "type", "veth", "peer", "name", "eth8")
        one.ip("link", "set", "eth8", "up")
        one.ip("link", "set", "eth7", "up")
        agent = lab.agent(one, "-i", "eth7", "--mode", "host", "--metrics", "")
        assert agent.ask("status")["interfaces"][0]["mode"] == "host"
        one.ip("link", "add", "br7", "type", "bridge")
        one.ip("link", "set", "eth7", "master", "br7")
        eventually("given back", lambda: agent.ask("status")["interfaces"][0]["mode"] == "observe")
        assert "is a port of a bridge" in agent.ask("status")["interfaces"][0]["problem"]


def test_forced_versions_are_told(net: HostLab) -> None:
    keys = ("ipv4.conf.eth0.force_igmp_version", "ipv6.conf.all.force_mld_version")
    net.host.sysctl({keys[0]: 2, keys[1]: 1})
    agent = net.agent()
    try:
        assert "net/ipv4/conf/eth0/force_igmp_version = 2" in remarks(agent)
        assert "net/ipv6/conf/all/force_mld_version = 1" in remarks(agent)
        assert agent.log().count("force_igmp_version = 2") == 1
        net.host.sysctl(dict.fromkeys(keys, 0))
        assert remarks(agent) == ""
    finally:
        net.host.sysctl(dict.fromkeys(keys, 0))
        agent.close()


def test_another_speaker_is_told(net: HostLab, agent: RunningAgent) -> None:
    assert remarks(agent) == ""
    with (
        net.host.entered(),
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP),
    ):
        assert "1 raw IGMP socket is open" in remarks(agent)


def test_doctor(net: HostLab, agent: RunningAgent) -> None:
    member = net.member()
    member.join("239.1.1.1")
    net.expect({"239.1.1.1": ANY})
    done = ctl(agent, "doctor", "eth0", "239.1.1.1")
    assert done.returncode == 0, done
    assert "nothing found\n" in done.stdout
    done = ctl(agent, "doctor", "eth0", "239.1.1.99")
    assert done.returncode == 1
    assert "239.1.1.99 is not joined on eth0" in done.stdout
    assert ctl(agent, "doctor", "eth9").returncode == 2
    kept = Path(os.environ["STATE_DIRECTORY"]) / STATE_FILE
    kept.unlink(missing_ok=True)
    kept.mkdir()
    assert ctl(agent, "join", "eth0", "239.1.1.98", "--name", "player").returncode == 0
    done = ctl(agent, "doctor", "eth0")
    assert f"{kept}: not written: Is a directory" in done.stdout
    kept.rmdir()
    assert ctl(agent, "leave", "eth0", "239.1.1.98", "--name", "player").returncode == 0
    eventually("written", lambda: "not written" not in ctl(agent, "doctor", "eth0").stdout)
    with Client(str(agent.control)) as client:
        client.call("mode", name="eth0", mode="observe")
    assert ctl(agent, "doctor").returncode == 0
    member.leave("239.1.1.1")
    net.expect({})


def test_who_asked(net: HostLab, agent: RunningAgent) -> None:
    with Client(str(agent.control)) as client:
        client.join("eth0", "239.1.1.1", name="player")
        shown = ctl(agent, "groups", "eth0", "239.1.1.1").stdout
        client.leave("eth0", "239.1.1.1", name="player")
    assert "api:player (pid " in shown
    assert "uid 0)" in shown


def test_reload_by_command(net: HostLab, tmp_path: Path) -> None:
    settings = tmp_path / "mcastd.toml"
    settings.write_text('[interface.eth0]\nmode = "host"\n')
    agent = net.agent("-c", settings, mode="")
    assert ctl(agent, "reload").stdout == "configuration reloaded; interfaces: eth0\n"
    settings.write_text('[interface.eth0]\nmode = "none"\n')
    done = ctl(agent, "reload")
    assert done.returncode == 2
    assert "the running configuration stays" in done.stderr
    assert agent.ask("status")["interfaces"][0]["mode"] == "host"
    agent.close()


def test_top_shows_rates(net: HostLab, agent: RunningAgent) -> None:
    done = ctl(agent, "top", "--count", "2", "--interval", "2.5")
    assert done.returncode == 0
    assert "igmp query 3" in done.stdout
    assert "\x1b" not in done.stdout
