"""Links between namespaces: veth pairs, and a bridge that queries and snoops."""

from __future__ import annotations

import json
from typing import Any

from mcastd_lab.iproute2 import run
from mcastd_lab.namespaces import Namespace

QUERY_INTERVAL = 2.0
QUERY_RESPONSE_INTERVAL = 1.0
"""Seconds, and short: nobody wants to wait for the two minutes of RFC 9776 §8.2."""


def veth(
    a: Namespace,
    a_name: str,
    b: Namespace,
    b_name: str,
    *,
    mtu: int = 1500,
    up: bool = True,
) -> None:
    """A cable between two namespaces."""
    ends = ("type", "veth", "peer", "name", b_name, "mtu", str(mtu), "netns", b.name)
    a.ip("link", "add", a_name, "mtu", str(mtu), *ends)
    if up:
        a.ip("link", "set", a_name, "up")
        b.ip("link", "set", b_name, "up")


class Bridge:
    """The kernel's bridge as querier of IGMPv3 and MLDv2, with snooping on."""

    def __init__(
        self,
        namespace: Namespace,
        name: str,
        address: str,
        *,
        query_interval: float = QUERY_INTERVAL,
        response_interval: float = QUERY_RESPONSE_INTERVAL,
        robustness: int = 2,
    ) -> None:
        """`address` with its prefix length is what IGMP queries come from. Times are seconds."""
        self.namespace, self.name = namespace, name
        hundredths = {
            "mcast_query_interval": query_interval,
            "mcast_startup_query_interval": query_interval / 4,
            "mcast_query_response_interval": response_interval,
        }
        options = {
            "mcast_snooping": 1,
            "mcast_querier": 1,
            "mcast_query_use_ifaddr": 1,
            "mcast_igmp_version": 3,
            "mcast_mld_version": 2,
            "mcast_last_member_count": robustness,
            **{key: round(100 * value) for key, value in hundredths.items()},
        }
        pairs = [text for key, value in options.items() for text in (key, str(value))]
        namespace.batch(
            [
                ("link", "add", name, "type", "bridge", *pairs),
                ("address", "add", address, "dev", name),
                ("link", "set", name, "up"),
            ]
        )

    def connect(
        self,
        host: Namespace,
        interface: str,
        address: str | None = None,
        *,
        sees_reports: bool = False,
    ) -> str:
        """Gives the host an interface on the bridge; the port's name.

        `sees_reports`: the port is a router's, and so gets what others report (RFC 4541 §2.1.1).
        """
        port = f"to-{host.label}"[:15]
        veth(self.namespace, port, host, interface)
        self.namespace.ip("link", "set", port, "master", self.name)
        if sees_reports:
            self.namespace.ip("link", "set", port, "type", "bridge_slave", "mcast_router", "2")
        if address is not None:
            host.ip("address", "add", address, "dev", interface)
        return port

    def memberships(self) -> list[dict[str, Any]]:
        """What the bridge understood, as `bridge -json mdb show` has it."""
        shown = run("bridge", "-n", self.namespace.name, "-d", "-json", "mdb", "show")
        entries: list[dict[str, Any]] = json.loads(shown)[0]["mdb"]
        return entries
