"""The BPF programs, run on single frames by BPF_PROG_TEST_RUN; and what they must find."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from mcastd._native import ffi, lib
from mcastd.fastpath.assigned import is_unicast
from mcastd.fastpath.counters import Counters, read
from mcastd.fastpath.kernel import Kernel
from mcastd.fastpath.listed import Listed
from mcastd.fastpath.objects import BpfObject
from mcastd.fastpath.policies import ANY_ADDRESS, Limit, Policies, Policy, Prefix, own_bit
from mcastd.fastpath.ring import Captured, Ring
from mcastd.fastpath.test_run import Outcome, run
from mcastd.wire import Kind, Reason

LOOPBACK = 1
"""The interface that test runs seem to come from."""

INDEX = LOOPBACK.to_bytes(4, sys.byteorder)

UNLIMITED = Limit(0, 0)
EVERYTHING = Policy(hand_over_reports=True, queries=UNLIMITED, reports=UNLIMITED, egress=UNLIMITED)

PROGRAMS = ("mcast_xdp", "mcast_ingress", "mcast_egress")
PASSES = {"mcast_xdp": 2, "mcast_ingress": -1, "mcast_egress": -1}
"""XDP_PASS and TCX_NEXT."""

STOPS = {"mcast_xdp": 1, "mcast_ingress": 2, "mcast_egress": 2}
"""XDP_DROP and TCX_DROP."""

FOR_EVER = (1 << 64) - 1

HOOKS = {"mcast_xdp": 0, "mcast_ingress": 1, "mcast_egress": 2}
RX, TX = 0, 1


class Seen(NamedTuple):
    """What one run did: the verdict, what was counted, and the events."""

    value: int
    frame: bytes
    counted: tuple[str, ...]
    events: tuple[Captured, ...]


class KernelPrograms:
    """One interface, on which everything is handed over."""

    def __init__(self, compiled: BpfObject) -> None:
        self._kernel = Kernel(compiled)
        self.rings = {
            name: Ring(self._kernel.maps[f"{name}_events"])
            for name in ("query", "report", "egress")
        }
        self._policies = Policies(self._kernel.maps)
        self._listed = Listed(self._kernel.maps["listed"])
        self.use(EVERYTHING)

    def use(self, policy: Policy, own: int = ANY_ADDRESS) -> None:
        """From now on, as if nothing had come before."""
        self._policy, self._own = policy, own
        self._kernel.maps["paces"].update(bytes(4), bytes(ffi.sizeof("struct mcast_pace")))
        for name in ("questions", "queriers"):
            for key in list(self._kernel.maps[name].keys()):
                self._kernel.maps[name].delete(key)
        self._policies.put(LOOPBACK, 0, policy, own, queriers=0)

    def name_queriers(self, policy: Policy, *texts: str) -> None:
        """From now on queries of others are refused."""
        networks = map(ip_network, texts)
        listed = tuple(Prefix(each.network_address.packed, each.prefixlen) for each in networks)
        policy = self._listed.put(LOOPBACK, policy._replace(listed=listed))
        self._listed.tidy(LOOPBACK, policy)
        self.use(policy, self._own)

    def know(self, address: bytes) -> None:
        """The querier is known from now on; what came before counts."""
        key = ffi.new("struct mcast_assigned *", {"ifindex": LOOPBACK})
        key.address[0 : len(address)] = address
        queriers = self._kernel.maps["queriers"]
        queriers.update(bytes(ffi.buffer(key)), bytes(queriers.spec.value_size))
        self._policies.put(LOOPBACK, 0, self._policy, self._own, own_bit(address))

    def beat(self, until: int = FOR_EVER) -> None:
        """The agent counts as alive until then, ns of CLOCK_MONOTONIC."""
        self._kernel.maps["heartbeat"].update(bytes(4), until.to_bytes(8, sys.byteorder))

    def assign(self, *addresses: bytes) -> None:
        """These are the interface's, and no others."""
        assigned = self._kernel.maps["assigned"]
        for key in list(assigned.keys()):
            assigned.delete(key)
        for address in addresses:
            key = ffi.new("struct mcast_assigned *", {"ifindex": LOOPBACK})
            key.address[0 : len(address)] = address
            assigned.update(bytes(ffi.buffer(key)), b"\1\0\0\0")
        self.use(self._policy, sum({own_bit(each) for each in addresses if is_unicast(each)}))

    def delay(self, group: bytes) -> None:
        """The group's own report is due: other hosts' reports matter."""
        key = ffi.new("struct mcast_assigned *", {"ifindex": LOOPBACK})
        key.address[0 : len(group)] = group
        value = (lib.MCAST_ASSIGNED | lib.MCAST_DELAYING).to_bytes(4, sys.byteorder)
        self._kernel.maps["assigned"].update(bytes(ffi.buffer(key)), value)

    def run(self, name: str, frame: bytes) -> Seen:
        program = self._kernel.program(name, frags=name == "mcast_xdp")
        before = self.counters()
        outcome = run(program, frame)
        counted = tuple(difference(before, self.counters()))
        events = [event for ring in self.rings.values() for event in ring.drain()]
        return Seen(outcome.value, outcome.frame, counted, tuple(events))

    def run_many(self, name: str, frames: Iterable[bytes]) -> tuple[list[Outcome], Seen]:
        """What became of each, and of all together; the events are in the order of the frames."""
        program = self._kernel.program(name, frags=name == "mcast_xdp")
        before = self.counters()
        outcomes = [run(program, frame) for frame in frames]
        events = [event for ring in self.rings for event in self.drain(ring)]
        events.sort(key=lambda event: event.at)
        return outcomes, Seen(0, b"", tuple(difference(before, self.counters())), tuple(events))

    def run_unread(self, name: str, frame: bytes) -> int:
        """The verdict only; events wait in their rings."""
        return run(self._kernel.program(name), frame).value

    def repeat(self, name: str, frame: bytes, times: int) -> None:
        """So many runs on the CPU of this thread; events wait in their rings."""
        run(self._kernel.program(name, frags=name == "mcast_xdp"), frame, repeat=times)

    def drain(self, name: str) -> list[Captured]:
        """All events that wait in the ring."""
        return [event for batch in iter(self.rings[name].drain, []) for event in batch]

    def forget(self) -> None:
        self._policies.leave(LOOPBACK)

    def counters(self) -> Counters:
        return read(self._kernel.maps["counters"], 1)[0]

    def close(self) -> None:
        for ring in self.rings.values():
            ring.close()
        self._kernel.close()


def difference(before: Counters, after: Counters) -> list[str]:
    """What was counted meanwhile, each thing as often as it was: such as "rx igmp query 3"."""
    found = []
    for way, label in ((RX, "rx"), (TX, "tx")):
        for kind in Kind:
            times = after.accepted[way][kind] - before.accepted[way][kind]
            found += [f"{label} {kind.label}"] * times
        for place, protocol in enumerate(("igmp", "mld")):
            for reason in Reason:
                times = after.rejected[way][place][reason] - before.rejected[way][place][reason]
                found += [f"{label} {protocol} {reason.label}"] * times
    return found


def is_runnable(name: str, frame: bytes) -> bool:
    """Whether the kernel takes the frame for a test run; one in a socket buffer has a header."""
    headers = {b"\x08\x00": 20, b"\x86\xdd": 40}
    least = 0 if name == "mcast_xdp" else headers.get(frame[12:14], 0)
    return len(frame) >= 14 + least


class Expected(NamedTuple):
    """What the natively compiled classifier finds, and the rules about addresses on top."""

    counted: tuple[str, ...]
    message: tuple[int, ...] | None
    """kind, reason, flags, network, message, length, and the VLAN identifiers; None for others."""


def expected(
    frame: bytes, name: str, own: Collection[bytes] = (), named: Collection[str] = ()
) -> Expected:
    """`named`: the queriers, by prefix, if any are."""
    found = ffi.new("struct mcast_message *")
    rules = ffi.new("struct mcast_rules *", [3, 2, 1, 0])
    lib.mcast_classify_frame(frame, len(frame), rules, found)
    if not found.kind:
        return Expected((), None)
    if name != "mcast_egress":
        check_addresses(frame, found, own)
        check_querier(frame, found, named)
    way = "tx" if name == "mcast_egress" else "rx"
    kind = Kind(found.kind)
    what = f"{kind.family.name} {Reason(found.reason).label}" if found.reason else kind.label
    vlan = tuple(found.vlan[tag] for tag in range(found.tags))
    parts = (found.kind, found.reason, found.flags, found.network, found.message, found.length)
    return Expected((f"{way} {what}",), (*parts, *vlan))


def check_addresses(frame: bytes, found: Any, own: Collection[bytes]) -> None:
    """RFC 9776 §4.1.12: only to an address of ours. Our own reports do not suppress ours."""
    mld = Kind(found.kind).family.name == "mld"
    width, source, destination = (16, 8, 24) if mld else (4, 12, 16)

    def address(at: int) -> bytes:
        return frame[found.network + at : found.network + at + width]

    if lib.mcast_needs_assigned_destination(found) and address(destination) not in own:
        found.reason = Reason.BAD_DESTINATION
    if lib.mcast_needs_foreign_source(found) and address(source) in own:
        found.reason = Reason.LOOPBACK


def check_querier(frame: bytes, found: Any, named: Collection[str]) -> None:
    """Of the queriers that are named for a family, only those; in no VLAN, and of good queries."""
    kind = Kind(found.kind)
    mld = kind.family.name == "mld"
    networks = [each for each in map(ip_network, named) if (each.version == 6) == mld]
    in_vlan = any(found.vlan[tag] for tag in range(found.tags))
    if not networks or kind.type != "query" or found.reason or in_vlan:
        return
    at = found.network + (8 if mld else 12)
    source = ip_address(frame[at : at + (16 if mld else 4)])
    if not any(source in each for each in networks):
        found.reason = Reason.UNLISTED_QUERIER


def parts_of(event: Captured) -> tuple[int, ...]:
    """As `Expected.message`."""
    return (
        event.kind, event.reason, event.flags, event.network, event.message, event.length,
        *event.vlan,
    )  # fmt: skip
