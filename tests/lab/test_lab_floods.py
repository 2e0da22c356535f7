"""The flood guard: what it refuses, whom it lets pass meanwhile, and who is told."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from mcastd.service.known_queriers import QUERIERS_FILE
from mcastd_lab import Generator, RunningAgent
from support.flood import MLD_REPORT_2, REPORTS_6
from support.host_lab import ANY, QUERIER_ADDRESS, HostLab, host_lab
from support.lab import METRICS_TEXT, Cable, counters, interface, mcastctl, received, scrape
from support.packets import HOP_BY_HOP, ethernet, icmpv6, ipv6
from support.queries import igmp_query, igmp_report, mld_query
from support.sniffer import Seen
from support.waiting import eventually, first

pytestmark = pytest.mark.lab

FRAMES = 200_000
STRANGERS = 100
MAX_RESPONSE = 1.0
"""Of the bridge's general queries, seconds."""

LATE = 0.25
"""For the way there and back through a loaded machine."""

FLOOD_SECONDS = 4.0

RESTART_SECONDS = 6.0
"""Of a flood in which the querier is heard for the first time since a restart."""

GUARD = """\
[interface.eth0]
mode = "{mode}"
query_limit = 100
query_burst = 20
report_limit = 50
report_burst = 10
"""


def mld_report(source: bytes) -> bytes:
    body = HOP_BY_HOP + icmpv6(MLD_REPORT_2, source, REPORTS_6)
    return ethernet(ipv6(body, source=source, destination=REPORTS_6, hop_limit=1))


def flood() -> dict[str, list[bytes]]:
    """As many of each kind, each from somebody else."""
    strangers = [IPv4Address(0x0A000001 + each) for each in range(STRANGERS)]
    strangers_6 = [IPv6Address((0xFE80 << 112) + 0x100 + each) for each in range(STRANGERS)]
    return {
        "igmp query 3": [igmp_query(3, str(each), response=255) for each in strangers],
        "mld query 2": [mld_query(2, str(each), response=0x7FFF) for each in strangers_6],
        "igmp report 3": [igmp_report(3, str(each), "239.9.9.9") for each in strangers],
        "mld report 2": [mld_report(each.packed) for each in strangers_6],
    }


def mixed() -> list[bytes]:
    return [frame for frames in zip(*flood().values(), strict=True) for frame in frames]


def guarded(cable: Cable, path: Path, mode: str = "host") -> RunningAgent:
    path.write_text(GUARD.format(mode=mode))
    cable.agent = cable.lab.agent(cable.host, "-c", path, "--metrics", METRICS_TEXT)
    return cable.agent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mcastd.toml"


SOL_PACKET, PACKET_STATISTICS = 263, 6
ETHER_TYPES = {"igmp": 0x0800, "mld": 0x86DD}


class Reached:
    """How many IP packets from outside the kernel is given on a cable's eth0, by family."""

    def __init__(self, cable: Cable) -> None:
        with cable.host.entered():
            self._sockets = {
                name: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(type_))
                for name, type_ in ETHER_TYPES.items()
            }
        for name, each in self._sockets.items():
            each.bind(("eth0", ETHER_TYPES[name]))
        self.read()

    def read(self) -> dict[str, int]:
        """Since it was last read; also those that a socket has no room for."""
        counts = {}
        for name, each in self._sockets.items():
            counts[name], _ = struct.unpack(
                "=II", each.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
            )
        return counts

    def close(self) -> None:
        for each in self._sockets.values():
            each.close()


@contextmanager
def told(agent: RunningAgent) -> Iterator[Iterator[dict[str, Any]]]:
    with agent.watching(type="flood") as events:
        agent.ask("status")
        yield events


def test_every_refusal_is_counted_and_kept_from_the_kernel(cable: Cable, path: Path) -> None:
    agent = guarded(cable, path)
    generator, reached = cable.generator(), cable.lab.keep(Reached(cable))

    generator.send(mixed(), FRAMES)

    found, share = counters(agent), FRAMES // 4
    assert received(agent) == dict.fromkeys(flood(), share)
    discarded = found["discarded"]
    # In a flood general queries of strangers do not reach the kernel, although they are told.
    assert found["lost"]["query"]["rate_limited"] <= sum(discarded["query"].values()) <= 2 * share
    assert found["lost"]["query"]["ring_full"] == 0
    assert found["events"]["query"] + found["lost"]["query"]["rate_limited"] == 2 * share
    assert {
        name: count + discarded["query"][name] + discarded["report"][name]
        for name, count in reached.read().items()
    } == {"igmp": 2 * share, "mld": 2 * share}
    assert min(discarded["report"].values()) > 0
    metrics = scrape(cable.host)
    for ring, by_protocol in discarded.items():
        for protocol, count in by_protocol.items():
            labels = {"interface": "eth0", "ring": ring, "protocol": protocol}
            assert metrics.value("mcastd_discarded_messages_total", **labels) == count


def test_a_flood_is_told_when_it_starts_and_when_it_ends(cable: Cable, path: Path) -> None:
    agent = guarded(cable, path)
    generator = cable.generator()

    with told(agent) as events:
        generator.send(mixed(), FRAMES)
        begun = [next(events) for _ in range(2)]
        status = interface(agent)["floods"]
        during = scrape(cable.host)
        found = mcastctl(agent, "doctor", "eth0")
        ended = [next(events) for _ in range(2)]

    discarded = {ring: sum(each.values()) for ring, each in counters(agent)["discarded"].items()}
    assert {(each["ring"], each["state"]) for each in begun} == {
        ("query", "started"), ("report", "started")
    }  # fmt: skip
    assert {each["ring"]: each["refused"] for each in ended} == discarded
    assert {each["ring"]: each["discarded"] for each in ended} == discarded
    assert all(each["state"] == "ended" and each["rate"] > 0 for each in ended)
    after = scrape(cable.host)
    for ring in ("query", "report"):
        assert (status[ring]["active"], status[ring]["count"]) == (True, 1)
        labels = {"interface": "eth0", "ring": ring}
        assert during.value("mcastd_flood_active", **labels) == 1
        assert after.value("mcastd_flood_active", **labels) == 0
        assert after.value("mcastd_floods_total", **labels) == 1
    assert "a flood of queries" in found.stdout
    assert "raise report_limit" in found.stdout
    assert "state=started ring=query" in agent.log()
    assert "state=ended ring=report" in agent.log()
    last = interface(agent)["floods"]["query"]["last"]
    assert last["refused"] == discarded["query"]


def test_an_interface_that_is_observed_passes_all_to_the_kernel(cable: Cable, path: Path) -> None:
    agent = guarded(cable, path, mode="observe")
    generator, reached = cable.generator(), cable.lab.keep(Reached(cable))

    with told(agent) as events:
        generator.send(flood()["igmp query 3"], FRAMES // 10)
        event = first(events, state="started", ring="query")

    found = counters(agent)
    assert reached.read()["igmp"] == FRAMES // 10
    assert found["discarded"]["query"] == {"igmp": 0, "mld": 0}
    assert event["discarded"] == 0
    refused = found["lost"]["query"]["rate_limited"]
    assert refused > 0
    eventually(lambda: interface(agent)["floods"]["query"]["last"]["refused"] == refused)


def test_limits_are_changed_by_a_reload_and_no_count_is_lost(cable: Cable, path: Path) -> None:
    agent = guarded(cable, path)
    generator = cable.generator()
    queries, reports = flood()["mld query 2"], flood()["igmp report 3"]
    generator.send(queries, 10_000)
    before = counters(agent)
    path.write_text(GUARD.format(mode="host") + "discard_floods = false\n")

    agent.reload()
    eventually(lambda: not interface(agent)["guard"]["discard_floods"])
    generator.send(queries, 10_000)

    after = counters(agent)
    assert received(agent) == {"mld query 2": 20_000}
    assert after["discarded"] == before["discarded"]
    assert after["lost"]["query"]["rate_limited"] > before["lost"]["query"]["rate_limited"]
    path.write_text('[interface.eth0]\nmode = "host"\nreport_limit = 0\n')

    agent.reload()
    eventually(lambda: interface(agent)["guard"]["report_limit"] == 0)
    generator.send(reports, 10_000)

    assert counters(agent)["discarded"] == before["discarded"]


def test_queries_are_taken_before_reports_that_came_earlier(cable: Cable) -> None:
    agent = cable.observe()
    report, query = flood()["igmp report 3"][0], flood()["igmp query 3"][0]
    with agent.watching(type="message", interface="eth0") as events:
        eventually(lambda: agent.ask("status"))
        agent.process.send_signal(signal.SIGSTOP)
        for frame in [report] * 100 + [query] * 10:
            cable.wire.send(frame)
        agent.process.send_signal(signal.SIGCONT)
        heard: list[str] = []
        while len(heard) < 110:
            event = next(events)
            if event["direction"] == "rx":
                heard.append(event["type"])

    assert heard == ["query"] * 10 + ["report"] * 100


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


def answers(net: HostLab, asked: Seen) -> list[float]:
    """How long after a query reports of the present state came, in time."""
    delays = (each.at - asked.at for each in net.sniffer.spoken(asked.at, asked.protocol))
    return [delay for delay in delays if delay <= MAX_RESPONSE + LATE]


def test_the_true_querier_is_answered_in_the_midst_of_a_flood(net: HostLab) -> None:
    member = net.member()
    for group in ("239.1.1.1", "ff1e::1:1"):
        member.join(group)
    agent = net.agent("--metrics", METRICS_TEXT)
    net.expect({"239.1.1.1": ANY, "ff1e::1:1": ANY})
    eventually(lambda: known(agent) > 2, what="a querier that is known")
    generator = net.lab.keep(Generator((net.switch, net.port), (net.host, "eth0")))

    since = time.monotonic()
    with told(agent) as events:
        sent = generator.flood(mixed(), FLOOD_SECONDS).frames
        until = time.monotonic()
        ended = [first(events, state="ended") for _ in range(2)]

    asked = [each for each in net.sniffer.queries(since) if each.at < until]
    assert len(asked) >= 2
    assert all(answers(net, each) for each in asked)
    found = counters(agent)
    assert found["lost"]["query"]["ring_full"] == 0
    discarded = {ring: sum(each.values()) for ring, each in found["discarded"].items()}
    assert {each["ring"]: each["refused"] for each in ended} == discarded
    assert sum(discarded.values()) > sent * 0.9
    status = interface(agent)
    assert (status["mode"], status["igmp"]["querier"]) == ("host", QUERIER_ADDRESS)
    print(f"{sent / FLOOD_SECONDS / 1e6:.2f} million frames a second, {len(asked)} queries")


def test_after_a_restart_the_querier_of_before_is_known_in_the_midst_of_a_flood(
    net: HostLab,
) -> None:
    member = net.member()
    for group in ("239.1.1.1", "ff1e::1:1"):
        member.join(group)
    agent = net.agent()
    kept = Path(os.environ["STATE_DIRECTORY"]) / QUERIERS_FILE
    eventually(lambda: kept.exists() and '"igmp"' in kept.read_text() and "mld" in kept.read_text())
    net.switch.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "0")
    agent.process.kill()
    agent.process.wait()
    agent = net.agent()
    assert known(agent) == 0
    generator = net.lab.keep(Generator((net.switch, net.port), (net.host, "eth0")))

    since = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        flood = pool.submit(generator.flood, mixed(), RESTART_SECONDS)
        eventually(lambda: counters(agent)["lost"]["query"]["rate_limited"] > 0)
        net.switch.ip("link", "set", "br0", "type", "bridge", "mcast_querier", "1")
        flood.result()
    until = time.monotonic()

    asked = [each for each in net.sniffer.queries(since) if each.at < until]
    assert {each.protocol for each in asked} == {"igmp", "mld"}
    eventually(lambda: all(answers(net, each) for each in asked), what="answers to all queries")
    assert known(agent) >= sum(each.protocol == "igmp" for each in asked)


def known(agent: RunningAgent) -> int:
    """How many queries of the true querier were heard."""
    views = [view for each in agent.ask("querier", name="eth0") for view in each["queriers"]]
    return sum(int(view["queries"]) for view in views if view["address"] == QUERIER_ADDRESS)
