"""The network of the runner: a host with a bridge, an FRR and a yard of containers to judge it."""

from __future__ import annotations

from contextlib import suppress
from itertools import count

from mcastd_lab import Bridge, Lab, Namespace, Wire
from mcastd_lab.errors import LabError

from support.frr import Router
from support.frr import is_there as frr_is_there
from support.host_lab import Filter, HostLab, filter_of, is_system
from support.sniffer import Sniffer

STRAY, STRAY_6 = "192.0.2.66", "fe80::ffff:ffff:ffff:ffff"
ROUTER, BEHIND_ROUTER = "198.51.100.1", "198.51.100.10"
MEMBERSHIP_SECONDS = 5.0
OTHER_QUERIER_SECONDS = 3.0
"""After so long without another querier the bridge asks again."""

IN_YARD: dict[str, Filter] = {
    "239.9.9.9": ("exclude", frozenset()),
    "ff3e::9:9": ("include", frozenset({"2001:db8::9"})),
}
"""What the configuration joins on each interface that leads there."""

Held = dict[str, Filter]


class Yard:
    """A network of its own that leads to the host, and can vanish with all that is in it."""

    _numbers = count(1)

    def __init__(self, host: Namespace) -> None:
        self._namespace = Namespace("yard")
        self._bridge = Bridge(self._namespace, "br0", "203.0.113.1/24")
        self.interface = f"box{next(self._numbers)}"
        self._port = self._bridge.connect(host, self.interface, "203.0.113.10/24")

    def held(self) -> Held:
        return held_by(self._bridge, self._port)

    def close(self) -> None:
        self._namespace.close()


class Net:
    """`sniffers` hear what the host says on each interface that is judged all along."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.base = HostLab(lab, MEMBERSHIP_SECONDS)
        self.host, self.bridge = self.base.host, self.base.bridge
        self.host.sysctl({"ipv4.conf.default.rp_filter": 0})
        self.of_bridge("mcast_querier_interval", str(round(OTHER_QUERIER_SECONDS * 100)))
        strays = self.base.neighbour("stray", STRAY)
        self.wires = {"eth0": lab.keep(Wire(strays, "eth0"))}
        self.sniffers = {"eth0": [self.base.sniffer]}
        self.router: Router | None = None
        if frr_is_there():
            self.router = Router(
                lab, self.host, version=3,
                interface="eth1", address=BEHIND_ROUTER, own_address=ROUTER,
            )  # fmt: skip
            there = self.router.namespace
            self.wires["eth1"] = lab.keep(Wire(there, "lan0"))
            self.sniffers["eth1"] = [lab.keep(Sniffer(there, "lan0"))]
        self.yard: Yard | None = None

    @property
    def judged(self) -> tuple[str, ...]:
        return tuple(self.wires)

    def of_bridge(self, *options: str) -> None:
        self.base.switch.ip("link", "set", "br0", "type", "bridge", *options)

    def make_anew(self, name: str) -> None:
        """The interface is deleted, and another one is made that is called the same."""
        if name == "eth0":
            self.host.ip("link", "del", "eth0")
            self.bridge.connect(self.host, "eth0", "192.0.2.10/24")
            self.sniffers["eth0"].append(self.lab.keep(Sniffer(self.base.switch, self.base.port)))

    def toggle_yard(self) -> None:
        """The yard and its interface here vanish at once; or come."""
        if self.yard is not None:
            self.yard.close()
            self.yard = None
        else:
            self.yard = Yard(self.host)

    def held(self) -> dict[str, Held]:
        """By interface, what its router holds for the host; groups of the system are left out."""
        found = {"eth0": held_by(self.bridge, self.base.port)}
        if self.router is not None:
            held = self.router.held()
            found["eth1"] = {group: each for group, each in held.items() if not is_system(group)}
        if self.yard is not None:
            found[self.yard.interface] = self.yard.held()
        return found

    def close(self) -> None:
        with suppress(LabError):
            if self.yard is not None:
                self.yard.close()


def held_by(bridge: Bridge, port: str) -> Held:
    return {
        each["grp"]: filter_of(each)
        for each in bridge.memberships()
        if each.get("port") == port
        and "src" not in each
        and "filter_mode" in each
        and not is_system(each["grp"])
    }
