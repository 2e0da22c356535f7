"""Networks that tests share, and short questions to the agent in them."""

from __future__ import annotations

import ctypes
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from mcastd.fastpath.kernel import AttachType, Link, Program
from mcastd.fastpath.objects import ProgramSpec
from mcastd_lab import Bridge, Generator, Lab, Member, Namespace, RunningAgent, Wire, veth

from support.waiting import eventually, stretched

HOST = "192.0.2.10"
BRIDGE = "192.0.2.1"
METRICS = ("127.0.0.1", 9776)
METRICS_TEXT = "127.0.0.1:9776"

LIBBPF = ctypes.CDLL("libbpf.so.1")

XDP_PASS, XDP_DROP = 2, 1
TCX_NEXT, TCX_DROP = -1, 2
SKB_VLAN_PUSH = 18
"""BPF_FUNC_skb_vlan_push."""


class Segment:
    """A querying bridge, a host and a neighbour, as in the demonstration."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.switch, self.host, self.neighbour = (
            lab.namespace(each) for each in ("switch", "host", "neighbour")
        )
        # More sources than a socket may have by default.
        self.host.sysctl({"ipv4.igmp_max_msf": 2000})
        self.bridge = Bridge(self.switch, "br0", f"{BRIDGE}/24")
        self.bridge.connect(self.host, "eth0", f"{HOST}/24", sees_reports=True)
        self.bridge.connect(self.neighbour, "eth0", "192.0.2.11/24")
        self.agent: RunningAgent

    def observe(self, *arguments: str) -> RunningAgent:
        self.agent = self.lab.agent(self.host, "-i", "eth0", "--metrics", METRICS_TEXT, *arguments)
        return self.agent

    def member(self) -> Member:
        return self.lab.keep(Member(self.host, "eth0"))


class Cable:
    """A host whose eth0 leads straight to a test's own end, from which nothing comes by itself."""

    def __init__(self, lab: Lab, *, mtu: int = 1500) -> None:
        self.lab = lab
        self.host, self.outside = lab.namespace("host"), lab.namespace("outside")
        self.outside.sysctl({"ipv6.conf.all.disable_ipv6": 1, "ipv6.conf.default.disable_ipv6": 1})
        veth(self.outside, "out0", self.host, "eth0", mtu=mtu)
        self.host.ip("address", "add", f"{HOST}/24", "dev", "eth0")
        self.wire = lab.keep(Wire(self.outside, "out0"))
        self.agent: RunningAgent

    def observe(self, *arguments: str | Path) -> RunningAgent:
        self.agent = self.lab.agent(self.host, "-i", "eth0", "--metrics", METRICS_TEXT, *arguments)
        return self.agent

    def generator(self) -> Generator:
        """From the test's end to eth0; the agent must be there."""
        return self.lab.keep(Generator((self.outside, "out0"), (self.host, "eth0")))


def interface(agent: RunningAgent, name: str = "eth0") -> dict[str, Any]:
    """The interface's part of `status`; empty if the agent does not have it."""
    for each in agent.ask("status")["interfaces"]:
        if each["name"] == name:
            found: dict[str, Any] = each
            return found
    return {}


def counters(agent: RunningAgent, name: str = "eth0") -> dict[str, Any]:
    (found,) = agent.ask("counters", name=name)
    assert isinstance(found, dict)
    return found


def received(agent: RunningAgent, name: str = "eth0") -> dict[str, int]:
    """What was counted of received packets, the refused ones as "igmp bad_ttl"; no zeros."""
    found = counters(agent, name)
    refused = {
        f"{protocol} {reason}": count
        for protocol, reasons in found["rejected"]["rx"].items()
        for reason, count in reasons.items()
    }
    return {key: count for key, count in (found["messages"]["rx"] | refused).items() if count}


def link_local(namespace: Namespace, name: str) -> str:
    """The interface's own IPv6 address."""
    (link,) = json.loads(namespace.ip("-6", "-json", "address", "show", name, "scope", "link"))
    address: str = link["addr_info"][0]["local"]
    return address


class Filter(NamedTuple):
    mode: str
    sources: tuple[str, ...]


def filter_of(agent: RunningAgent, group: str, name: str = "eth0") -> Filter | None:
    """What the agent says the host receives of a group; None if nothing."""
    for each in agent.ask("groups", name=name, group=group):
        return Filter(each["mode"], tuple(each["sources"]))
    return None


def expect_filter(agent: RunningAgent, group: str, wanted: Filter | None) -> None:
    eventually(lambda: filter_of(agent, group) == wanted, what=f"{group}: {wanted}")


class Scrape(NamedTuple):
    text: str
    seconds: float

    def value(self, metric: str, **labels: str) -> float:
        """The value of the one series with these labels; KeyError without it."""
        for line in self.text.splitlines():
            name, _, rest = line.partition("{")
            inside, _, value = rest.rpartition("} ")
            if name == metric and all(f'{k}="{v}"' in inside for k, v in labels.items()):
                return float(value)
        raise KeyError(metric)


def scrape(namespace: Namespace, path: str = "/metrics") -> Scrape:
    started = time.monotonic()
    with namespace.entered():
        sock = socket.create_connection(METRICS, timeout=stretched(20))
    with sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: lab\r\n\r\n".encode())
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    return Scrape(body.decode(), time.monotonic() - started)


def run_in(
    namespace: Namespace, *command: str | Path, input: str | None = None
) -> subprocess.CompletedProcess[str]:
    with namespace.entered():
        return subprocess.run(
            [str(each) for each in command],
            capture_output=True,
            text=True,
            input=input,
            check=False,
            timeout=stretched(60),
        )


def mcastd(namespace: Namespace, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run_in(namespace, sys.executable, "-m", "mcastd.cli.mcastd", *arguments)


def mcastctl(agent: RunningAgent, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcastd.cli.mcastctl", "--control", str(agent.control)]
    return subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False, timeout=stretched(60)
    )


def programs_on(namespace: Namespace, name: str) -> dict[str, int]:
    """How many programs are on each hook of an interface, as the kernel says; no zeros."""
    (link,) = json.loads(namespace.ip("-json", "link", "show", name))
    found = {"xdp": 1 if "xdp" in link else 0}
    with namespace.entered():
        index = socket.if_nametoindex(name)
        for hook in (AttachType.TCX_INGRESS, AttachType.TCX_EGRESS):
            number = ctypes.c_uint32(0)
            result = LIBBPF.bpf_prog_query(index, hook, 0, None, None, ctypes.byref(number))
            assert result == 0, f"{name}: {hook.name} cannot be asked for"
            found[hook.name.lower()] = number.value
    return {hook: count for hook, count in found.items() if count}


ATTACHED = {"xdp": 1, "tcx_ingress": 1, "tcx_egress": 1}
"""Our programs on a veth, as `programs_on` tells: it takes VLAN tags out of frames."""


def returning(verdict: int, kind: str) -> Program:
    """A program that does nothing but return; `kind`: xdp or tc."""
    code = bytes((0xB7, 0, 0, 0)) + verdict.to_bytes(4, "little", signed=True)
    exit_ = bytes((0x95,)) + bytes(7)
    return Program(ProgramSpec("other_people", kind, code + exit_, ()), {})


def tagging(vlan: int) -> Program:
    """A program that puts a VLAN tag beside each frame that is sent, as a VLAN's interface does.

    It is in the frame only where the driver cannot carry it otherwise; a veth can.
    """
    code = (
        b"\xb7\x02\0\0" + (0x81).to_bytes(4, "little")  # the type 0x8100 in network order
        + b"\xb7\x03\0\0" + vlan.to_bytes(4, "little")
        + b"\x85\0\0\0" + SKB_VLAN_PUSH.to_bytes(4, "little")
        + b"\xb7\0\0\0" + TCX_NEXT.to_bytes(4, "little", signed=True)
        + b"\x95" + bytes(7)
    )  # fmt: skip
    return Program(ProgramSpec("tagging", "tc", code, ()), {})


class Attached:
    """Somebody else's program on an interface, by link."""

    def __init__(
        self, namespace: Namespace, name: str, program: Program, kind: AttachType, flags: int = 0
    ) -> None:
        self.program = program
        with namespace.entered():
            self._link = Link(program, socket.if_nametoindex(name), kind, flags)

    def close(self) -> None:
        self._link.close()
        self.program.close()
