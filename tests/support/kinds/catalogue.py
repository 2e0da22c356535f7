"""How each kind of interface is made, and what is to be said of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import NamedTuple

from mcastd_lab import LabError, Namespace

from support.kinds.network import Built, Place
from support.kinds.tap import device, tap_pair

NOT_IN_THE_KERNEL = ("Unknown device type", "not supported", "No such device")


class NotHere(Exception):
    """This machine cannot make such an interface; the text says what is missing."""


class Kind(NamedTuple):
    """`hook`: the label of the ingress hook that is right for it, on a kernel with TCX.

    `answers_mld`: whether Linux answers MLD queries there. On a port of a VRF it takes them for the
    VRF's own, and loses its groups, with or without the agent (seen on 6.12, the kernel alone).
    """

    name: str
    make: Callable[[Place], Built]
    hook: str = "tcx"
    answers_mld: bool = True

    def build(self, place: Place) -> Built:
        """NotHere without the kernel's module or the tool for it."""
        try:
            built = self.make(place)
            place.carry_out()
            return built
        except LabError as error:
            if any(text in str(error) for text in NOT_IN_THE_KERNEL):
                raise NotHere(f"this kernel has no such interface: {self.name}") from None
            raise
        except FileNotFoundError as error:
            raise NotHere(f"{error.filename}: not installed") from None


def veth_alone(place: Place) -> Built:
    far, near = place.cable()
    place.give_address(near)
    return Built(near, place.join_bridge(far))


def vlan(place: Place) -> Built:
    far, near = place.cable()
    port = place.add(place.switch, "sv", f"link {far} type vlan id 100")
    name = place.add(place.host, "vlan", f"link {near} type vlan id 100")
    place.give_address(name)
    return Built(name, place.join_bridge(port), (near,))


def qinq(place: Place) -> Built:
    far, near = place.cable()
    ends = []
    for namespace, end, label in ((place.switch, far, "sq"), (place.host, near, "q")):
        outer = f"link {end} type vlan proto 802.1ad id 200"
        service = place.add(namespace, f"{label}out", outer)
        ends.append(place.add(namespace, f"{label}in", f"link {service} type vlan id 100"))
    place.give_address(ends[1])
    return Built(ends[1], place.join_bridge(ends[0]), (f"qout{place.number}", near))


def enslave(place: Place, namespace: Namespace, master: str, ports: Iterable[str]) -> None:
    """A bond takes only what is down."""
    for port in ports:
        place.order(
            namespace,
            f"link set {port} down",
            f"link set {port} master {master}",
            f"link set {port} up",
        )


def active_backup(place: Place) -> Built:
    options = "mode active-backup miimon 100 fail_over_mac active"
    bond = place.add(place.host, "bond", f"type bond {options}")
    cables = [place.cable() for _ in range(2)]
    below = tuple(near for _, near in cables)
    enslave(place, place.host, bond, below)
    place.give_address(bond)
    return Built(bond, place.join_bridge(*(far for far, _ in cables)), below)


def lacp(place: Place) -> Built:
    """802.3ad; the switch's end is a bond, too."""
    options = "type bond mode 802.3ad miimon 100 lacp_rate fast"
    near_bond = place.add(place.host, "lag", options)
    far_bond = place.add(place.switch, "slag", options)
    cables = [place.cable() for _ in range(2)]
    below = tuple(near for _, near in cables)
    enslave(place, place.host, near_bond, below)
    enslave(place, place.switch, far_bond, (far for far, _ in cables))
    place.give_address(near_bond)
    return Built(near_bond, place.join_bridge(far_bond), below)


def team(place: Place) -> Built:
    """By teamd, as it is deployed; the kernel's device does nothing without a runner."""
    name = f"team{place.number}"
    cables = [place.cable() for _ in range(2)]
    below = tuple(near for _, near in cables)
    # Refused at once where the kernel has none; teamd would only say "Protocol not supported".
    place.order(place.host, f"link add {name} type team", f"link del {name}")
    place.order(place.host, *(f"link set {near} down" for near in below))
    ports = place.join_bridge(*(far for far, _ in cables))
    place.carry_out()
    settings = {
        "device": name,
        "runner": {"name": "activebackup", "hwaddr_policy": "by_active"},
        "link_watch": {"name": "ethtool"},
        "ports": {near: {} for near in below},
    }
    place.lab.process(place.host, "teamd", "-o", "-U", "-t", name, "-c", json.dumps(settings))
    for port in below:
        place.wait_for_master(port)  # which takes only ports that are down
    place.order(place.host, *(f"link set {each} up" for each in (*below, name)))
    place.give_address(name)
    return Built(name, ports, below)


def bridge(place: Place) -> Built:
    """As a host of virtual machines has it: the address is the bridge's."""
    far, near = place.cable()
    name = place.add(place.host, "hbr", "type bridge mcast_snooping 1")
    place.order(place.host, f"link set {near} master {name}")
    place.give_address(name)
    return Built(name, place.join_bridge(far), (near,))


def macvlan(place: Place) -> Built:
    far, near = place.cable()
    name = place.add(place.host, "mv", f"link {near} type macvlan mode bridge")
    place.give_address(name)
    return Built(name, place.join_bridge(far), (near,))


def vrf_port(place: Place) -> Built:
    far, near = place.cable()
    name = place.add(place.host, "vrf", f"type vrf table {1000 + place.number}")
    place.order(place.host, f"link set {near} master {name}")
    place.give_address(near)
    return Built(near, place.join_bridge(far))


def tunnel(label: str, words: str) -> Callable[[Place], Built]:
    """A tunnel of Ethernet frames over a cable with addresses of its own."""

    def make(place: Place) -> Built:
        far, near = place.cable()
        here, there = f"10.78.{place.number}.2", f"10.78.{place.number}.1"
        place.order(place.host, f"address add {here}/24 dev {near}")
        place.order(place.switch, f"address add {there}/24 dev {far}")

        def end(local: str, remote: str) -> str:
            number = 100 + place.number
            return f"type {words} remote {remote}".format(number=number, local=local)

        port = place.add(place.switch, f"s{label}", end(there, here))
        name = place.add(place.host, label, end(here, there))
        place.give_address(name)
        return Built(name, place.join_bridge(port), (near,))

    return make


def tap(place: Place) -> Built:
    """A tap on both sides, with a process between that carries frames, as for virtual machines."""
    port, name = tap_pair(place)
    place.give_address(name)
    return Built(name, place.join_bridge(port))


KINDS = (
    Kind("veth", veth_alone, "xdp-native"),
    Kind("VLAN", vlan),
    Kind("QinQ", qinq),
    Kind("bond active-backup", active_backup),
    Kind("bond 802.3ad", lacp),
    Kind("team", team),
    Kind("bridge", bridge),
    Kind("macvlan", macvlan),
    Kind("VRF port", vrf_port, "xdp-native", answers_mld=False),
    Kind("vxlan", tunnel("vx", "vxlan id {number} dstport 4789 local {local}")),
    Kind("geneve", tunnel("gnv", "geneve id {number}")),
    Kind("gretap", tunnel("gt", "gretap key {number} local {local}")),
    Kind("tap", tap, "xdp-native"),
)
"""Served in both modes."""


def bridge_port(place: Place) -> Built:
    made = bridge(place)
    return Built(made.below[0], made.ports)


def port_of(make: Callable[[Place], Built]) -> Callable[[Place], Built]:
    """Its first port, which is the active one."""

    def made(place: Place) -> Built:
        built = make(place)
        return Built(built.below[0], built.ports)

    return made


REFUSED = (
    Kind("bridge port", bridge_port, "xdp-native"),
    Kind("bond port", port_of(active_backup), "xdp-native"),
    Kind("team port", port_of(team), "xdp-native"),
)
"""Observed only: somebody else speaks for them."""


def loopback(place: Place) -> Built:
    return Built("lo", ())


def made_alone(label: str, words: str) -> Callable[[Place], Built]:
    def make(place: Place) -> Built:
        return Built(place.add(place.host, label, words), ())

    return make


def tun(place: Place) -> Built:
    name = f"tun{place.number}"
    device().stat()
    place.order(place.host, f"tuntap add {name} mode tun", f"link set {name} up")
    return Built(name, ())


def without_multicast(place: Place) -> Built:
    _, near = place.cable()
    place.order(place.host, f"link set {near} multicast off")
    return Built(near, ())


UNFIT = (
    Kind("loopback", loopback),
    Kind("tun", tun),
    Kind("WireGuard", made_alone("wg", "type wireguard")),
    Kind("GRE", made_alone("gre", "type gre local 192.0.2.77 remote 192.0.2.78")),
    Kind("VRF", made_alone("vrfx", "type vrf table 999")),
    Kind("multicast off", without_multicast),
    Kind("dummy", made_alone("dmy", "type dummy")),
)
"""Not served; the agent says why, and what to name instead."""
