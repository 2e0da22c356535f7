"""A device is renamed while it is up: what was asked for on it is received on, and left by its new
name. Judged by the bridge that it is connected to.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from mcastd_lab import LabError, RunningAgent, veth
from support.ailing import Patient
from support.host_lab import ANY, HostLab, eventually, host_lab
from support.lab import mcastctl

pytestmark = pytest.mark.lab

GROUP, GROUP_6, OTHER, FILES = "239.1.2.3", "ff15::1:2:3", "239.4.5.6", "239.7.8.9"
SECTIONS = '[interface."*"]\nmode = "host"\n'


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


def called(net: HostLab, name: str, *, now: str) -> None:
    """Renames the device, which stays up."""
    try:
        net.host.ip("link", "set", name, "name", now)
    except LabError:
        pytest.skip("this kernel renames no device that is up")


def plug(net: HostLab, name: str) -> None:
    """Another device, whose far end is nobody's."""
    veth(net.lab.namespace("other"), "far", net.host, name)
    net.host.ip("address", "add", "198.51.100.1/24", "dev", name)


def run(net: HostLab, text: str = "") -> RunningAgent:
    settings = net.lab.directory / "mcastd.toml"
    settings.write_text(text or SECTIONS.replace("*", "eth0") + SECTIONS.replace("*", "lan0"))
    return net.agent("-c", settings, mode="")


def ordered(agent: RunningAgent, *arguments: str) -> str:
    done = mcastctl(agent, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def groups_on(agent: RunningAgent, name: str) -> set[str]:
    return {each["group"] for each in agent.ask("groups", name=name)}


def is_run(agent: RunningAgent, name: str) -> bool:
    return any(each["name"] == name for each in agent.ask("status")["interfaces"])


def stays(net: HostLab, wanted: tuple[str, ...]) -> None:
    """Longer than the bridge remembers what is not reported."""
    until = time.monotonic() + 1.5 * net.membership_seconds
    while time.monotonic() < until:
        assert not net.lacking({group: ANY for group in wanted})
        time.sleep(0.1)


def test_what_was_joined_stays_and_is_left_by_the_new_name(net: HostLab) -> None:
    agent = run(net)
    for group in (GROUP, GROUP_6):
        ordered(agent, "join", "eth0", group)
    ordered(agent, "join", "eth0", OTHER, "--kernel")
    wanted = (GROUP, GROUP_6, OTHER)
    net.expect({group: ANY for group in wanted})

    called(net, "eth0", now="lan0")
    eventually("the new name", lambda: is_run(agent, "lan0"))

    assert set(wanted) <= groups_on(agent, "lan0")
    assert mcastctl(agent, "groups", "eth0").returncode != 0
    stays(net, wanted)

    agent.close()
    agent = run(net)
    eventually("what was kept", lambda: set(wanted) <= groups_on(agent, "lan0"))
    net.expect({group: ANY for group in wanted})
    for group in wanted:
        ordered(agent, "leave", "lan0", group)
    net.expect({})


def test_what_is_to_be_joined_by_host_mode_waits_for_the_device_and_not_for_the_name(
    net: HostLab,
) -> None:
    agent = run(net)
    ordered(agent, "join", "eth0", GROUP)
    net.expect({GROUP: ANY})
    ordered(agent, "mode", "eth0", "observe")
    net.expect({})

    called(net, "eth0", now="lan0")
    eventually("the new name", lambda: is_run(agent, "lan0"))
    ordered(agent, "mode", "lan0", "host")

    net.expect({GROUP: ANY})
    ordered(agent, "leave", "lan0", GROUP)
    net.expect({})


@pytest.mark.parametrize("mode", ["observe", "host"])
def test_what_applications_have_joined_is_shown_under_the_new_name(net: HostLab, mode: str) -> None:
    agent = net.agent(mode=mode)
    member = net.member()
    member.join(GROUP)
    net.expect({GROUP: ANY})
    called(net, "eth0", now="lan0")
    eventually("the new name", lambda: is_run(agent, "lan0") and GROUP in groups_on(agent, "lan0"))
    stays(net, (GROUP,))
    member.leave(GROUP)
    net.expect({})
    eventually("the end", lambda: GROUP not in groups_on(agent, "lan0"))


def test_two_swap_their_names_through_a_third(net: HostLab) -> None:
    plug(net, "eth1")
    agent = run(net, SECTIONS)
    ordered(agent, "join", "eth0", GROUP)
    ordered(agent, "join", "eth1", OTHER)
    net.expect({GROUP: ANY})
    index = {name: net.host.index(name) for name in ("eth0", "eth1")}

    for name, now in (("eth0", "tmp0"), ("eth1", "eth0"), ("tmp0", "eth1")):
        called(net, name, now=now)

    def swapped() -> bool:
        found = {each["name"]: each["index"] for each in agent.ask("status")["interfaces"]}
        return bool(found["eth0"] == index["eth1"] and found["eth1"] == index["eth0"])

    eventually("the swapped names", swapped)
    eventually("its group", lambda: GROUP in groups_on(agent, "eth1"))
    eventually("the other's", lambda: OTHER in groups_on(agent, "eth0"))
    net.expect({GROUP: ANY})
    assert mcastctl(agent, "leave", "eth0", GROUP).returncode == 1, "it is not joined there"
    ordered(agent, "leave", "eth1", GROUP)
    net.expect({})
    assert OTHER in groups_on(agent, "eth0")
    ordered(agent, "leave", "eth0", OTHER)


def test_a_name_that_is_not_configured_is_told_and_run_as_before(net: HostLab) -> None:
    """What the files join stays, until another device has the name that they say."""
    membership = f'[[interface.eth0.membership]]\ngroup = "{FILES}"\n'
    agent = run(net, SECTIONS.replace("*", "eth0") + membership)
    net.expect({FILES: ANY})
    called(net, "eth0", now="lan0")
    eventually("the new name", lambda: is_run(agent, "lan0"))

    found = Patient(net, agent).diagnosed("renamed")
    assert found["interface"] == "lan0"
    assert "run as eth0 was" in ordered(agent, "status")
    net.expect({FILES: ANY})

    plug(net, "eth0")
    eventually("the other device", lambda: FILES in groups_on(agent, "eth0"))
    net.expect({})
    assert FILES not in groups_on(agent, "lan0")
