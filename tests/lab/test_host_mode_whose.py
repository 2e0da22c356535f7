"""Whose a report is: only what this kernel itself says for this interface is ever held back."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from functools import partial
from ipaddress import ip_address

import pytest
from mcastd.fastpath.kernel import AttachType, Program
from mcastd.fastpath.objects import ProgramSpec
from mcastd_lab import Member, Namespace, RunningAgent, Wire, veth
from support.host_lab import HOST_ADDRESS, HostLab, counters, eventually, family, host_lab
from support.lab import Attached, link_local
from support.queries import igmp_report

pytestmark = pytest.mark.lab

IPV6_HOPOPTS = 54
SO_PRIORITY, TC_PRIO_CONTROL = 12, 7
ROUTER_ALERT = bytes.fromhex("3a00050200000100")


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


@pytest.fixture
def agent(net: HostLab) -> RunningAgent:
    """Under a cap in both families, and speaking for the kernel."""
    settings = net.lab.directory / "capped.toml"
    settings.write_text(
        '[interface.eth0]\nmode = "host"\nigmp_max_version = 2\nmld_max_version = 1\n'
    )
    made = net.agent("-c", settings, mode="")
    for protocol in ("igmp", "mld"):
        eventually("the agent speaks", lambda p=protocol: family(made, p)["speaks_for_kernel"])  # type: ignore[misc]
    return made


def hardware(namespace: Namespace, name: str) -> bytes:
    (link,) = json.loads(namespace.ip("-json", "link", "show", name))
    return bytes.fromhex(link["address"].replace(":", ""))


def passing(agent: RunningAgent, protocol: str) -> int:
    found = agent.ask("counters", name="eth0")[0]["host_mode"]["passing_reports"]
    return int(found[protocol])


def doctor(agent: RunningAgent) -> str:
    return "\n".join(each["text"] for each in agent.ask("doctor", name="eth0"))


def said(net: HostLab, group: str) -> list[str]:
    return [type_ for type_, _ in net.sniffer.records(group)]


@pytest.mark.parametrize("priority", [0, TC_PRIO_CONTROL])
def test_a_programs_raw_socket_is_not_the_kernels(
    net: HostLab, agent: RunningAgent, priority: int
) -> None:
    """It sends MLD from the host's own address, by a socket that looks like the kernel's."""
    report = bytes((143, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0)) + ip_address("ff1e::7:7").packed
    before = passing(agent, "mld")
    link_local(net.host, "eth0")
    with net.host.entered(), socket.socket(
        socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6
    ) as sock:  # fmt: skip
        index = socket.if_nametoindex("eth0")
        sock.setsockopt(socket.SOL_SOCKET, SO_PRIORITY, priority)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_HOPOPTS, ROUTER_ALERT)
        sock.sendto(report, ("ff02::16", 0, 0, index))
    eventually("it is on the wire", lambda: said(net, "ff1e::7:7"))
    eventually("counted", lambda: passing(agent, "mld") == before + 1)
    assert "a program's own socket" in doctor(agent)
    held = counters(agent)[0]
    net.member().join("ff1e::7:8")
    eventually("the kernel's is held back", lambda: counters(agent)[0] > held)
    assert said(net, "ff1e::7:8") == []


def test_what_another_device_hands_on_is_not_the_kernels(net: HostLab, agent: RunningAgent) -> None:
    """Even from our hardware address, and from no address while there is none: as ipvlan does."""
    net.host.ip("address", "flush", "dev", "eth0")
    outside = net.lab.namespace("outside")
    veth(outside, "out1", net.host, "eth1")
    index = net.host.index("eth0")
    code = struct.pack("<BBhi", 0xB7, 1, 0, index)  # r1 = the interface
    code += struct.pack("<BBhi", 0xB7, 2, 0, 0)
    code += struct.pack("<BBhi", 0x85, 0, 0, 23)  # bpf_redirect
    code += struct.pack("<BBhi", 0x95, 0, 0, 0)
    program = Program(ProgramSpec("hands_on", "tc", code, ()), {})
    net.lab.keep(Attached(net.host, "eth1", program, AttachType.TCX_INGRESS))
    frame = igmp_report(3, "0.0.0.0", "239.7.7.7")
    before = passing(agent, "igmp")
    guest = net.lab.keep(Wire(outside, "out1"))
    guest.send(frame[:6] + hardware(net.host, "eth0") + frame[12:])
    eventually("it is on the wire", lambda: said(net, "239.7.7.7"))
    assert passing(agent, "igmp") == before + 1


def test_who_speaks_above_the_cap_is_named(net: HostLab, agent: RunningAgent) -> None:
    """By the name of its device, and if that is in a container by its addresses."""
    assert "above the cap" not in doctor(agent)
    guest = net.lab.namespace("guest")
    for name, address, namespace in (
        ("mv0", "192.0.2.30", net.host),
        ("mv1", "192.0.2.31", guest),
    ):
        net.host.ip("link", "add", name, "link", "eth0", "type", "macvlan", "mode", "bridge")
        if namespace is guest:
            net.host.ip("link", "set", name, "netns", guest.name)
        namespace.ip("address", "add", f"{address}/24", "dev", name)
        namespace.ip("link", "set", name, "up")
        net.lab.keep(Member(namespace, name)).join("239.5.5.5")
    inside = hardware(guest, "mv1").hex(":")
    for wanted in (
        "IGMP of version 3 leaves above the cap of 2, of mv0",
        f"of a guest in another network namespace or machine ({inside}, 192.0.2.31)",
    ):
        eventually(wanted, partial(is_told, agent, wanted))
    packet = net.lab.keep(Wire(net.host, "eth0"))
    frame = igmp_report(3, HOST_ADDRESS, "239.7.7.9")
    packet.send(frame[:6] + hardware(net.host, "eth0") + frame[12:])
    ours = hardware(net.host, "eth0").hex(":")
    wanted = f"of a program's own socket, or a guest behind ipvlan ({ours}"
    eventually(wanted, partial(is_told, agent, wanted))


def is_told(agent: RunningAgent, text: str) -> bool:
    return text in doctor(agent)
