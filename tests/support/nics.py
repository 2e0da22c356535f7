"""The machine's NICs, by driver, lent to a lab: one to a querying switch, one to a host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcastd_lab import Bridge, Lab, Namespace
from mcastd_lab.iproute2 import ip

from support.waiting import eventually

SYS = Path("/sys/class/net")
QUERIER, ADDRESS = "192.0.2.1", "192.0.2.10"
VLAN, VLAN_QUERIER = 100, "198.51.100.1"


class NoSuchNics(Exception):
    """The machine does not have two NICs of the driver; the text says what has them."""


def driver_of(interface: str) -> str:
    """Empty for what is no device of a bus."""
    link = SYS / interface / "device" / "driver"
    return link.resolve().name if link.exists() else ""


def nics_of(driver: str) -> list[str]:
    """In this thread's network namespace, in order."""
    return sorted(each.name for each in SYS.iterdir() if driver_of(each.name) == driver)


def lend(interface: str, namespace: Namespace) -> None:
    """Until the namespace is removed: then it is back where it was."""
    ip("link", "set", interface, "netns", namespace.name)
    namespace.ip("link", "set", interface, "up")


class Pair:
    """`near` is the host's NIC, with an address; `far` the switch's, a port of its bridge.

    A second bridge asks in a VLAN on the same wire. The host has that VLAN, too: a NIC that filters
    VLANs lets through no other.
    """

    def __init__(self, lab: Lab, driver: str) -> None:
        """NoSuchNics."""
        names = nics_of(driver)
        if len(names) < 2:
            raise NoSuchNics(
                f"{len(names)} NICs of {driver} here; `make kernels` makes machines with those "
                "that QEMU has (igb from version 8)"
            )
        self.lab, self.driver = lab, driver
        self.near, self.far = names[:2]
        self.bus_address = (SYS / self.near / "device").resolve().name
        self.switch, self.host = lab.namespace("switch"), lab.namespace("host")
        self.bridges: dict[str, str] = {}
        """By port. The bridges speak, and their ports do not."""
        lend(self.near, self.host)
        lend(self.far, self.switch)
        self.host.ip("address", "add", f"{ADDRESS}/24", "dev", self.near)
        self.bridge = self._bridge("br0", f"{QUERIER}/24", self.far)
        self.vlan = f"{self.far}v{VLAN}"
        self.switch.ip("link", "add", "link", self.far, "name", self.vlan, "type", "vlan", "id",
                       str(VLAN))  # fmt: skip
        self.switch.ip("link", "set", self.vlan, "up")
        self._bridge("br100", f"{VLAN_QUERIER}/24", self.vlan)
        self.have_vlan()

    def have_vlan(self) -> None:
        name = f"{self.near}.{VLAN}"
        self.host.batch(
            [
                ("link", "add", "link", self.near, "name", name, "type", "vlan", "id", str(VLAN)),
                ("link", "set", name, "up"),
            ]
        )

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Nobody asks meanwhile, or says anything else: the bridges are off the wire."""
        self.switch.batch([("link", "set", port, "nomaster") for port in self.bridges])
        try:
            yield
        finally:
            self.switch.batch(
                [("link", "set", port, "master", name) for port, name in self.bridges.items()]
            )

    def _bridge(self, name: str, address: str, port: str) -> Bridge:
        made = Bridge(self.switch, name, address)
        self.switch.sysctl({f"ipv6.conf.{port}.disable_ipv6": 1})
        self.switch.ip("link", "set", port, "master", name)
        self.bridges[port] = name
        return made

    def bind(self, how: str) -> None:
        """`how`: "unbind", which takes the device away, or "bind", which makes it anew."""
        device = next(Path("/sys/bus").glob(f"*/drivers/{self.driver}"))
        (device / how).write_text(self.bus_address)

    def bring_back(self) -> None:
        """What the driver made anew is in the first namespace of all."""
        found = eventually(lambda: nics_of(self.driver), what=f"a NIC of {self.driver}")
        lend(found[0], self.host)
        if found[0] != self.near:
            self.host.ip("link", "set", found[0], "down")
            self.host.ip("link", "set", found[0], "name", self.near)
            self.host.ip("link", "set", self.near, "up")
        self.host.ip("address", "add", f"{ADDRESS}/24", "dev", self.near)
        self.have_vlan()
