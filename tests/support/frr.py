"""FRR's pimd as the querier: a router that we did not write, with a memory of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcastd_lab import Lab, Namespace, veth

from support.host_lab import Filter, eventually

DAEMONS = Path("/usr/lib/frr")

NO_TIMER = "--:--:--"
"""Of a group, as pimd shows it."""


def is_there() -> bool:
    return (DAEMONS / "pimd").exists()


class Router:
    """pimd in a namespace of its own, on a cable to the host; it asks every two seconds."""

    def __init__(
        self,
        lab: Lab,
        host: Namespace,
        *,
        version: int,
        label: str = "router",
        address: str = "192.0.2.10",
        interface: str = "eth0",
        own_address: str = "192.0.2.1",
    ) -> None:
        """`address` and `interface`: the host's."""
        self.namespace = lab.namespace(label)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._directory = lab.directory / label
        self._directory.mkdir()
        lab.directory.chmod(0o711)  # the daemons become users of their own
        shutil.chown(self._directory, "frr", "frr")
        veth(self.namespace, "lan0", host, interface)
        self.namespace.ip("address", "add", f"{own_address}/24", "dev", "lan0")
        host.ip("address", "add", f"{address}/24", "dev", interface)
        (self._directory / "zebra.conf").write_text("hostname router\n")
        (self._directory / "pimd.conf").write_text(
            "hostname router\n"
            "interface lan0\n"
            " ip pim\n"
            " ip igmp\n"
            f" ip igmp version {version}\n"
            " ip igmp query-max-response-time 10\n"
            " ip igmp query-interval 2\n"
            " ip igmp last-member-query-interval 2\n"
        )

    def start(self, lab: Lab) -> None:
        """Its first query comes at once."""
        for daemon in ("zebra", "pimd"):
            self._start(lab, daemon)
            eventually(daemon, (self._directory / f"{daemon}.vty").exists, 30.0)

    def kill(self) -> None:
        """Both daemons, as if they had crashed; `start` begins with nothing known."""
        for process in self._processes:
            process.kill()
            process.wait()
        self._processes.clear()
        for daemon in ("zebra", "pimd"):
            (self._directory / f"{daemon}.vty").unlink(missing_ok=True)

    def _start(self, lab: Lab, daemon: str) -> None:
        directory = self._directory
        process = lab.process(
            self.namespace,
            *(DAEMONS / daemon, "-u", "frr", "-g", "frr", "-P", "0", "-A", "127.0.0.1"),
            *("-z", directory / "zserv.api", "--vty_socket", directory),
            *("-i", directory / f"{daemon}.pid", "-f", directory / f"{daemon}.conf"),
            *("--log", f"file:{directory}/{daemon}.log"),
        )
        self._processes.append(process)

    def show(self, command: str) -> Any:
        """`show ... json`, as pimd says it."""
        done = subprocess.run(
            ["vtysh", "--vty_socket", self._directory, "-d", "pimd", "-c", f"show {command} json"],
            capture_output=True,
            text=True,
            check=False,
        )
        start = done.stdout.find("{")
        return json.loads(done.stdout[start:]) if start >= 0 else {}

    def held(self) -> dict[str, Filter]:
        """What it holds for the cable: by group, its mode and sources, told by their timers.

        INCLUDE without sources is nothing (RFC 9776 section 6.3), and is left out. pimd shows such
        groups, and for ever: a BLOCK that is retransmitted after its last timer ran out makes the
        group anew, and only a source that expires would remove it.
        """
        groups = self.show("ip igmp groups").get("lan0", {}).get("groups", [])
        sources = self.show("ip igmp sources").get("lan0", {})
        found: dict[str, Filter] = {}
        for each in groups:
            # It shows no mode of a group that was once reported in IGMPv2; EXCLUDE has a timer.
            runs = each.get("timer", NO_TIMER) != NO_TIMER
            mode = "include" if each.get("mode") == "INCLUDE" or not runs else "exclude"
            listed = sources.get(each["group"], {}).get("sources", [])
            wanted = {
                source["source"]
                for source in listed
                if (source["timer"] != "--:--") == (mode == "include") and source["source"] != "*"
            }
            if mode == "exclude" or wanted:
                found[each["group"]] = mode, frozenset(wanted)
        return found

    def expect(self, wanted: Mapping[str, Filter], seconds: float = 30.0) -> None:
        """Waits until it holds exactly this."""
        seen: dict[str, Filter] = {}

        def fits() -> bool:
            nonlocal seen
            seen = {group: each for group, each in self.held().items() if group != "224.0.0.106"}
            return seen == wanted

        try:
            eventually("the filters", fits, seconds)
        except AssertionError:
            raise AssertionError(f"{seen} is held, and not {wanted}") from None
