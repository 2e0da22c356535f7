"""The agent as a service manager has it: started, stopped, killed, starved, and kept running."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcastd.client import Client
from mcastd_lab import Lab, Namespace, RunningAgent

from support.chaos.disk import Disk
from support.chaos.wishes import NEWEST
from support.host_lab import Filter

CLOCK = Path(__file__).with_name("clock.py")

SPARE_DESCRIPTORS = 1
SPARE_MEMORY = 2 << 20
"""Bytes of address space that are left while memory is scarce."""

KEPT_OF_LOG = 4000


class Service:
    """One agent at a time, its configuration, and what is done to its process."""

    def __init__(self, lab: Lab, host: Namespace) -> None:
        self._lab, self._host = lab, host
        self.disk = lab.keep(Disk(lab.directory / "disk"))
        self.caps = {name: dict(NEWEST) for name in ("eth0", "eth1")}
        self.memberships: dict[tuple[str, str], Filter] = {}
        """What is joined by the configuration: by interface and group."""
        self.starts: list[tuple[float, float]] = []
        """From when to when there was none."""
        self.stalls: list[tuple[float, float]] = []
        """From when to when it was frozen."""
        self.ends = 0
        """How often it ended for want of memory."""
        self._settings = lab.directory / "chaos.toml"
        self._ahead = lab.directory / "ahead"
        self._ahead.write_text("0")
        self._frozen = self._starved = False
        self._frozen_since = 0.0
        self._memory_was_scarce = False
        self._limits: dict[int, tuple[int, int]] = {}
        self.agent = self._start()

    # Configuration.

    def write_settings(self) -> None:
        text = "".join(map(self._section, ("eth0", "eth1")))
        text += '[interface."box*"]\nmode = "host"\n'
        text += '[[interface."box*".membership]]\ngroup = "239.9.9.9"\n'
        text += '[[interface."box*".membership]]\ngroup = "ff3e::9:9"\nsources = ["2001:db8::9"]\n'
        part = self._settings.with_suffix(".part")
        part.write_text(text)
        part.rename(self._settings)

    def _section(self, name: str) -> str:
        lines = [f"[interface.{name}]", 'mode = "host"', 'ovqp_formula = "rfc3376"']
        lines += [f"{each}_max_version = {cap}" for each, cap in self.caps[name].items()]
        for (interface, group), (mode, sources) in sorted(self.memberships.items()):
            if interface == name:
                listed = ", ".join(f'"{each}"' for each in sorted(sources))
                lines += [f"[[interface.{name}.membership]]", f'group = "{group}"']
                lines += [f'mode = "{mode}"', f"sources = [{listed}]"]
        return "\n".join(lines) + "\n"

    def is_capped(self, name: str, protocol: str) -> bool:
        """Whether newer queries are read as older versions read them: without time to answer they
        are of version 1 (RFC 2236 §6)."""
        return self.caps[name][protocol] < NEWEST[protocol]

    def configure(self) -> None:
        """Has the settings read that are in force from now on."""
        self.write_settings()
        self.call("reload")

    def call(self, method: str, **parameters: Any) -> Any:
        """A request of an administrator; whatever the process suffers from ends first."""
        self.relieve()
        with Client(str(self.agent.control)) as client:
            return client.call(method, **parameters)

    # The process.

    def _start(self) -> RunningAgent:
        self.write_settings()
        state = f"STATE_DIRECTORY={self.disk.state}"
        wrapper = ("env", state, sys.executable, str(CLOCK), str(self._ahead))
        return self._lab.agent(self._host, "--metrics", "", "-c", self._settings, wrapper=wrapper)

    def restart(self, how: str) -> None:
        """`how`: "kill" or "stop"."""
        self.relieve()
        begun = time.monotonic()
        self.agent.kill() if how == "kill" else self.agent.close()
        self.start_again(begun)

    def start_again(self, begun: float) -> None:
        """It has ended, at that time."""
        self.agent = self._start()
        self._limits = {}
        self._memory_was_scarce = False
        self.starts.append((begun, time.monotonic()))

    def tend(self) -> list[str]:
        """Starts it again if it has ended; what is wrong with that, if memory was not scarce."""
        code = self.agent.process.poll()
        if code is None:
            return []
        said, was_scarce = self.agent.log()[-KEPT_OF_LOG:], self._memory_was_scarce
        self._frozen = self._starved = False
        self.start_again(time.monotonic())
        if was_scarce:
            self.ends += 1
            return []
        return [f"the agent ended with {code}: {said}"]

    def freeze(self) -> None:
        if not self._frozen:
            self.agent.process.send_signal(signal.SIGSTOP)
            self._frozen_since = time.monotonic()
        self._frozen = True

    def starve(self, what: str) -> None:
        """Of "descriptors" or "memory", until it is relieved."""
        self.relieve()
        pid = self.agent.process.pid
        if what == "descriptors":
            limit, least = resource.RLIMIT_NOFILE, len(os.listdir(f"/proc/{pid}/fd"))
            least += SPARE_DESCRIPTORS
        else:
            limit, least = resource.RLIMIT_AS, status_of(pid)["VmSize"] + SPARE_MEMORY
            self._memory_was_scarce = True
        self._limits[limit] = resource.prlimit(pid, limit)
        resource.prlimit(pid, limit, (least, self._limits[limit][1]))
        self._starved = True

    def relieve(self) -> None:
        """It runs, and has all it needs."""
        if self._frozen:
            self.agent.process.send_signal(signal.SIGCONT)
            self.stalls.append((self._frozen_since, time.monotonic()))
        if self._starved and self.agent.process.poll() is None:
            for limit, before in self._limits.items():
                resource.prlimit(self.agent.process.pid, limit, before)
        self._limits, self._frozen, self._starved = {}, False, False

    def set_clock(self, ahead: float) -> None:
        """By so many seconds the agent's wall clock is ahead of this machine's."""
        self._ahead.write_text(f"{ahead:<24}")

    def usage(self) -> dict[str, int]:
        pid = self.agent.process.pid
        return {"rss": status_of(pid)["VmRSS"], "descriptors": len(os.listdir(f"/proc/{pid}/fd"))}


def status_of(pid: int) -> Mapping[str, int]:
    """What /proc says of a process's memory, bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(kilobytes) << 10 for name, kilobytes, _ in fields}
