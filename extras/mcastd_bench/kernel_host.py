"""The kernel as the host: the same memberships in a namespace, and how long its answer takes.

The kernel makes the whole answer to an IGMPv3 general query in one go, in a timer's softirq, which
nothing else on that CPU interrupts: the time from the first packet's departure to the last one's is
CPU time. That the packets are also looked at, by the socket that takes the times, costs it about a
microsecond each.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from contextlib import ExitStack
from time import monotonic, sleep

from mcastd.gmp.family import IGMP, Address
from mcastd.gmp.time import seconds
from mcastd.wire import query
from mcastd_lab import Lab, LabError, Namespace, Wire, veth

from mcastd_bench.row import Missing

PER_SOCKET = {False: 500, True: 100}
"""Groups, without and with sources: the kernel looks through a socket's list at every join, and
limits its memory."""

FEWEST = 1000
"""Groups: a time between packets wants several of them."""

IP_MSFILTER = 41
IP_ADD_MEMBERSHIP = 35
INCLUDE = 1
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
ETH_P_ALL = 3
PACKET_OUTGOING = 4
BUFFER = 256 << 20
SETTLE_SECONDS = 3.0
"""All reports of the joins are out by then: two, a second apart at the most."""

ANSWER_SECONDS = 20.0
QUERIER, HOST = "192.0.2.1", "192.0.2.10"
MAC = bytes.fromhex("01005e000001020000000001")
REPORT = 0x22


class KernelHost:
    """A veth's end with memberships, and the querier at the other end."""

    def __init__(self, stack: ExitStack, groups: Sequence[Address], sources: int) -> None:
        self._stack = stack
        self._groups = len(groups)
        lab = stack.enter_context(Lab())
        router, host = lab.namespace("router"), lab.namespace("host")
        veth(router, "eth0", host, "eth0")
        host.ip("address", "add", f"{HOST}/24", "dev", "eth0")
        per_socket = PER_SOCKET[sources > 0]
        most = {"igmp_max_memberships": per_socket, "igmp_max_msf": max(10, sources)}
        host.sysctl({f"ipv4.{name}": value for name, value in most.items()})
        host.sysctl({"ipv4.conf.eth0.force_igmp_version": 3})
        self._wire = lab.keep(Wire(router, "eth0"))
        self._ears = stack.enter_context(_ears(host))
        for start in range(0, len(groups), per_socket):
            join(stack, host, groups[start : start + per_socket], sources)
        sleep(SETTLE_SECONDS)

    def sample(self, _seconds: float) -> float:
        """Milliseconds from the first packet of the answer to the last."""
        while self._heard(0.0):
            pass
        packet = query(IGMP, 3, source=IGMP.parse(QUERIER), max_response=seconds(0.1))
        self._wire.send(MAC + b"\x08\x00" + packet)
        first = last = records = packets = 0
        end = monotonic() + ANSWER_SECONDS
        while records < self._groups:
            heard = self._heard(end - monotonic())
            if heard is None:
                raise RuntimeError(f"the kernel told {records} of {self._groups} groups")
            last, count = heard
            first = first or last
            records += count
            packets += 1
        return (last - first) / 1e6 * packets / max(packets - 1, 1)

    def _heard(self, patience: float) -> tuple[int, int] | None:
        """When the next report left, in ns, and how many records it has."""
        self._ears.settimeout(max(patience, 1e-6))
        while True:
            try:
                data, control, _, where = self._ears.recvmsg(64, 128)
            except (TimeoutError, BlockingIOError):
                return None
            words = data[14 + 4 * (data[14] & 15) :]
            if where[2] == PACKET_OUTGOING and data[12:14] == b"\x08\x00" and words[0] == REPORT:
                whole, part = struct.unpack_from("@qq", control[0][2])
                return whole * 1_000_000_000 + part, int.from_bytes(words[6:8])

    def close(self) -> None:
        self._stack.close()


def kernel_answer(groups: Sequence[Address], sources: int) -> KernelHost | Missing:
    """Missing without root, and for few groups."""
    if os.geteuid():
        return Missing("needs root")
    if len(groups) < FEWEST:
        return Missing("its answer is one packet")
    stack = ExitStack()
    try:
        return KernelHost(stack, groups, sources)
    except (LabError, OSError) as why:
        stack.close()
        return Missing(str(why))


def _ears(namespace: Namespace) -> socket.socket:
    with namespace.entered():
        ears = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        ears.bind(("eth0", ETH_P_ALL))
    ears.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    ears.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    return ears


def join(stack: ExitStack, namespace: Namespace, groups: Sequence[Address], sources: int) -> None:
    """One socket's groups, each from any source or from `sources` of them."""
    with namespace.entered():
        member = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    here = IGMP.parse(HOST)
    first = int.from_bytes(IGMP.parse("10.0.0.0"))
    listed = b"".join((first + number).to_bytes(4) for number in range(sources))
    for group in groups:
        member.setsockopt(socket.IPPROTO_IP, IP_ADD_MEMBERSHIP, group + here)
        if sources:
            head = group + here + struct.pack("@II", INCLUDE, sources)
            member.setsockopt(socket.IPPROTO_IP, IP_MSFILTER, head + listed)
