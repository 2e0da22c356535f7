"""Applications go on unchanged: no packet of their streams is lost, whoever speaks for the host."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest
from mcastd.client import Client
from mcastd_lab import Namespace, RunningAgent
from support.host_lab import ANY, HostLab, eventually, host_lab, nothing_is_held_back, only
from support.waiting import stretched

pytestmark = pytest.mark.lab

SENDER, SENDER_6 = "192.0.2.20", "2001:db8::20"
PORT = 5004
EVERY = 0.004
JOIN_GROUP, JOIN_SOURCE_GROUP = 42, 46

STREAMS = {
    "239.1.1.1": None,
    "232.1.1.1": SENDER,
    "ff1e::1:1": None,
    "ff3e::1:1": SENDER_6,
}
WANTED = {
    "239.1.1.1": ANY,
    "232.1.1.1": only(SENDER),
    "ff1e::1:1": ANY,
    "ff3e::1:1": only(SENDER_6),
}


def storage(text: str) -> bytes:
    address = ip_address(text)
    if address.version == 4:
        return (struct.pack("=HH", socket.AF_INET, 0) + address.packed).ljust(128, b"\0")
    return (struct.pack("=HHI", socket.AF_INET6, 0, 0) + address.packed).ljust(128, b"\0")


@dataclass
class Application:
    """Receives one group, and keeps the numbers of what came."""

    socket: socket.socket
    numbers: list[int] = field(default_factory=list)

    @classmethod
    def start(cls, namespace: Namespace, group: str, source: str | None) -> Application:
        family = socket.AF_INET6 if ":" in group else socket.AF_INET
        index = namespace.index("eth0")
        with namespace.entered():
            sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((group, PORT, 0, index) if family == socket.AF_INET6 else (group, PORT))
        level = socket.IPPROTO_IPV6 if family == socket.AF_INET6 else socket.IPPROTO_IP
        request = struct.pack("@I4x", index) + storage(group)
        if source is None:
            sock.setsockopt(level, JOIN_GROUP, request)
        else:
            sock.setsockopt(level, JOIN_SOURCE_GROUP, request + storage(source))
        sock.settimeout(0.2)
        return cls(sock)

    def receive(self, ended: threading.Event) -> None:
        while True:
            try:
                data = self.socket.recv(2048)
            except TimeoutError:
                if ended.is_set():
                    return
                continue
            self.numbers.append(int.from_bytes(data[:4], "big"))


class Stream:
    """Numbered packets to all groups, one every few milliseconds, until it is told to stop."""

    def __init__(self, namespace: Namespace) -> None:
        self.sent = 0
        self._ended = threading.Event()
        index = namespace.index("eth0")
        with namespace.entered():
            self._four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self._four.bind((SENDER, 0))
            self._six.bind((SENDER_6, 0))
        self._four.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(SENDER))
        self._six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        self._six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 8)
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        due = time.monotonic()
        while not self._ended.is_set():
            data = self.sent.to_bytes(4, "big") + bytes(100)
            for group in STREAMS:
                (self._six if ":" in group else self._four).sendto(data, (group, PORT))
            self.sent += 1
            due += EVERY
            time.sleep(max(0.0, due - time.monotonic()))

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._four.close()
        self._six.close()


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


def mode(agent: RunningAgent, wanted: str) -> None:
    with Client(str(agent.control)) as client:
        client.call("mode", name="eth0", mode=wanted)


def answered(net: HostLab, times: int = 2) -> None:
    since = time.monotonic()
    eventually(
        "queries of both families answered",
        lambda: all(len(net.sniffer.spoken(since, each)) >= times for each in ("igmp", "mld")),
    )


def test_streams_across_hand_overs(net: HostLab) -> None:
    """Observe, host, observe, host, killed, host, ended: not one packet is missing or doubled."""
    other = net.neighbour("other", SENDER)
    other.ip("address", "add", f"{SENDER_6}/64", "dev", "eth0")
    net.host.ip("address", "add", "2001:db8::10/64", "dev", "eth0")
    agent = net.agent(mode="observe")
    applications = {
        group: Application.start(net.host, group, source) for group, source in STREAMS.items()
    }
    ended = threading.Event()
    threads = [
        threading.Thread(target=each.receive, args=(ended,)) for each in applications.values()
    ]
    for thread in threads:
        thread.start()
    net.expect(WANTED)
    stream = Stream(other)
    try:
        for wanted in ("host", "observe", "host"):
            mode(agent, wanted)
            answered(net)
            net.expect(WANTED)
        with nothing_is_held_back(agent):
            answered(net)
        agent.kill()
        answered(net)
        agent = net.agent()
        answered(net)
        agent.close()
        answered(net)
        net.expect(WANTED)
    finally:
        stream.stop()
        ended.set()
        for thread in threads:
            thread.join()
    assert stream.sent > 1000
    for group, application in applications.items():
        error = application.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        application.socket.close()
        assert error == 0
        missing = set(range(stream.sent)) - set(application.numbers)
        assert not missing, (group, len(missing))
        assert len(application.numbers) == stream.sent


def test_nothing_is_said_that_routers_know(net: HostLab) -> None:
    """A hand-over either way is no join and no leave on the wire."""
    agent = net.agent(mode="observe")
    member = net.member()
    member.join("239.1.1.1")
    member.join_source("ff3e::1:1", SENDER_6)
    net.expect({"239.1.1.1": ANY, "ff3e::1:1": only(SENDER_6)})
    answered(net)
    since = time.monotonic()
    for wanted in ("host", "observe", "host", "observe"):
        mode(agent, wanted)
        answered(net)
    told = {
        type_
        for group in ("239.1.1.1", "ff3e::1:1")
        for type_, _ in net.sniffer.records(group, since)
    }
    assert told == {"IS_IN", "IS_EX"}


def test_what_only_the_agent_joined_is_left_with_host_mode(net: HostLab) -> None:
    agent = net.agent()
    with Client(str(agent.control)) as client:
        client.join("eth0", "239.3.3.3", name="own")
        net.expect({"239.3.3.3": ANY})
        assert filtered(net, "01005e030303")
        mode(agent, "observe")
        net.expect({})
        mode(agent, "host")
        net.expect({"239.3.3.3": ANY})
        assert client.leave("eth0", "239.3.3.3", name="own")
    net.expect({})
    eventually("the NIC's filter", lambda: not filtered(net, "01005e030303"))


def test_a_group_held_after_its_leave_stays_at_the_bridge_until_its_time_is_over(
    net: HostLab,
) -> None:
    """It asks every second and forgets after a few: only reports keep the group there."""
    agent = net.agent()
    groups = {"239.3.3.3": ANY, "ff15::3:3": ANY}
    held_for = int(stretched(3 * net.membership_seconds))
    with Client(str(agent.control)) as client:
        for group in groups:
            client.join("eth0", group, name="own", hold_after_leave=held_for)
        net.expect(groups)
        left = time.monotonic()
        for group in groups:
            assert client.leave("eth0", group, name="own")
        eventually(
            "more time than the bridge remembers",
            lambda: time.monotonic() > left + 2 * net.membership_seconds,
            3 * net.membership_seconds,
        )
        net.expect(groups)
        client.join("eth0", "239.3.3.3", name="own", hold_after_leave=3600)
        net.expect({"239.3.3.3": ANY}, 20 + held_for)
        assert time.monotonic() >= left + held_for
        assert client.leave("eth0", "239.3.3.3", name="own", now=True)
    net.expect({})


def filtered(net: HostLab, address: str) -> bool:
    """Whether the NIC lets a multicast address through."""
    with net.host.entered(), open("/proc/thread-self/net/dev_mcast", encoding="ascii") as lines:
        return any(address in line for line in lines)
