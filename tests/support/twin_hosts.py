"""The two hosts of a story: what their owners want, and how each has it said.

Owners are sockets, clients of the agent, and a container behind a macvlan of the host's interface.
On the host with the kernel alone clients are sockets, too.
"""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass, field
from enum import Enum

from mcastd.client import Client
from mcastd_lab import Lab, Member, Namespace, RunningAgent

from support.host_lab import Filter
from support.pulse import Pulse
from support.sniffer import Seen, Sniffer


class Role(Enum):
    """What an owner is. KERNEL_CLIENT asks with `kernel = true`."""

    SOCKET = "socket"
    CLIENT = "client"
    KERNEL_CLIENT = "client with kernel = true"
    GUEST = "guest"


OWNERS = (*(Role.SOCKET,) * 4, *(Role.CLIENT,) * 2, Role.KERNEL_CLIENT, Role.GUEST)

NEWEST = {"igmp": 3, "mld": 2}

SLACK = 0.25
"""Seconds in which what was wanted may just have come or gone, and the agent may answer."""

STARVED = 6
"""Times that the agent is let run, from a packet of the kernel's to its own."""

IDLE_SECONDS = 5.0

STALL_SECONDS = 2.6
"""Longer than the heartbeat lasts."""


@dataclass
class Wanted:
    """What one owner wants of each group, and since when: the history."""

    changes: dict[str, list[tuple[float, Filter | None]]] = field(default_factory=dict)

    def set(self, group: str, wanted: Filter | None) -> None:
        self.changes.setdefault(group, []).append((time.monotonic(), wanted))

    def now(self, group: str) -> Filter | None:
        return self.changes[group][-1][1] if group in self.changes else None

    def all(self) -> dict[str, Filter]:
        return {group: last for group in self.changes if (last := self.now(group)) is not None}

    def throughout(self, group: str, begin: float, end: float) -> list[Filter | None]:
        """All that was wanted in some of that time."""
        history = self.changes.get(group, [])
        before = [each for at, each in history if at <= begin]
        return [before[-1] if before else None, *(e for at, e in history if begin < at <= end)]


class Twin:
    """One host, and the container on it."""

    def __init__(self, lab: Lab, host: Namespace, sniffer: Sniffer, number: int) -> None:
        self.lab, self.host, self.sniffer, self.number = lab, host, sniffer, number
        self._pulse = lab.keep(Pulse())
        self.addresses = 0
        self.ups = [time.monotonic()]
        """When the link came up."""
        self.downs: list[float] = []
        self.readdressed: list[float] = []
        """When it got another hardware address."""
        self.caps = dict(NEWEST)
        self.capped: list[tuple[float, str, int]] = []
        """When which family got which cap."""
        self.absences: list[tuple[float, float]] = []
        """When there was nobody who could speak for the clients, or hold back the kernel."""
        guest = lab.namespace(f"guest{number}")
        host.ip("link", "add", "guest", "link", "eth0", "type", "macvlan", "mode", "bridge")
        host.ip("link", "set", "guest", "netns", guest.name, "name", "eth0")
        guest.ip("address", "add", f"192.0.2.{30 + number}/24", "dev", "eth0")
        guest.ip("link", "set", "eth0", "up")
        self.guest = guest
        self.guest_hardware = hardware_address(guest)
        self.members = {
            owner: Member(guest if role is Role.GUEST else host, "eth0")
            for owner, role in enumerate(OWNERS)
            if self.has_socket(role)
        }
        self.wanted = [Wanted() for _ in OWNERS]

    def has_socket(self, _role: Role) -> bool:
        """Whether the owner is a socket of its own."""
        return True

    def say(self, owner: int, group: str, wanted: Filter | None) -> None:
        """The owner wants that of the group from now on."""
        before = self.wanted[owner].now(group)
        if wanted == before:
            return
        if wanted is not None:  # less is wanted at once, more only when it has been asked for
            self.apply(owner, group, before, wanted)
            self.wanted[owner].set(group, wanted)
        else:
            self.wanted[owner].set(group, wanted)
            self.apply(owner, group, before, wanted)

    def apply(self, owner: int, group: str, before: Filter | None, wanted: Filter | None) -> None:
        change(self.members[owner], group, before, wanted)

    def cap(self, protocol: str, version: int) -> None:
        """A higher one is in force from when it is asked for, a lower one when that is done."""
        is_higher = version > self.caps[protocol]
        self.caps[protocol] = version
        begun = time.monotonic()
        self.set_cap(protocol, version)
        self.capped.append((begun if is_higher else time.monotonic(), protocol, version))

    def set_cap(self, protocol: str, version: int) -> None:
        raise NotImplementedError

    def cap_throughout(self, protocol: str, begin: float, end: float) -> int:
        """The highest that was in force in some of that time."""
        mine = [(at, cap) for at, family, cap in self.capped if family == protocol]
        before = [cap for at, cap in mine if at <= begin]
        caps = [cap for at, cap in mine if begin < at <= end]
        return max([before[-1] if before else NEWEST[protocol], *caps])

    def flap(self) -> None:
        self._down()
        self._up()

    def fail_over(self) -> None:
        """As after a change of ports: another hardware address, and the link has been away."""
        self.addresses += 1
        self.readdressed.append(time.monotonic())
        address = f"02:00:00:{self.number:02x}:00:{self.addresses:02x}"
        self._down()
        self.host.ip("link", "set", "eth0", "address", address)
        self._up()

    def _down(self) -> None:
        self.downs.append(time.monotonic())
        self.host.ip("link", "set", "eth0", "down")

    def _up(self) -> None:
        """It may be up long before the command has ended."""
        self.ups.append(time.monotonic())
        self.host.ip("link", "set", "eth0", "up")
        self.ups.append(time.monotonic())

    def slack(self, at: float) -> float:
        """How long it may have taken just then until somebody did what was to be done."""
        return max(SLACK, STARVED * self._pulse.worst(at - 1, at + 1))

    def is_guests(self, seen: Seen) -> bool:
        return seen.frame[6:12] == self.guest_hardware

    def is_absent(self, at: float) -> bool:
        """Whether nobody is there who could speak for clients."""
        slack = self.slack(at)
        return any(begin <= at <= end + slack for begin, end in self.absences)

    def close(self) -> None:
        for each in self.members.values():
            each.close()


def hardware_address(namespace: Namespace) -> bytes:
    words = namespace.ip("-o", "link", "show", "dev", "eth0").split()
    return bytes.fromhex(words[words.index("link/ether") + 1].replace(":", ""))


def change(member: Member, group: str, before: Filter | None, wanted: Filter | None) -> None:
    if wanted is None:
        member.leave(group)
        return
    mode, sources = wanted
    if before is None:
        if mode == "include":
            for source in sorted(sources):
                member.join_source(group, source)
            return
        member.join(group)
    if mode == "include":
        member.only_from(group, sorted(sources))
    elif before is not None or sources:
        member.not_from(group, sorted(sources))


class KernelAlone(Twin):
    def set_cap(self, protocol: str, version: int) -> None:
        key = {
            "igmp": "ipv4.conf.eth0.force_igmp_version",
            "mld": "ipv6.conf.eth0.force_mld_version",
        }
        forced = 0 if version == NEWEST[protocol] else version
        self.host.sysctl({key[protocol]: forced})


class WithAgent(Twin):
    def __init__(self, lab: Lab, host: Namespace, sniffer: Sniffer, number: int) -> None:
        super().__init__(lab, host, sniffer, number)
        self._settings = lab.directory / "twins.toml"
        self.agent = self._start()

    def has_socket(self, role: Role) -> bool:
        return role in (Role.SOCKET, Role.GUEST)

    def _start(self) -> RunningAgent:
        caps = "".join(f"{each}_max_version = {v}\n" for each, v in self.caps.items())
        text = f'[interface.eth0]\nmode = "host"\novqp_formula = "rfc3376"\n{caps}'
        self._settings.write_text(text)
        agent = self.lab.agent(self.host, "--metrics", "", "-c", self._settings)
        self._connection, self._used = Client(str(agent.control)), time.monotonic()
        return agent

    def _client(self) -> Client:
        """A connection; the agent ends those that are idle for long."""
        if time.monotonic() > self._used + IDLE_SECONDS:
            self._connection.close()
            self._connection = Client(str(self.agent.control))
        self._used = time.monotonic()
        return self._connection

    def apply(self, owner: int, group: str, before: Filter | None, wanted: Filter | None) -> None:
        if owner in self.members:
            super().apply(owner, group, before, wanted)
            return
        name = f"client{owner}"
        if wanted is None:
            self._client().leave("eth0", group, name=name)
            return
        mode, sources = wanted
        self._client().join(
            "eth0", group, sources=sorted(sources), exclude=mode == "exclude", name=name,
            kernel=OWNERS[owner] is Role.KERNEL_CLIENT,
        )  # fmt: skip

    def set_cap(self, protocol: str, version: int) -> None:
        self._client().call("version", name="eth0", protocol=protocol, version=version)

    def restart(self, *, kill: bool) -> None:
        """What a client has with `kernel = true` lasts as long as the process: it asks again."""
        begun = time.monotonic()
        self._connection.close()
        self.agent.kill() if kill else self.agent.close()
        self.agent = self._start()
        owner = OWNERS.index(Role.KERNEL_CLIENT)
        for group, wanted in self.wanted[owner].all().items():
            self.apply(owner, group, None, wanted)
        for _ in range(2):  # what has waited for the agent is told in between
            self._client().call("status")
        self.absences.append((begun, time.monotonic()))

    def stall(self) -> None:
        """The process stands still for longer than its heartbeat lasts."""
        begun = time.monotonic()
        self.agent.process.send_signal(signal.SIGSTOP)
        time.sleep(STALL_SECONDS)
        self.agent.process.send_signal(signal.SIGCONT)
        self.absences.append((begun, time.monotonic()))

    def flip(self) -> None:
        """To observe and back; clients' memberships are not in force meanwhile."""
        begun = time.monotonic()
        self._client().call("mode", name="eth0", mode="observe")
        self._client().call("mode", name="eth0", mode="host")
        self.absences.append((begun, time.monotonic()))

    def close(self) -> None:
        self._connection.close()
        super().close()
