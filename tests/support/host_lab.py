"""A host run in host mode, beside a bridge that queries and snoops: the network of its tests."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from mcastd_lab import Bridge, Lab, Member, Namespace, RunningAgent

from support.sniffer import Sniffer
from support.waiting import stretched

HOST_ADDRESS = "192.0.2.10"
QUERIER_ADDRESS = "192.0.2.1"
MEMBERSHIP_SECONDS = 5.0
"""After so long without a report the bridge forgets a group: robustness x interval + response."""

Filter = tuple[str, frozenset[str]]
"""Mode and sources, as text."""

ANY: Filter = ("exclude", frozenset())

T = TypeVar("T")


def only(*sources: str) -> Filter:
    return "include", frozenset(sources)


def but(*sources: str) -> Filter:
    return "exclude", frozenset(sources)


def eventually(what: str, look: Callable[[], T | None], seconds: float = 20.0) -> T:
    """The first thing seen that is not None or False; the test fails after `seconds`."""
    deadline = time.monotonic() + stretched(seconds)
    while True:
        seen = look()
        if seen is not None and seen is not False:
            return seen
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


class HostLab:
    """A switch with the querier, a host with `eth0`, and a sniffer on the wire between them."""

    def __init__(self, lab: Lab, membership_seconds: float) -> None:
        self.lab = lab
        self.switch, self.host = lab.namespace("switch"), lab.namespace("host")
        self.bridge = Bridge(self.switch, "br0", f"{QUERIER_ADDRESS}/24")
        self.switch.ip(
            "link", "set", "br0", "type", "bridge", "mcast_hash_max", "65536",
            "mcast_last_member_interval", "20",
        )  # fmt: skip
        self.membership_seconds = membership_seconds
        self.remember(membership_seconds)
        self.port = self.bridge.connect(self.host, "eth0", f"{HOST_ADDRESS}/24")
        self.host.sysctl(
            {
                "ipv4.igmp_max_memberships": 2000,
                "ipv4.igmp_max_msf": 4096,
                "ipv4.conf.all.rp_filter": 0,
            }
        )
        self.sniffer = lab.keep(Sniffer(self.switch, self.port))

    def remember(self, seconds: float) -> None:
        """How long the bridge holds a group after a report of an older version than its own."""
        hundredths = str(round(seconds * 100))
        self.switch.ip(
            "link", "set", "br0", "type", "bridge", "mcast_membership_interval", hundredths
        )

    def agent(
        self, *arguments: str | Path, mode: str = "host", wrapper: Sequence[str] = ()
    ) -> RunningAgent:
        """`mcastd run`; without a mode, the interface and its mode are the files'."""
        how = ("-i", "eth0", "--mode", mode) if mode else ()
        return self.lab.agent(self.host, *how, "--metrics", "", *arguments, wrapper=wrapper)

    def member(self) -> Member:
        return self.lab.keep(Member(self.host, "eth0"))

    def neighbour(self, label: str = "other", address: str = "192.0.2.20") -> Namespace:
        """Another host on the bridge."""
        namespace = self.lab.namespace(label)
        self.bridge.connect(namespace, "eth0", f"{address}/24")
        return namespace

    def held(self) -> dict[str, Filter]:
        """What the bridge holds for the host: by group, its mode and sources."""
        return {
            each["grp"]: filter_of(each)
            for each in self.bridge.memberships()
            if each.get("port") == self.port and "src" not in each and "filter_mode" in each
        }

    def lacking(self, wanted: Mapping[str, Filter]) -> dict[str, Filter | None]:
        """What the bridge holds for the host otherwise than wanted, and how."""
        held = self.held()
        return {group: held.get(group) for group, each in wanted.items() if held.get(group) != each}

    def expect(self, wanted: Mapping[str, Filter], seconds: float = 20.0) -> None:
        """Waits until the bridge holds exactly this for the host, but for groups of the system."""
        seen: dict[str, Filter] = {}

        def fits() -> bool:
            nonlocal seen
            seen = {group: each for group, each in self.held().items() if not is_system(group)}
            return seen == wanted

        try:
            eventually("the filters", fits, seconds)
        except AssertionError:
            raise AssertionError(f"{seen} is held, and not {wanted}") from None

    def kernel_version(self) -> str:
        """V1, V2 or V3: what the kernel of the host speaks on eth0."""
        with self.host.entered():
            lines = Path("/proc/thread-self/net/igmp").read_text().splitlines()
        return next(line.split()[-1] for line in lines if "eth0" in line)


def is_system(group: str) -> bool:
    """A group that hosts join by themselves: solicited nodes, all snoopers."""
    return group.startswith("ff02::1:ff") or group in ("ff02::6a", "224.0.0.106")


def filter_of(entry: Mapping[str, object]) -> Filter:
    """A source whose timer runs is wanted; in exclude mode the others are not."""
    mode = str(entry["filter_mode"])
    listed = entry.get("source_list", [])
    assert isinstance(listed, list)
    running = {each["address"]: float(each["timer"]) > 0 for each in listed}
    return mode, frozenset(src for src, runs in running.items() if runs == (mode == "include"))


def cycle(net: HostLab, queries: int = 2) -> None:
    """Waits until so many queries and one more of each family have been seen."""
    since = time.monotonic()
    eventually(
        "queries of both families",
        lambda: all(
            sum(each.protocol == protocol for each in net.sniffer.queries(since)) > queries
            for protocol in ("igmp", "mld")
        ),
    )


@contextmanager
def host_lab(membership_seconds: float = MEMBERSHIP_SECONDS) -> Iterator[HostLab]:
    """State and caches of the agents in it are the lab's own."""
    with (
        tempfile.TemporaryDirectory(prefix="mcastd-state-") as state,
        patch.dict(os.environ, {"STATE_DIRECTORY": state}),
        Lab() as lab,
    ):
        made = HostLab(lab, membership_seconds)
        eventually("a query", lambda: any(made.sniffer.queries()) or None)
        yield made


@contextmanager
def watching(agent: RunningAgent, **wanted: str) -> Iterator[Iterator[dict[str, Any]]]:
    """Events as they happen from now on: later requests are answered, so the watch has begun."""
    with agent.watching(**wanted) as events:
        for _ in range(2):
            agent.ask("querier")
        yield events


def tx(agent: RunningAgent) -> int:
    """Messages that left the host, as counted at the NIC: also the kernel's, if any did."""
    counted = agent.ask("counters", name="eth0")[0]["messages"]["tx"]
    return sum(int(each) for each in counted.values())


def sent(agent: RunningAgent) -> int:
    """Messages that the agent itself has sent."""
    found = agent.ask("counters", name="eth0")[0]["statistics"]
    names = ("ipv6IfIcmpOutGroupMembResponses", "ipv6IfIcmpOutGroupMembReductions")
    mld = sum(int(found["mld"][name]) for name in names)
    return int(found["igmp"]["igps_snd_reports"]) + mld


@contextmanager
def nothing_is_held_back(agent: RunningAgent) -> Iterator[None]:
    """Meanwhile the kernel says all that it wants, and hears all that is asked."""
    before = counters(agent)
    yield
    assert counters(agent) == before


@contextmanager
def only_the_agent_speaks(net: HostLab, agent: RunningAgent) -> Iterator[None]:
    """What the wire saw meanwhile is, message for message, what the agent sent."""
    eventually("the start's last report", lambda: balance(net, agent))
    seen, said, left = len(net.sniffer.spoken()), sent(agent), tx(agent)
    yield
    eventually(
        "as many messages on the wire as the agent sent, and as left the host",
        lambda: len(net.sniffer.spoken()) - seen == sent(agent) - said == tx(agent) - left,
    )


def balance(net: HostLab, agent: RunningAgent) -> bool:
    """Whether nothing is under way: two looks around a count see the same."""
    before = len(net.sniffer.spoken())
    said = sent(agent)
    time.sleep(0.1)
    return before == len(net.sniffer.spoken()) and said == sent(agent)


def counters(agent: RunningAgent) -> tuple[int, int]:
    """The kernel's reports held back, and older queries consumed, of both families."""
    values = agent.ask("counters", name="eth0")[0]["host_mode"]
    return (
        sum(values["kernel_reports_held_back"].values()),
        sum(values["older_queries_consumed"].values()),
    )


def family(agent: RunningAgent, protocol: str = "igmp") -> dict[str, object]:
    """One family's status on eth0."""
    found: dict[str, object] = agent.ask("status")["interfaces"][0][protocol]
    return found
