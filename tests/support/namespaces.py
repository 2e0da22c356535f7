"""Several network namespaces and one agent for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcastd_lab import Bridge, Lab, Namespace, RunningAgent, Wire, veth
from mcastd_lab.iproute2 import ip
from mcastd_lab.namespaces import DIRECTORY, owner

from support.flood import igmp_frames
from support.lab import METRICS_TEXT, received
from support.waiting import eventually, stretched

QUERY = next(each for each in igmp_frames(bytes(4)) if each.counts_as == "igmp query 3").frame

SERVED = "served"
"""Namespaces with this label are the agent's, by a pattern, as soon as they are there."""


class Served:
    """A namespace whose eth0 leads straight to the test's own end."""

    def __init__(self, lab: Lab, label: str = SERVED) -> None:
        self.namespace = lab.namespace(label)
        self.name = self.namespace.name
        self.outside = lab.namespace("outside")
        self.outside.sysctl({"ipv6.conf.all.disable_ipv6": 1, "ipv6.conf.default.disable_ipv6": 1})
        self.connect()
        self.wire = lab.keep(Wire(self.outside, "out0"))

    def connect(self) -> None:
        veth(self.outside, "out0", self.namespace, "eth0")

    def send(self, count: int) -> None:
        for _ in range(count):
            self.wire.send(QUERY)

    def forget(self) -> None:
        """Takes the name away, and nothing else: who is in the namespace keeps it alive."""
        ip("netns", "del", self.name)

    def is_alive(self) -> bool:
        """Whether its end of the cable is there: that goes with the namespace."""
        return "out0" in self.outside.ip("link", "show")


class Several:
    """An agent in a namespace of its own, `main`, whose eth0 is on a querying bridge."""

    def __init__(self, lab: Lab, *more: str, sections: str = "", wrapper: tuple[str, ...] = ()):
        self.lab = lab
        self.main, self.switch = lab.namespace("main"), lab.namespace("switch")
        self.bridge = Bridge(self.switch, "br0", "192.0.2.1/24")
        self.bridge.connect(self.main, "eth0", "192.0.2.10/24")
        self.config = Path(lab.directory, "several.toml")
        pattern = f'[namespace."*-{owner()}-*-{SERVED}".interface.eth0]\n'
        self.config.write_text(sections or f"[interface.eth0]\n{pattern}")
        self.agent: RunningAgent = lab.agent(
            self.main, "-c", self.config, "--metrics", METRICS_TEXT, *more, wrapper=wrapper
        )

    def of(self, name: str) -> dict[str, Any]:
        """What the agent says of a namespace; empty if it says nothing."""
        for each in self.agent.ask("status")["namespaces"]:
            if each["name"] == name:
                found: dict[str, Any] = each
                return found
        return {}

    def expect(self, name: str, state: str = "running") -> dict[str, Any]:
        """Waits until it is so."""

        def look() -> dict[str, Any] | None:
            found = self.of(name)
            assert found.get("state") == state, found
            return found

        found = eventually(look, within=stretched(60), what=f"{name} {state}")
        assert found is not None
        return found

    def expect_counted(self, served: Served, **wanted: int) -> None:
        """Waits until so much was received in a namespace, and no more."""
        counted = {key.replace("_", " "): count for key, count in wanted.items()}
        eventually(lambda: received(self.agent, f"{served.name}/eth0") == counted)

    def serve(self) -> Served:
        """Another namespace, served."""
        made = Served(self.lab)
        self.expect(made.name)
        eventually(lambda: self.interface(made)["hook"] == "xdp-native")
        return made

    def interface(self, served: Served) -> dict[str, Any]:
        for each in self.agent.ask("status")["interfaces"]:
            if each.get("namespace") == served.name:
                found: dict[str, Any] = each
                return found
        raise AssertionError(f"nothing of {served.name}")


@contextmanager
def entries_of(*names: str) -> Iterator[None]:
    """Removes names that the test has made, whatever becomes of it."""
    try:
        yield
    finally:
        for name in names:
            (DIRECTORY / name).unlink(missing_ok=True)


def in_namespace(namespace: Namespace) -> set[int]:
    """The processes that are in it."""
    return set(map(int, ip("netns", "pids", namespace.name).split()))
