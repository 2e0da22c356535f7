"""A healthy network in which tests make one real fault after the other, and mend it again."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from struct import pack
from typing import Any

from mcastd_lab import Namespace, RunningAgent

from support.host_lab import HostLab
from support.lab import mcastctl, run_in
from support.stream_packets import ipv4, udp
from support.waiting import eventually

Finding = dict[str, Any]


class Patient:
    """A host of the lab, and the agent that is asked about it."""

    def __init__(self, net: HostLab, agent: RunningAgent, host: Namespace | None = None) -> None:
        self.net, self.agent = net, agent
        self.host = net.host if host is None else host

    @classmethod
    def of(cls, agent: RunningAgent, host: Namespace) -> Patient:
        """In a network that is the test's own: it has no `net`."""
        made = cls.__new__(cls)
        made.agent, made.host = agent, host
        return made

    def findings(self, **wanted: object) -> list[Finding]:
        found: list[Finding] = self.agent.ask("doctor", **wanted)
        return found

    def faults(self, **wanted: object) -> list[str]:
        """The kinds of what is wrong."""
        return [each["kind"] for each in self.findings(**wanted) if each["severity"] == "fault"]

    def of_kind(self, kind: str, **wanted: object) -> list[Finding]:
        return [each for each in self.findings(**wanted) if each["kind"] == kind]

    def diagnosed(self, kind: str, **wanted: object) -> Finding:
        """The first finding of this kind, once there is one; it is whole."""
        found = eventually(lambda: self.of_kind(kind, **wanted), what=kind)[0]
        assert found["severity"] == "fault"
        assert found["text"]
        assert found["remedy"]
        assert found["evidence"]
        assert all(each["shows"] and each["command"] for each in found["evidence"])
        return found

    def is_over(self, kind: str, **wanted: object) -> None:
        """Waits until there is no finding of this kind."""
        eventually(lambda: not self.of_kind(kind, **wanted), what=f"an end of {kind}")

    def is_healthy(self) -> None:
        """Waits until nothing is wrong."""

        def well() -> bool:
            assert self.faults() == []
            return True

        eventually(well, what="health")

    def stops(self, group: str, name: str = "eth0") -> list[str]:
        """The steps at which the way of a group stops, in order."""
        done = mcastctl(self.agent, "doctor", name, group, "--json")
        *_, way = json.loads(done.stdout)
        assert way["kind"] == "way"
        found = [each["name"] for each in way["steps"] if each["holds"] is False]
        first = f"it stops first at: {found[0]}" if found else "no step is known to stop it"
        assert way["text"] == first
        return found

    def run(self, command: str) -> None:
        """A command of a finding, as it was told, on the host."""
        done = run_in(self.host, *shlex.split(command))
        assert done.returncode == 0, (command, done.stderr)

    def shows(self, finding: Finding) -> None:
        """The commands that are said to show it can be run."""
        for each in finding["evidence"]:
            words = shlex.split(each["command"])
            if words[0] != "mcastctl":
                assert run_in(self.host, *words).returncode == 0, each


@contextmanager
def joined(
    host: Namespace, group: str, port: int = 0, *, name: str = "eth0", room: int | None = None
) -> Iterator[socket.socket]:
    """A socket that has joined the group from any source, bound to a port if one is given."""
    with host.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        index = socket.if_nametoindex(name)
        with sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if room is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
            if port:
                sock.bind(("", port))
            wanted = socket.inet_aton(group) + bytes(4) + pack("@i", index)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, wanted)
            yield sock


class Sender:
    """Sends multicast from any address, as if it were its own."""

    def __init__(self, namespace: Namespace, name: str) -> None:
        with namespace.entered():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            index = socket.if_nametoindex(name)
        way = bytes(8) + pack("@i", index)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, way)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)

    def send(
        self,
        group: str,
        payload: bytes = b"data",
        *,
        source: str = "192.0.2.1",
        port: int = 5004,
        bits: int = 0,
        ttl: int = 16,
    ) -> None:
        """`bits`: flags and offset of a fragment."""
        packet = ipv4(udp(payload, port), source=source, group=group, bits=bits, ttl=ttl)
        self._socket.sendto(packet, (group, port))

    def close(self) -> None:
        self._socket.close()


def sending(send: Callable[[], object], probe: Callable[[], Any], what: str) -> Any:
    """Sends again and again until the probe gives something."""

    def tried() -> Any:
        send()
        return probe()

    return eventually(tried, what=what)


def has(command: str) -> bool:
    """Whether it is installed, and its kind of rules is in this kernel."""
    try:
        done = subprocess.run(
            [command, "-n", "-L"] if command != "nft" else ["nft", "list", "ruleset"],
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        return False
    return done.returncode == 0
