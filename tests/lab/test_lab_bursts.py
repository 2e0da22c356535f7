"""Much that changes at once: the agent goes on, answers meanwhile, and knows in the end what is."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from mcastd_lab import Lab, Namespace, RunningAgent, Wire, veth
from support.flood import igmp_frames
from support.lab import ATTACHED, Cable, interface, programs_on, received
from support.waiting import eventually

pytestmark = pytest.mark.lab

QUERY = next(each for each in igmp_frames(bytes(4)) if each.counts_as == "igmp query 3").frame

MANY = 5000
STILL_ANSWERS = 5.0
"""Seconds that an answer may take on a machine that is busy making changes."""


def batch(namespace: Namespace, commands: Iterable[str]) -> None:
    """ip(8) with many commands in one process, as fast as the kernel takes them."""
    subprocess.run(
        ["ip", "-n", namespace.name, "-batch", "-"],
        input="\n".join(commands), text=True, check=True, capture_output=True,
    )  # fmt: skip


@contextmanager
def answering(agent: RunningAgent, name: str = "eth0") -> Iterator[None]:
    """The control socket answers all the time."""
    longest, ended, answers = 0.0, Event(), 0

    def ask() -> None:
        nonlocal longest, answers
        while not ended.is_set():
            begun = time.monotonic()
            agent.ask("querier", name=name)
            longest = max(longest, time.monotonic() - begun)
            answers += 1

    asking = Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        ended.set()
        asking.join()
    assert answers > 1
    assert longest < STILL_ANSWERS


def addresses() -> list[str]:
    return [f"10.{number >> 8}.{number & 255}.1/32" for number in range(MANY)]


def test_a_burst_of_routes_is_none_of_ours(cable: Cable) -> None:
    agent = cable.observe()

    with answering(agent):
        batch(
            cable.host,
            (
                f"route add 172.{n >> 12}.{n >> 4 & 255}.{(n & 15) * 16}/28 dev eth0"
                for n in range(MANY)
            ),
        )

    assert agent.process.poll() is None
    assert "netlink" not in agent.log()


@pytest.mark.parametrize("mode", ["observe", "host"])
def test_a_burst_of_addresses_is_taken(cable: Cable, mode: str) -> None:
    agent = cable.observe("--mode", mode)

    with answering(agent):
        batch(cable.host, (f"address add {each} dev eth0" for each in addresses()))
        batch(cable.host, (f"address del {each} dev eth0" for each in addresses()))

    assert interface(agent)["mode"] == mode
    assert "heartbeat lapsed" not in agent.log()
    assert "Traceback" not in agent.log()


def test_what_could_not_be_told_is_looked_at_anew(cable: Cable) -> None:
    """The kernel drops what nobody reads: an agent that stood still must find out by itself."""
    host, outside = cable.host, cable.outside
    for name in ("gone0", "noise0", "stays0"):
        veth(outside, f"far-{name}", host, name)
    agent = cable.observe("-i", "gone0", "-i", "new0", "-i", "stays0")
    eventually(lambda: interface(agent, "stays0")["running"])

    agent.process.send_signal(signal.SIGSTOP)
    batch(host, (f"link set noise0 mtu {1400 + n % 2}" for n in range(12 * 1024)))
    host.ip("link", "del", "gone0")
    veth(outside, "far-new0", host, "new0")
    outside.ip("link", "set", "far-stays0", "down")
    agent.process.send_signal(signal.SIGCONT)

    eventually(lambda: interface(agent, "new0").get("hook") == "xdp-native")
    assert interface(agent, "gone0")["problem"] == "is not there"
    eventually(lambda: not interface(agent, "stays0")["running"])
    assert "more changed at once than could be taken" in agent.log()
    assert agent.process.poll() is None


def test_links_that_come_and_go_again_at_once_are_no_error(cable: Cable) -> None:
    agent = cable.observe("-i", "brief*")
    pairs = [f"brief{number}" for number in range(100)]

    with answering(agent):
        for name in pairs[:20]:
            batch(
                cable.host,
                [
                    f"link add {name} type veth peer name far",
                    f"link set {name} up",
                    f"link del {name}",
                ],
            )

    veth(cable.outside, "far-brief", cable.host, "brief-last")
    eventually(lambda: interface(agent, "brief-last").get("hook") == "xdp-native")
    assert agent.process.poll() is None
    assert "Traceback" not in agent.log()


def test_hundreds_of_interfaces_that_appear_together_are_all_run(cable: Cable) -> None:
    names = [f"many{number}" for number in range(300)]
    agent = cable.observe("-i", "many*")

    with answering(agent):
        batch(
            cable.host,
            [
                f"link add {name} type veth peer name far-{name} netns {cable.outside.name}"
                for name in names
            ]
            + [f"link set {name} up" for name in names],
        )

        def hooks() -> dict[str, str]:
            status: list[dict[str, Any]] = agent.ask("status")["interfaces"]
            return {each["name"]: each["hook"] for each in status}

        eventually(lambda: hooks() == dict.fromkeys(["eth0", *names], "xdp-native"), within=120)

    assert programs_on(cable.host, "many299") == ATTACHED
    assert "heartbeat lapsed" not in agent.log()


@pytest.mark.parametrize("limit", [2])
def test_one_interface_too_many_is_refused_in_a_line_and_run_when_there_is_room(
    lab: Lab, limit: int, tmp_path: Any
) -> None:
    host, outside = lab.namespace("host"), lab.namespace("outside")
    configuration = tmp_path / "mcastd.toml"
    configuration.write_text(f'[agent]\nmax_interfaces = {limit}\n[metrics]\nlisten = ""\n')
    agent = lab.agent(host, "-c", str(configuration), "-i", "eth*")

    for number in range(limit + 1):
        veth(outside, f"far{number}", host, f"eth{number}")

    last = f"eth{limit}"
    eventually(lambda: "agent.max_interfaces" in str(interface(agent, last).get("problem")))
    assert interface(agent, last)["hook"] == "none"
    assert sum("agent.max_interfaces" in line for line in agent.log().splitlines()) == 1
    assert any("agent.max_interfaces" in each["text"] for each in agent.ask("doctor"))

    host.ip("link", "del", "eth0")

    eventually(lambda: interface(agent, last)["hook"] == "xdp-native")
    assert interface(agent, last)["problem"] is None


def test_interfaces_whose_indices_have_the_same_place_are_all_counted(cable: Cable) -> None:
    """Of a table of 4096 places four are tried; more interfaces than that want the same one."""
    indices = {f"twin{number}": 77 + 4096 * (number + 1) for number in range(7)}
    agent = cable.observe("-i", "twin*")

    for name, index in indices.items():
        cable.host.ip(
            "link", "add", name, "index", str(index), "type", "veth",
            "peer", "name", f"far-{name}", "netns", cable.outside.name,
        )  # fmt: skip
        cable.host.ip("link", "set", name, "up")
        cable.outside.ip("link", "set", f"far-{name}", "up")
    eventually(lambda: all(interface(agent, name).get("running") for name in indices))

    for number, name in enumerate(indices):
        send_queries(cable, f"far-{name}", number + 1)
    for number, name in enumerate(indices):
        eventually(lambda: received(agent, name).get("igmp query 3") == number + 1)  # noqa: B023
    cable.host.ip("link", "del", "twin6")
    send_queries(cable, "far-twin5", 1)
    eventually(lambda: received(agent, "twin5")["igmp query 3"] == 7)


def send_queries(cable: Cable, far: str, count: int) -> None:
    wire = Wire(cable.outside, far)
    for _ in range(count):
        wire.send(QUERY)
    wire.close()
