"""Host mode on interfaces that are down at first, come later, go and come again."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from unittest.mock import patch

import pytest
from mcastd.client import Client
from mcastd_lab import Lab, Member, RunningAgent, veth
from support.host_lab import eventually
from support.sniffer import Sniffer

pytestmark = pytest.mark.lab


class Pair:
    """Two namespaces, and a cable that can be plugged and unplugged."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.far, self.host = lab.namespace("far"), lab.namespace("host")

    def plug(self, *, up: bool = True) -> Sniffer:
        veth(self.far, "far0", self.host, "eth7", up=up)
        self.far.ip("link", "set", "far0", "up")
        return self.lab.keep(Sniffer(self.far, "far0"))

    def unplug(self) -> None:
        self.host.ip("link", "del", "eth7")

    def agent(self) -> RunningAgent:
        return self.lab.agent(self.host, "-i", "eth7", "--mode", "host", "--metrics", "")


@pytest.fixture
def pair() -> Iterator[Pair]:
    with (
        tempfile.TemporaryDirectory(prefix="mcastd-state-") as state,
        patch.dict(os.environ, {"STATE_DIRECTORY": state}),
        Lab() as lab,
    ):
        yield Pair(lab)


def mode(agent: RunningAgent) -> str | None:
    found = [each for each in agent.ask("status")["interfaces"] if each["index"] is not None]
    return str(found[0]["mode"]) if found else None


def told(sniffer: Sniffer, group: str) -> bool:
    return any(type_ in ("TO_EX", "IS_EX") for type_, _ in sniffer.records(group))


def test_a_link_that_is_down_at_first(pair: Pair) -> None:
    sniffer = pair.plug(up=False)
    agent = pair.agent()
    assert mode(agent) == "host"
    with Client(str(agent.control)) as client:
        client.join("eth7", "239.1.1.1", name="own")
    member = pair.lab.keep(Member(pair.host, "eth7"))
    member.join("239.1.1.2")
    assert sniffer.spoken() == []
    pair.host.ip("link", "set", "eth7", "up")
    for group in ("239.1.1.1", "239.1.1.2"):
        eventually(f"a report of {group}", partial(told, sniffer, group), 5.0)


def test_an_interface_that_goes_and_comes_again(pair: Pair) -> None:
    agent = pair.agent()
    assert mode(agent) is None
    first = pair.plug()
    eventually("host mode", lambda: mode(agent) == "host")
    with Client(str(agent.control)) as client:
        client.join("eth7", "239.1.1.1", name="own")
    eventually("a report", lambda: told(first, "239.1.1.1"))
    pair.unplug()
    eventually("it is gone", lambda: mode(agent) is None)
    second = pair.plug()
    eventually("host mode again", lambda: mode(agent) == "host")
    eventually("a join, for nobody there knows", lambda: told(second, "239.1.1.1"), 5.0)
    agent.close()
    assert agent.process.returncode == 0
    assert "Traceback" not in agent.log()


def test_the_kernel_speaks_from_the_first_moment(pair: Pair) -> None:
    """What sockets join right after the interface came is told by nobody else."""
    agent = pair.agent()
    sniffer = pair.plug()
    member = pair.lab.keep(Member(pair.host, "eth7"))
    eventually("host mode", lambda: mode(agent) == "host")
    since = time.monotonic()
    member.join("239.1.1.5")
    eventually("a report", lambda: told(sniffer, "239.1.1.5"))
    held_back = agent.ask("counters", name="eth7")[0]["host_mode"]["kernel_reports_held_back"]
    assert held_back["igmp"] == 0
    assert next(t for t, _ in sniffer.records("239.1.1.5", since)) == "TO_EX"


def test_under_a_cap_nothing_newer_is_said_when_the_link_comes_back(pair: Pair) -> None:
    """The kernel reports from its address before it tells that the address can be used.

    Of an address that it has told of once: what the agent has never heard of may be anybody's.
    """
    sniffer = pair.plug()
    settings = pair.lab.directory / "capped.toml"
    settings.write_text('[interface.eth7]\nmode = "host"\nmld_max_version = 1\n')
    agent = pair.lab.agent(pair.host, "--metrics", "", "-c", settings)
    pair.lab.keep(Member(pair.host, "eth7")).join("ff1e::1:5")
    eventually(
        "the agent knows the address",
        lambda: any(e.what == "report1" and e.source != "::" for e in sniffer.spoken(0.0, "mld")),
    )
    for _ in range(3):
        since = time.monotonic()
        pair.host.ip("link", "set", "eth7", "down")
        eventually("the address is gone", lambda: not addresses(pair))
        assert agent.ask("status")
        pair.host.ip("link", "set", "eth7", "up")
        eventually("a report of version 1", partial(capped, sniffer, "ff1e::1:5", since))
        newer = [e for e in sniffer.spoken(since, "mld") if e.what == "report"]
        assert newer == []


def addresses(pair: Pair) -> str:
    return pair.host.ip("-6", "address", "show", "dev", "eth7", "scope", "link")


def capped(sniffer: Sniffer, group: str, since: float) -> bool:
    return any(e.what == "report1" and e.group == group for e in sniffer.spoken(since))
