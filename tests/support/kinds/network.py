"""A switch with a bridge for each kind of interface, and a host that has them all."""

from __future__ import annotations

from typing import NamedTuple

from mcastd.lab import Bridge, Lab, Namespace, veth

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

    @property
    def bridge(self) -> Bridge:
        """Made when it is first needed."""
        if self._bridge is None:
            self._bridge = Bridge(self.switch, f"br{self.number}", f"{self.querier}/24")
            hundredths = str(100 * MEMBERSHIP_SECONDS)
            self.switch.ip(
                "link", "set", self._bridge.name, "type", "bridge",
                "mcast_membership_interval", hundredths, "mcast_last_member_interval", "20",
            )  # fmt: skip
        return self._bridge

    def cable(self) -> tuple[str, str]:
        """Names of its ends, in the switch and in the host; both are up."""
        self._cables += 1
        ends = f"s{self.number}x{self._cables}", f"h{self.number}x{self._cables}"
        veth(self.switch, ends[0], self.host, ends[1])
        return ends

    def add(self, namespace: Namespace, label: str, *words: str) -> str:
        """A device such as `ip link add` makes it, up; its name is the label and our number."""
        name = f"{label}{self.number}"
        at = words.index("type")
        namespace.ip("link", "add", *words[:at], "name", name, *words[at:])
        namespace.ip("link", "set", name, "up")
        return name

    def wait_for(self, interface: str) -> None:
        """Until another process has made it in the host."""
        eventually(lambda: self._is_there(interface), what=f"{interface} is there")

    def _is_there(self, interface: str) -> bool:
        try:
            return self.host.index(interface) > 0
        except OSError:
            return False

    def join_bridge(self, *ports: str) -> tuple[str, ...]:
        for port in ports:
            self.switch.ip("link", "set", port, "master", self.bridge.name)
        return ports

    def give_address(self, interface: str) -> None:
        self.host.ip("address", "add", f"{self.address}/24", "dev", interface)


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
