"""What doctor finds of bridges, queriers and streams, each made by the real thing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from struct import pack
from typing import NamedTuple

import pytest
from mcastd_lab import Bridge, Lab, Namespace, veth
from support.ailing import Patient, Sender, has, joined, sending
from support.host_lab import HostLab, host_lab
from support.lab import mcastctl, run_in
from support.waiting import eventually

pytestmark = pytest.mark.lab

GROUP = "239.1.1.1"
PAYLOAD_TYPE = 96


@pytest.fixture(scope="module")
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        made.host.sysctl({"ipv4.conf.eth0.rp_filter": 0})
        yield made


@pytest.fixture(scope="module")
def patient(net: HostLab, tmp_path_factory: pytest.TempPathFactory) -> Patient:
    """With a second leg into the same network, and its streams counted."""
    veth(net.switch, "second", net.host, "eth1")
    net.switch.ip("link", "set", "second", "master", "br0")
    net.host.ip("address", "add", "192.0.2.11/24", "dev", "eth1")
    settings = tmp_path_factory.mktemp("settings") / "mcastd.toml"
    settings.write_text("[streams]\nstalled_after = 2\n[interface.eth0]\n[interface.eth1]\n")
    return Patient(net, net.agent("-c", settings, mode=""))


@pytest.fixture
def sender(net: HostLab) -> Iterator[Sender]:
    made = Sender(net.switch, "br0")
    yield made
    made.close()


def rtp(number: int) -> bytes:
    return pack(">BBHII", 0x80, PAYLOAD_TYPE, number & 0xFFFF, 0, 7) + bytes(100)


class Numbered:
    """RTP packets with ascending numbers; every so many are left out, or sent twice."""

    def __init__(self, sender: Sender, *, skip: int = 0, repeat: int = 0) -> None:
        self._sender, self._skip, self._repeat = sender, skip, repeat
        self._number = 0

    def __call__(self) -> None:
        for _ in range(20):
            self._number += 1
            if self._skip and self._number % self._skip == 0:
                continue
            again = self._repeat and self._number % self._repeat == 0
            for _ in range(2 if again else 1):
                self._sender.send(GROUP, rtp(self._number))


def test_a_stream_that_is_whole_is_no_finding(patient: Patient, sender: Sender) -> None:
    send = Numbered(sender)
    with joined(patient.host, GROUP):
        sending(
            send,
            lambda: [
                each
                for each in patient.agent.ask("streams", name="eth0", group=GROUP)
                if each["state"] == "live" and each["format"] == "rtp"
            ],
            "a live stream",
        )
        found = patient.faults(name="eth0", group=GROUP)
        assert found == []
    eventually(lambda: not patient.agent.ask("groups", name="eth0", group=GROUP), what="left")


def test_a_stream_with_missing_numbers_loses_packets_before_it_gets_here(
    patient: Patient, sender: Sender
) -> None:
    send = Numbered(sender, skip=10)
    with joined(patient.host, GROUP):
        found = sending(send, lambda: patient.of_kind("stream_lossy", name="eth0"), "loss")[0]
        assert found["group"] == GROUP
        assert "before it gets here" in found["text"]
    patient.is_over("stream_lossy")


def test_a_stream_with_repetitions_comes_twice(patient: Patient, sender: Sender) -> None:
    send = Numbered(sender, repeat=2)
    with joined(patient.host, GROUP):
        found = sending(send, lambda: patient.of_kind("duplicate_stream", name="eth0"), "twice")[0]
        assert found["group"] == GROUP
    patient.is_over("duplicate_stream")


def test_a_group_from_which_nothing_comes_is_said_to_stop_before_this_host(
    patient: Patient,
) -> None:
    with joined(patient.host, "239.1.1.3"):
        found = patient.diagnosed("no_data", name="eth0", group="239.1.1.3")
        assert (found["interface"], found["group"]) == ("eth0", "239.1.1.3")
        assert patient.stops("239.1.1.3") == ["data"]
        assert "no_data" not in patient.faults(name="eth0")
    patient.is_over("no_data", name="eth0", group="239.1.1.3")


def test_a_stream_that_arrives_on_another_interface_is_named(
    patient: Patient, sender: Sender
) -> None:
    """The switch floods a group that it does not snoop; it is joined on the other leg."""
    patient.net.switch.ip("link", "set", "br0", "type", "bridge", "mcast_snooping", "0")
    with joined(patient.host, GROUP, name="eth1"):
        found = sending(
            lambda: sender.send(GROUP), lambda: patient.of_kind("arrives_elsewhere"), "elsewhere"
        )[0]
        assert (found["interface"], found["group"]) == ("eth0", GROUP)
    patient.net.switch.ip("link", "set", "br0", "type", "bridge", "mcast_snooping", "1")
    patient.is_over("arrives_elsewhere")


def test_a_source_that_the_filter_does_not_let_through_is_named(
    patient: Patient, sender: Sender
) -> None:
    member = patient.net.member()
    member.join_source(GROUP, "192.0.2.99")
    patient.net.switch.ip("link", "set", "br0", "type", "bridge", "mcast_snooping", "0")
    found = sending(
        lambda: sender.send(GROUP), lambda: patient.of_kind("source_filtered"), "filtered"
    )[0]
    assert "from 192.0.2.1 arrives" in found["text"]
    assert "source filter" in patient.stops(GROUP)

    member.leave_source(GROUP, "192.0.2.99")
    patient.net.switch.ip("link", "set", "br0", "type", "bridge", "mcast_snooping", "1")

    patient.is_over("source_filtered")
    member.close()


LATER = 185
"""The offset of a fragment behind 1480 bytes, in eights."""


def test_fragments_and_streams_without_room_are_notes_while_they_come(
    net: HostLab, sender: Sender, tmp_path: Path
) -> None:
    settings = tmp_path / "mcastd.toml"
    settings.write_text("[streams]\nmax_streams = 1\n[interface.eth0]\n")
    patient = Patient(net, net.agent("-c", settings, mode=""))

    def send() -> None:
        for port in (5004, 5006, 5008):
            sender.send(GROUP, port=port)
        sender.send(GROUP, bits=LATER)

    with joined(patient.host, GROUP):
        cut = sending(send, lambda: patient.of_kind("streams_fragmented"), "fragments")[0]
        beyond = sending(send, lambda: patient.of_kind("streams_untracked"), "too many")[0]
        for each in (cut, beyond):
            assert (each["interface"], each["severity"]) == ("eth0", "note")
            assert each["evidence"]
        assert "tcpdump -n -i eth0 " in cut["remedy"]
        assert "max_streams" in beyond["remedy"]
    patient.is_over("streams_fragmented")
    patient.is_over("streams_untracked")
    patient.agent.close()


# Bridges of the host itself.


@pytest.fixture
def bridged(lab: Lab) -> Iterator[Patient]:
    """A host whose own bridge, br9, asks and snoops; the agent runs the bridge."""
    host, guest = lab.namespace("bridged"), lab.namespace("guest")
    bridge = Bridge(host, "br9", "198.51.100.1/24")
    bridge.connect(guest, "eth0", "198.51.100.2/24")
    host.sysctl({"ipv4.conf.all.rp_filter": 0, "ipv4.conf.br9.rp_filter": 0})
    agent = lab.agent(host, "-i", "br9", "--metrics", "")
    yield Patient.of(agent, host)
    agent.close()


def test_a_host_that_asks_itself_is_told_so_and_is_no_fault(bridged: Patient) -> None:
    """Its kernel takes a query from an address of its own for forged: that is one."""
    with joined(bridged.host, GROUP, name="br9"):
        found = bridged.diagnosed("queries_unanswered")
        assert "of this host's own bridge" in found["text"]
        assert bridged.of_kind("host_is_querier")[0]["severity"] == "note"
        bridged.shows(found)

        bridged.run(found["remedy"])

        bridged.is_over("queries_unanswered")
        assert bridged.of_kind("host_is_querier")
        bridged.is_healthy()
        assert mcastctl(bridged.agent, "doctor").returncode == 0


def test_a_bridge_that_snoops_without_a_querier_is_named(lab: Lab) -> None:
    host = lab.namespace("unasked")
    host.ip("link", "add", "br9", "type", "bridge", "mcast_snooping", "1")
    host.ip("address", "add", "198.51.100.1/24", "dev", "br9")
    host.ip("link", "add", "port0", "type", "veth", "peer", "name", "port1")
    host.ip("link", "set", "port0", "master", "br9")
    for name in ("port0", "port1", "br9"):
        host.ip("link", "set", name, "up")
    patient = Patient.of(lab.agent(host, "-i", "br9", "--metrics", ""), host)
    with joined(host, GROUP, name="br9"):
        found = patient.diagnosed("bridge_without_querier")
        patient.shows(found)

        patient.run(found["remedy"].partition(", or")[0])

        patient.is_over("bridge_without_querier")


@pytest.mark.skipif(not has("iptables"), reason="iptables cannot be used")
def test_a_bridge_that_lacks_a_group_of_its_host_is_named(bridged: Patient) -> None:
    """Its firewall drops the report, so that its own bridge does not hear it."""
    run_in(bridged.host, "iptables", "-A", "OUTPUT", "-p", "igmp", "-j", "DROP")
    with joined(bridged.host, GROUP, name="br9"):
        found = bridged.diagnosed("bridge_lacks_group")
        assert (found["interface"], found["group"]) == ("br9", GROUP)
        bridged.shows(found)

        bridged.run(found["remedy"].partition("until then: ")[2])

        bridged.is_over("bridge_lacks_group")


# A host that routes multicast.


class Routed(NamedTuple):
    """A family's way through the router, and the names that its socket options have."""

    group: str
    near: str
    what: str
    family: int
    protocol: int
    level: int
    option: int
    join: int


ROUTED = (
    Routed(GROUP, "192.0.2.1", "TTL", socket.AF_INET, socket.IPPROTO_IGMP, socket.IPPROTO_IP,
           socket.IP_MULTICAST_TTL, socket.IP_ADD_MEMBERSHIP),
    Routed("ff35::1", "2001:db8:1::1", "hop limit", socket.AF_INET6, socket.IPPROTO_ICMPV6,
           socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, socket.IPV6_JOIN_GROUP),
)  # fmt: skip


class MulticastRouter:
    """The kernel's own router for one stream: from eth0 to eth1 of a host, until it is closed."""

    INIT, ADD_INTERFACE, ADD_ROUTE = 200, 202, 204
    """MRT_* and MRT6_* of the kernel's interface: the same numbers."""
    USE_IFINDEX = 8

    def __init__(self, host: Namespace, of: Routed) -> None:
        with host.entered():
            self._socket, self._of = socket.socket(of.family, socket.SOCK_RAW, of.protocol), of
            self._set(self.INIT, pack("@i", 1))
            for number, name in enumerate(("eth0", "eth1")):
                index = socket.if_nametoindex(name)
                if of.family == socket.AF_INET:  # struct vifctl
                    made = pack("@HBBIi4x", number, self.USE_IFINDEX, 1, 0, index)
                else:  # struct mif6ctl
                    made = pack("@HBBHI", number, 0, 1, index, 0)
                self._set(self.ADD_INTERFACE, made)
        source, group = socket.inet_pton(of.family, of.near), socket.inet_pton(of.family, of.group)
        if of.family == socket.AF_INET:  # struct mfcctl
            ttls = bytes((0, 1)).ljust(32, b"\0")
            route = pack("@4s4sH32s2xIIIi", source, group, 0, ttls, 0, 0, 0, 0)
        else:  # struct mf6cctl: two addresses of sockets, and a set of interfaces
            ends = (pack("@HHI16sI", of.family, 0, 0, each, 0) for each in (source, group))
            route = b"".join(ends) + pack("@H2xI28x", 0, 1 << 1)
        self._set(self.ADD_ROUTE, route)

    def _set(self, option: int, value: bytes) -> None:
        self._socket.setsockopt(self._of.level, option, value)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def routed(lab: Lab, tmp_path: Path) -> Iterator[tuple[Patient, Namespace, Namespace]]:
    """A router between a sender's network and a receiver's; the agent runs the sender's side."""
    near, host, far = lab.namespace("near"), lab.namespace("router"), lab.namespace("far")
    veth(near, "eth0", host, "eth0")
    veth(far, "eth0", host, "eth1")
    for namespace, name, addresses in (
        (near, "eth0", ("192.0.2.1/24", "2001:db8:1::1/64")),
        (host, "eth0", ("192.0.2.10/24", "2001:db8:1::10/64")),
        (host, "eth1", ("198.51.100.1/24", "2001:db8:2::1/64")),
        (far, "eth0", ("198.51.100.2/24", "2001:db8:2::2/64")),
    ):
        for address in addresses:
            nodad = ("nodad",) if ":" in address else ()
            namespace.ip("address", "add", address, "dev", name, *nodad)
    for namespace in (host, far):
        namespace.sysctl({"ipv4.conf.all.rp_filter": 0, "ipv4.conf.eth0.rp_filter": 0})
    settings = tmp_path / "mcastd.toml"
    settings.write_text("[streams]\nstalled_after = 2\n[interface.eth0]\n")
    agent = lab.agent(host, "-c", settings, "--metrics", "")
    yield Patient.of(agent, host), near, far
    agent.close()


@pytest.mark.parametrize("of", ROUTED, ids=["IPv4", "IPv6"])
def test_a_stream_whose_hops_end_at_this_router_is_named(
    routed: tuple[Patient, Namespace, Namespace], of: Routed
) -> None:
    """The kernel is the judge: it sends on what has a TTL of 2, and not what has 1."""
    patient, near, far = routed
    router = MulticastRouter(patient.host, of)
    with near.entered():
        sender = socket.socket(of.family, socket.SOCK_DGRAM)
        sender.bind((of.near, 0))
    with far.entered():
        receiver = socket.socket(of.family, socket.SOCK_DGRAM)
        index = pack("@i", socket.if_nametoindex("eth0"))
    group = socket.inet_pton(of.family, of.group)

    def send(hops: int) -> None:
        sender.setsockopt(of.level, of.option, hops)
        sender.sendto(b"data", (of.group, 5004))

    with sender, receiver:
        receiver.setblocking(False)
        receiver.bind(("", 5004))
        own = bytes(4) if of.family == socket.AF_INET else b""
        receiver.setsockopt(of.level, of.join, group + own + index)
        short = sending(lambda: send(1), lambda: patient.of_kind("ttl_too_low"), "1 hop")[0]
        assert (short["interface"], short["group"]) == ("eth0", of.group)
        assert f"a {of.what} of 1," in short["text"]
        assert "by eth1, which takes 2 or more" in short["text"]
        with pytest.raises(BlockingIOError):
            receiver.recv(100)
        patient.run(short["evidence"][1]["command"])

        sending(lambda: send(2), lambda: not patient.of_kind("ttl_too_low"), "an end of it")
        assert receiver.recv(100) == b"data"
    router.close()
