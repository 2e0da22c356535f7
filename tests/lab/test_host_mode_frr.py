"""Host mode against FRR's pimd, which speaks IGMPv2 and IGMPv3 and keeps whole source lists."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from mcastd.client import Client
from mcastd_lab import Lab, Member, Namespace, RunningAgent
from support import frr
from support.frr import Router
from support.host_lab import ANY, but, eventually, family, only

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not frr.is_there(), reason="FRR's pimd is not installed (Debian: frr)"),
]


class Net:
    def __init__(self, lab: Lab, version: int) -> None:
        self.lab, self.host = lab, lab.namespace("host")
        self.host.sysctl({"ipv4.igmp_max_memberships": 2000, "ipv4.igmp_max_msf": 1000})
        self.router = Router(lab, self.host, version=version)
        self.agent: RunningAgent = lab.agent(
            self.host, "-i", "eth0", "--mode", "host", "--metrics", ""
        )
        self.router.start(lab)  # later than the agent, or the kernel hears an older query first
        self.member = lab.keep(Member(self.host, "eth0"))


def net(version: int) -> Iterator[Net]:
    with (
        tempfile.TemporaryDirectory(prefix="mcastd-state-") as state,
        patch.dict(os.environ, {"STATE_DIRECTORY": state}),
        Lab() as lab,
    ):
        made = Net(lab, version)
        eventually("a query", lambda: family(made.agent)["querier"], 40.0)
        yield made


@pytest.fixture
def net_v2() -> Iterator[Net]:
    yield from net(2)


@pytest.fixture
def net_v3() -> Iterator[Net]:
    yield from net(3)


def kernel_version(host: Namespace) -> str:
    with host.entered():
        lines = Path("/proc/thread-self/net/igmp").read_text().splitlines()
    return next(line.split()[-1] for line in lines if "eth0" in line)


def test_version_3(net_v3: Net) -> None:
    router, member = net_v3.router, net_v3.member
    member.join("239.1.1.1")
    member.join_source("232.1.1.1", "10.0.0.2")
    router.expect({"239.1.1.1": ANY, "232.1.1.1": only("10.0.0.2")})
    member.join_source("232.1.1.1", "10.0.0.3")
    member.not_from("239.1.1.1", ["10.0.0.4", "10.0.0.5"])
    router.expect(
        {"239.1.1.1": but("10.0.0.4", "10.0.0.5"), "232.1.1.1": only("10.0.0.2", "10.0.0.3")}
    )
    member.leave_source("232.1.1.1", "10.0.0.2")
    member.not_from("239.1.1.1", ["10.0.0.5"])
    router.expect({"239.1.1.1": but("10.0.0.5"), "232.1.1.1": only("10.0.0.3")})
    member.only_from("239.1.1.1", ["10.0.0.6"])
    router.expect({"239.1.1.1": only("10.0.0.6"), "232.1.1.1": only("10.0.0.3")})
    member.leave("239.1.1.1")
    member.leave("232.1.1.1")
    router.expect({})


def test_thousands_of_sources(net_v3: Net) -> None:
    sources = [f"10.{i // 62500}.{i // 250 % 250}.{i % 250 + 1}" for i in range(4096)]
    with Client(str(net_v3.agent.control)) as client:
        client.join("eth0", "232.1.1.1", sources=sources, name="long")
        net_v3.member.join_source("232.1.1.1", "10.9.9.9")
        net_v3.router.expect({"232.1.1.1": only("10.9.9.9", *sources)}, 60.0)
        client.join("eth0", "232.1.1.1", sources=sources[:100], name="long")
        net_v3.router.expect({"232.1.1.1": only("10.9.9.9", *sources[:100])}, 60.0)
        client.leave("eth0", "232.1.1.1", name="long")
        net_v3.router.expect({"232.1.1.1": only("10.9.9.9")}, 60.0)


def test_version_2(net_v2: Net) -> None:
    """Sources are no longer told, and nothing is forgotten; the kernel falls back by itself."""
    router, member = net_v2.router, net_v2.member
    groups = [f"239.5.{i // 250}.{i % 250 + 1}" for i in range(300)]
    for group in groups:
        member.join(group)
    member.join_source("238.1.1.1", "10.0.0.2")
    router.expect(dict.fromkeys([*groups, "238.1.1.1"], ANY), 60.0)
    assert family(net_v2.agent)["version"] == 2
    assert kernel_version(net_v2.host) == "V2"
    found = net_v2.agent.ask("groups", name="eth0", group="238.1.1.1")
    assert found[0]["sources"] == ["10.0.0.2"]
    for group in groups:
        member.leave(group)
    router.expect({"238.1.1.1": ANY}, 60.0)
    member.leave_source("238.1.1.1", "10.0.0.2")
    router.expect({}, 60.0)
