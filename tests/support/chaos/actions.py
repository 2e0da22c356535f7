"""Steps carried out, each by what really does it: sockets, the control socket, ip(8), signals."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcastd.fastpath.kernel import AttachType
from mcastd_lab import Member

from support.chaos.net import BEHIND_ROUTER, Net
from support.chaos.questions import ASK, OLDER, strangers
from support.chaos.service import Service
from support.chaos.silence import Outage
from support.chaos.steps import Step
from support.chaos.wishes import (
    CLIENTS,
    NEWEST,
    PROTOCOLS,
    SOCKETS,
    Wishes,
    protocol_of,
)
from support.host_lab import HOST_ADDRESS, Filter
from support.lab import TCX_NEXT, XDP_PASS, Attached, returning
from support.twin_hosts import change

FLOOD_SECONDS = 0.4

OLDER_SECONDS = 410.0
"""In which an older querier may be remembered: one of IGMPv1 for 400 s (RFC 2236 §8.11)."""

OTHER_HOOKS = {
    "xdp": (XDP_PASS, "xdp", AttachType.XDP),
    "tcx_ingress": (TCX_NEXT, "tc", AttachType.TCX_INGRESS),
    "tcx_egress": (TCX_NEXT, "tc", AttachType.TCX_EGRESS),
}


class Actions:
    """Does steps. `outages`: when which interface could say nothing, whoever wanted it."""

    def __init__(self, net: Net, service: Service, wishes: Wishes) -> None:
        self.net, self.service, self.wishes = net, service, wishes
        self.outages: list[Outage] = []
        self._members = {
            (name, owner): Member(net.host, name) for name in net.judged for owner in SOCKETS
        }
        self._forgettable: set[tuple[str, int, str]] = set()
        """What clients were told that it is not kept, and must say again after a restart."""
        self._down: dict[str, float] = {}
        self._lied: set[tuple[str, str]] = set()
        self._older: dict[tuple[str, str], float] = {}
        self._others: list[Attached] = []
        self._numbers = {name: 10 for name in PROTOCOLS}
        self._hardware = 0

    def do(self, step: Step) -> None:
        kind, *values = step
        if values and values[0] in PROTOCOLS and values[0] not in self.net.judged:
            return
        actions: dict[str, Callable[..., None]] = {
            "pause": time.sleep, "reload": self.service.configure, "clock": self.service.set_clock,
            "freeze": self.service.freeze, "starve": self.service.starve,
            "yard": self.net.toggle_yard, "older": self.ask, "lie": self.ask,
        }  # fmt: skip
        (actions.get(kind) or getattr(self, kind))(*values)

    # What is wanted.

    def want(self, name: str, owner: int, group: str, wanted: Sequence[Any] | None) -> None:
        what = None if wanted is None else (str(wanted[0]), frozenset(wanted[1]))
        mind = self.wishes.of[name, owner]
        before = mind.now(group)
        if what == before:
            return
        if what is None:  # less is wanted at once, more only when it has been asked for
            mind.set(group, what)
        self._say(name, owner, group, before, what)
        if what is not None:
            mind.set(group, what)

    def _say(
        self, name: str, owner: int, group: str, before: Filter | None, what: Filter | None
    ) -> None:
        if owner in SOCKETS:
            change(self._members[name, owner], group, before, what)
        elif owner in CLIENTS:
            self._ask_agent(name, owner, group, what)
        else:
            self.service.memberships.pop((name, group), None)
            if what is not None:
                self.service.memberships[name, group] = what
            self.service.configure()

    def _ask_agent(self, name: str, owner: int, group: str, what: Filter | None) -> None:
        parameters: dict[str, Any] = {"name": name, "group": group, "as": f"client{owner}"}
        if what is None:
            answer = self.service.call("leave", **parameters)
            is_kept = not answer.get("problem")
        else:
            mode, sources = what
            answer = self.service.call(
                "join", **parameters, sources=sorted(sources), exclude=mode == "exclude"
            )
            is_kept = bool(answer["kept"])
        if is_kept:
            self._forgettable.discard((name, owner, group))
        else:
            self._forgettable.add((name, owner, group))

    def _say_again(self) -> None:
        """After a restart: clients say what they had been told that it is not kept."""
        for name, owner, group in sorted(self._forgettable):
            self._ask_agent(name, owner, group, self.wishes.of[name, owner].now(group))

    # What comes by the wire.

    def ask(self, name: str, kind: str, group: str, sources: Sequence[str]) -> None:
        protocol = protocol_of(group)
        if kind == "rival" and name != "eth0":
            return  # pimd does not hear what this end of the cable says
        if kind == "hours between":
            self._lied.add((name, protocol))
        is_read_as_older = kind == "no time to answer" and self.service.is_capped(name, protocol)
        if kind in OLDER[protocol] or is_read_as_older:
            self._note_older(name, protocol)
        self.net.wires[name].send(ASK[protocol][kind](group, sources))

    def flood(self, name: str, seed: int) -> None:
        frames, wire = strangers(seed), self.net.wires[name]
        until = time.monotonic() + FLOOD_SECONDS
        while time.monotonic() < until:
            for frame in frames:
                with suppress(OSError):  # ENOBUFS: as full as can be
                    wire.send(frame)

    def querier(self, on: int) -> None:
        self.net.of_bridge("mcast_querier", str(on))

    def version(self, protocol: str, version: int) -> None:
        self.net.of_bridge(f"mcast_{protocol}_version", str(version))
        if version < NEWEST[protocol]:
            self._note_older("eth0", protocol)

    def router(self) -> None:
        """The router dies, and knows nothing afterwards."""
        if self.net.router is not None:
            self.net.router.kill()
            self.net.router.start(self.net.lab)

    def may_be_old(self, name: str, protocol: str) -> bool:
        """Whether an older version may still be spoken because somebody asked in it.

        An older querier is remembered for as long as the last newer one said that it takes, and by
        who has heard none yet for as long as the defaults say: 260 s (RFC 9776 §8.12).
        """
        until = self._older.get((name, protocol), 0.0)
        return until > time.monotonic() or bool(until and (name, protocol) in self._lied)

    def _note_older(self, name: str, protocol: str) -> None:
        self._older[name, protocol] = time.monotonic() + OLDER_SECONDS

    # What befalls the host.

    def flap(self, name: str) -> None:
        self.down(name)
        self.up(name)

    def down(self, name: str) -> None:
        if name not in self._down:
            self.net.host.ip("link", "set", name, "down")
            self._down[name] = time.monotonic()
            self._lied -= {(name, protocol) for protocol in NEWEST}

    def up(self, name: str) -> None:
        since = self._down.pop(name, None)
        if since is not None:
            self.net.host.ip("link", "set", name, "up")
            self.outages.append((name, since, time.monotonic()))

    def address(self, name: str) -> None:
        """The IPv4 address is another now, and in between there is none."""
        before, self._numbers[name] = self._address(name), self._numbers[name] % 50 + 10
        self.net.host.ip("address", "del", before, "dev", name)
        self.net.host.ip("address", "add", self._address(name), "dev", name)

    def _address(self, name: str) -> str:
        network = (HOST_ADDRESS if name == "eth0" else BEHIND_ROUTER).rpartition(".")[0]
        return f"{network}.{self._numbers[name]}/24"

    def mtu(self, name: str, size: int) -> None:
        self.net.host.ip("link", "set", name, "mtu", str(size))

    def hardware(self, name: str) -> None:
        self._hardware += 1
        address = f"02:00:00:00:{self._hardware >> 8:02x}:{self._hardware & 255:02x}"
        self.net.host.ip("link", "set", name, "address", address)

    def anew(self, name: str) -> None:
        """The interface is deleted and made again; who had joined on it joins on the new one."""
        self.up(name)
        begun = time.monotonic()
        self._others_go()
        self.net.make_anew(name)
        self._numbers[name] = 10
        self._lied -= {(name, protocol) for protocol in NEWEST}
        for owner in SOCKETS:
            self._members[name, owner].close()
            self._members[name, owner] = Member(self.net.host, name)
        for owner, group, wanted in self.wishes.held_by(name, SOCKETS):
            change(self._members[name, owner], group, None, wanted)
        self.outages.append((name, begun, time.monotonic()))

    def other(self, hook: str) -> None:
        """Somebody else's program on eth0, or all of them go. XDP takes one: it comes first."""
        if hook == "away":
            self._others_go()
            return
        verdict, kind, where = OTHER_HOOKS[hook]
        if hook == "xdp":
            self._others_go()
            self.service.relieve()
            begun = time.monotonic()
            self.service.agent.kill()
            self._others.append(Attached(self.net.host, "eth0", returning(verdict, kind), where))
            self.service.start_again(begun)
            self._say_again()
        else:
            self._others.append(Attached(self.net.host, "eth0", returning(verdict, kind), where))

    def _others_go(self) -> None:
        while self._others:
            self._others.pop().close()

    def detach(self, number: int) -> None:
        """Another tool detaches one of the agent's programs."""
        links = list(link_ids(self.service.agent.process.pid))
        if links:
            subprocess.run(
                ["bpftool", "link", "detach", "id", links[number % len(links)]],
                check=False, capture_output=True,
            )  # fmt: skip

    # What befalls the agent.

    def stop(self) -> None:
        self.service.restart("stop")
        self._say_again()

    def kill(self) -> None:
        self.service.restart("kill")
        self._say_again()

    def cap(self, name: str, protocol: str, version: int) -> None:
        self.service.caps[name][protocol] = version
        self.service.configure()

    def disk(self, fault: str) -> None:
        disk = self.service.disk
        if fault == "read_only":
            self.service.relieve()
            begun = time.monotonic()
            self.service.agent.kill()
            disk.read_only()
            self.service.start_again(begun)
            self._say_again()
            return
        if disk.fault == "read_only" and fault != "mend":
            disk.mend()
        getattr(disk, fault)()
        if fault in ("gone", "in_the_way"):  # with all that had been kept
            self._forgettable |= {
                (name, owner, group)
                for name in self.net.judged
                for owner in CLIENTS
                for group in self.wishes.of[name, owner].changes
            }

    def close(self) -> None:
        self._others_go()
        for each in self._members.values():
            each.close()

    # Quiet.

    def mend(self) -> None:
        """Ends all faults, but not what was changed for good."""
        self.service.relieve()
        for name in list(self._down):
            self.up(name)
        self.service.disk.mend()
        self.net.of_bridge(
            "mcast_querier", "1", "mcast_igmp_version", "3", "mcast_mld_version", "2"
        )


def link_ids(pid: int) -> list[str]:
    """The BPF links that a process has."""
    found = []
    for entry in sorted(Path(f"/proc/{pid}/fdinfo").iterdir(), key=lambda each: int(each.name)):
        with suppress(OSError):
            for line in entry.read_text().splitlines():
                if line.startswith("link_id:"):
                    found.append(line.split()[1])
    return found
