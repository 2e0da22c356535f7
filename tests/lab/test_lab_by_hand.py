"""What was set by hand, what the files say, and what is in force."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcastd_lab import Lab, RunningAgent, veth
from support.host_lab import HostLab
from support.lab import Cable, interface, mcastctl, scrape
from support.waiting import eventually

pytestmark = pytest.mark.lab


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "mcastd.toml"
    path.write_text('[metrics]\nlisten = "127.0.0.1:9776"\n[interface."eth*"]\n')
    return path


@pytest.fixture
def agent(lab: Lab, configuration: Path) -> RunningAgent:
    return HostLab(lab, 5.0).agent("-c", configuration, "--metrics", "127.0.0.1:9776", mode="")


def test_a_reload_leaves_what_was_set_by_hand_and_says_so(
    agent: RunningAgent, configuration: Path
) -> None:
    agent.ask("mode", name="eth0", mode="host")
    agent.ask("version", name="eth0", protocol="igmp", version=2)
    agent.ask("join", name="eth0", group="239.1.1.1")
    configuration.write_text('[metrics]\nper_group = 1\n[interface."eth*"]\n')

    reloaded = mcastctl(agent, "reload")

    assert reloaded.returncode == 0
    assert "eth0: mode = host was set by hand, the files have observe" in reloaded.stdout
    assert "eth0: igmp_max_version = 2 was set by hand, the files have 3" in reloaded.stdout
    found = interface(agent)
    assert (found["mode"], found["igmp"]["max_version"]) == ("host", 2)
    assert [each["group"] for each in agent.ask("groups", name="eth0", group="239.1.1.1")]
    assert "was set by hand" in mcastctl(agent, "status").stdout

    undone = mcastctl(agent, "reload", "--undo")

    assert "eth0: mode = host is undone, observe again" in undone.stdout
    found = interface(agent)
    assert (found["mode"], found["by_hand"]) == ("observe", [])


def test_what_is_persisted_hides_nothing_of_the_pattern_that_the_interface_is_run_by(
    agent: RunningAgent, configuration: Path
) -> None:
    configuration.write_text('[interface."eth*"]\nmode = "host"\nquery_limit = 77\n')
    mcastctl(agent, "reload")

    assert mcastctl(agent, "version", "eth0", "igmp", "2", "--persist").returncode == 0
    assert interface(agent)["by_hand"] == [], "the files say so now"
    mcastctl(agent, "reload", "--undo")

    found = interface(agent)
    assert (found["mode"], found["igmp"]["max_version"]) == ("host", 2)
    assert found["guard"]["query_limit"] == 77


def test_what_a_running_agent_cannot_take_over_is_told(
    agent: RunningAgent, configuration: Path, tmp_path: Path
) -> None:
    configuration.write_text(
        f'[control]\nsocket = "{tmp_path}/other.sock"\n[agent]\nmax_interfaces = 5\n'
        '[interface."eth*"]\n'
    )

    reloaded = mcastctl(agent, "reload")

    assert reloaded.returncode == 1
    assert "agent.max_interfaces: takes effect when mcastd is restarted" in reloaded.stdout
    assert "agent.max_interfaces takes effect" in mcastctl(agent, "status").stdout


def test_what_a_start_would_be_refused_for_a_reload_is_too(
    agent: RunningAgent, configuration: Path
) -> None:
    configuration.write_text('[control]\ngroup = "no-such-group"\n[interface."eth*"]\n')

    refused = mcastctl(agent, "reload")

    assert refused.returncode == 2
    assert "control.group = 'no-such-group': there is no such group" in refused.stderr
    assert "the running configuration stays" in refused.stderr


def test_a_cap_of_the_files_is_none_while_the_kernel_speaks(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "mcastd.toml"
    path.write_text("[interface.eth0]\nigmp_max_version = 2\n")
    made = HostLab(lab, 5.0)
    agent = made.agent("-c", path, mode="")

    observed = interface(agent)["igmp"]

    assert made.kernel_version() == "V3"
    assert (observed["version"], observed["max_version"]) == (3, 3)
    assert (observed["spoken_by"], observed["allowed_by"]) == ("kernel", "protocol")
    assert observed["configured_max_version"] == 2
    assert "igmp_max_version = 2 is in force in host mode only" in mcastctl(agent, "status").stdout
    agent.ask("mode", name="eth0", mode="host")
    eventually(lambda: interface(agent)["igmp"]["spoken_by"] == "agent")
    capped = interface(agent)["igmp"]
    assert (capped["version"], capped["max_version"]) == (2, 2)
    assert capped["allowed_by"] == "igmp_max_version"


def test_a_sysctl_that_forces_a_version_is_what_is_allowed(lab: Lab) -> None:
    made = HostLab(lab, 5.0)
    made.host.sysctl({"ipv4.conf.eth0.force_igmp_version": 2})
    agent = made.agent(mode="observe")

    observed = interface(agent)["igmp"]

    assert (observed["version"], observed["max_version"]) == (2, 2)
    assert observed["allowed_by"] == "net/ipv4/conf/eth0/force_igmp_version"


def test_who_supervises_the_agent_is_told_that_it_is_ready(cable: Cable) -> None:
    cable.observe()
    eventually(lambda: scrape(cable.host, "/-/ready").text == "ready\n")
    assert scrape(cable.host, "/-/healthy").text == "healthy\n"
    assert "/metrics" in scrape(cable.host, "/").text


def test_a_counter_goes_on_when_its_interface_comes_again(lab: Lab, tmp_path: Path) -> None:
    """Deleted and made again, and named again by the files after they did not."""
    path = tmp_path / "mcastd.toml"
    path.write_text("[interface.eth0]\n")
    cable = Cable(lab)
    cable.agent = agent = lab.agent(cable.host, "-c", path, "--metrics", "127.0.0.1:9776")
    labels = {"interface": "eth0", "protocol": "mld", "origin": "kernel"}
    counted = "mcastd_state_changes_total"
    eventually(lambda: scrape(cable.host).value(counted, **labels) > 0)
    before = scrape(cable.host).value(counted, **labels)

    cable.host.ip("link", "delete", "eth0")
    eventually(lambda: interface(agent)["problem"] == "is not there")
    assert scrape(cable.host).value(counted, **labels) >= before
    veth(cable.outside, "out0", cable.host, "eth0")
    eventually(lambda: interface(agent)["hook"] != "none")
    assert scrape(cable.host).value(counted, **labels) >= before

    path.write_text("[interface.other]\n")
    assert mcastctl(agent, "reload").returncode == 0
    assert interface(agent) == {}
    path.write_text("[interface.eth0]\n")
    assert mcastctl(agent, "reload").returncode == 0
    eventually(lambda: interface(agent).get("hook", "none") != "none")
    assert scrape(cable.host).value(counted, **labels) >= before
