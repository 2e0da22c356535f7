"""A switch with a bridge for each kind of interface, and a host that has them all."""

from __future__ import annotations

import json
from typing import NamedTuple

from mcastd_lab import Bridge, Lab, Namespace

from support.waiting import eventually

MEMBERSHIP_SECONDS = 10
"""After so long without a report a bridge forgets a group: five of its queries."""


class Built(NamedTuple):
    """An interface of the host, `name`, and how it is heard of outside.

    `ports`: of the bridge, of which one leads to the interface now; the first at first. `below`:
    the interfaces of the host that carry it, on which its frames are seen, too.
    """

    name: str
    ports: tuple[str, ...]
    below: tuple[str, ...] = ()


class Place:
    """Where one kind is built; by `number` its devices and addresses differ from others'."""

    def __init__(self, lab: Lab, switch: Namespace, host: Namespace, number: int) -> None:
        self.lab, self.switch, self.host, self.number = lab, switch, host, number
        self.querier = f"10.77.{number}.1"
        self.address = f"10.77.{number}.2"
        self._bridge: Bridge | None = None
        self._cables = 0
        self._orders: tuple[list[list[str]], list[list[str]]] = ([], [])

    @property
    def bridge(self) -> Bridge:
        """Made when it is first needed."""
        if self._bridge is None:
            self._bridge = Bridge(self.switch, f"br{self.number}", f"{self.querier}/24")
            hundredths = str(100 * MEMBERSHIP_SECONDS)
            self.order(
                self.switch,
                f"link set {self._bridge.name} type bridge mcast_membership_interval {hundredths} "
                "mcast_last_member_interval 20",
            )
        return self._bridge

    def order(self, namespace: Namespace, *commands: str) -> None:
        """Of ip(8), for `carry_out`: in a machine without KVM each process costs a second."""
        self._orders[namespace is self.host].extend(each.split() for each in commands)

    def carry_out(self) -> None:
        """First all of the switch, then all of the host; LabError."""
        for namespace, orders in zip((self.switch, self.host), self._orders, strict=True):
            if orders:
                namespace.batch(orders)
        self._orders = ([], [])

    def cable(self) -> tuple[str, str]:
        """Names of its ends, in the switch and in the host; both are up."""
        self._cables += 1
        far, near = f"s{self.number}x{self._cables}", f"h{self.number}x{self._cables}"
        peer = f"type veth peer name {near} netns {self.host.name}"
        self.order(self.switch, f"link add {far} {peer}", f"link set {far} up")
        self.order(self.host, f"link set {near} up")
        return far, near

    def add(self, namespace: Namespace, label: str, words: str) -> str:
        """A device such as `ip link add` makes it, up; its name is the label and our number."""
        name = f"{label}{self.number}"
        before, _, after = words.partition("type ")
        self.order(namespace, f"link add {before} name {name} type {after}", f"link set {name} up")
        return name

    def join_bridge(self, *ports: str) -> tuple[str, ...]:
        for port in ports:
            self.order(self.switch, f"link set {port} master {self.bridge.name}")
        return ports

    def give_address(self, interface: str) -> None:
        self.order(self.host, f"address add {self.address}/24 dev {interface}")

    def wait_for_master(self, interface: str) -> None:
        """Until another process has made the host's interface a port."""
        eventually(lambda: self._is_port(interface), what=f"{interface} is a port")

    def _is_port(self, interface: str) -> bool:
        (link,) = json.loads(self.host.ip("-json", "link", "show", interface))
        return "master" in link


class Network:
    """The switch and the host; `place` gives out places."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.switch, self.host = lab.namespace("switch"), lab.namespace("host")
        self.host.sysctl({"ipv4.conf.all.rp_filter": 0, "ipv4.conf.default.rp_filter": 0})
        self._places = 0

    def place(self) -> Place:
        self._places += 1
        return Place(self.lab, self.switch, self.host, self._places)
