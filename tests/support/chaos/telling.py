"""Tells stories to a host run by the agent, and looks at quiet points whether all is as wanted."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from unittest.mock import patch

from mcastd.client import AgentError, NotThereError
from mcastd.lab import Lab

from support.chaos.actions import Actions
from support.chaos.net import IN_YARD, ROUTER, Held, Net
from support.chaos.service import Service
from support.chaos.silence import longest
from support.chaos.steps import Step
from support.chaos.wishes import EVERYTHING, NEWEST, PROTOCOLS, Wishes, protocol_of
from support.host_lab import QUERIER_ADDRESS
from support.lab import link_local
from support.waiting import stretched

QUIET_SECONDS = 40.0
"""At most, from the end of all faults to a quiet point."""

STEADY_SECONDS = 0.5
"""For so long nothing must be otherwise."""


@dataclass
class Journal:
    """What has been told, and what was measured at its quiet points."""

    steps: Counter[str] = field(default_factory=Counter)
    quiet_points: int = 0
    silence: dict[str, float] = field(default_factory=lambda: {"kernel": 0.0, "agent": 0.0})
    longest_settling: float = 0.0
    longest_absence: float = 0.0
    """Seconds without an agent, from its end to where it is ready again."""
    starts: int = 0
    ends: int = 0
    """Of the agent for want of memory."""
    unread: int = 0
    """Messages that a full ring could not hand over."""
    usage: list[dict[str, int]] = field(default_factory=list)


class Chaos:
    """One host, and all that befalls it."""

    def __init__(self, lab: Lab, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self.net = lab.keep(Net(lab))
        self.wishes = Wishes()
        self.service = Service(lab, self.net.host)
        self.actions = Actions(self.net, self.service, self.wishes)
        if self.net.router is not None:
            self.net.router.start(lab)
        self._since = time.monotonic()
        self._log = ""

    def tell(self, story: Sequence[Step]) -> list[str]:
        """What went wrong, the first of it; nothing if all is as wanted at the end."""
        for step in story:
            problems = self.service.tend()
            if problems:
                return problems
            try:
                self.actions.do(step)
            except (NotThereError, AgentError) as error:
                return self.service.tend() or [f"{step}: {error!r}"]
            if step[0] != "pause":
                self.journal.steps[step[0]] += 1
        return self.quiet()

    def quiet(self) -> list[str]:
        """Ends all faults, and waits until nothing is otherwise than wanted; what still is."""
        self.actions.mend()
        begun, good_since = time.monotonic(), None
        while True:
            problems = self.service.tend() or self.problems()
            now = time.monotonic()
            if problems:
                good_since = None
            elif good_since is None:
                good_since = now
            elif now - good_since > STEADY_SECONDS:
                break
            if now - begun > stretched(QUIET_SECONDS):
                return problems or ["now this, now that"]
            time.sleep(0.1)
        self._measure(good_since - begun)
        return self._faults_of_log()

    # What is looked at.

    def problems(self) -> list[str]:
        try:
            status = self.service.agent.ask("status")
        except (OSError, ValueError) as error:
            return [f"the agent does not answer: {error!r}"]
        interfaces = {each["name"]: each for each in status["interfaces"]}
        found = []
        wanted: dict[str, Held] = {}
        for name, held in self.net.held().items():
            there = interfaces.get(name)
            if there is None or there["mode"] != "host" or there.get("problem"):
                found.append(f"{name}: {there and (there['mode'], there.get('problem'))}")
                continue
            versions = {each: there[each]["version"] for each in NEWEST}
            wanted[name] = self._wanted(name, versions)
            found += self._older_than_asked(name, versions)
            found += [
                f"{name} {group}: {held.get(group)} is held, and not {wanted[name].get(group)}"
                for group in sorted(held.keys() | wanted[name].keys())
                if held.get(group) != wanted[name].get(group)
            ]
        return found

    def _wanted(self, name: str, versions: dict[str, int]) -> Held:
        """What a router must hold; it knows of no sources where an older version is spoken."""
        asked = self.wishes.now(name) if name in PROTOCOLS else IN_YARD
        return {
            group: each
            if versions[protocol_of(group)] == NEWEST[protocol_of(group)]
            else EVERYTHING
            for group, each in asked.items()
        }

    def _older_than_asked(self, name: str, versions: dict[str, int]) -> Iterator[str]:
        caps = self.service.caps.get(name, NEWEST)
        for protocol, version in versions.items():
            if version < caps[protocol] and not self.actions.may_be_old(name, protocol):
                yield f"{name}: {protocol} version {version} is spoken, and nobody asked for that"

    def _faults_of_log(self) -> list[str]:
        with suppress(OSError):
            said = self.service.agent.log()
            if "Traceback" in said:
                return [said[said.index("Traceback") :][:4000]]
        return []

    # What is measured.

    def _measure(self, settling: float) -> None:
        now = time.monotonic()
        journal = self.journal
        journal.quiet_points += 1
        journal.longest_settling = max(journal.longest_settling, settling)
        queriers = {"eth0": (QUERIER_ADDRESS, link_local(self.net.base.switch, "br0"))}
        queriers["eth1"] = (ROUTER, ROUTER)
        for name in self.net.judged:
            seen = [e for each in self.net.sniffers[name] for e in each.seen(self._since)]
            seen.sort(key=lambda each: each.at)
            found = longest(
                self.wishes,
                name,
                seen,
                outages=self.actions.outages,
                queriers=queriers[name],
                until=now,
            )
            for speaker, seconds in found.items():
                journal.silence[speaker] = max(journal.silence[speaker], seconds)
        journal.starts += len(self.service.starts)
        absences = [end - begin for begin, end in self.service.starts]
        journal.longest_absence = max([journal.longest_absence, *absences])
        journal.ends += self.service.ends
        self.service.starts, self.service.ends = [], 0
        self.actions.outages.clear()
        journal.usage.append(self.service.usage())
        self._since = now


@contextmanager
def chaos(journal: Journal | None = None) -> Iterator[Chaos]:
    with (
        tempfile.TemporaryDirectory(prefix="mcastd-state-") as state,
        patch.dict(os.environ, {"STATE_DIRECTORY": state}),
        Lab() as lab,
    ):
        yield Chaos(lab, journal)


def shrunk(
    story: Sequence[Step], fails: Callable[[Sequence[Step]], bool], seconds: float
) -> list[Step]:
    """A shorter story that fails, too: halves, quarters and so on are left out while there is time.

    The story itself if it does not fail when it is told again.
    """
    deadline = time.monotonic() + seconds
    best = list(story)
    piece = len(best) // 2
    while piece and time.monotonic() < deadline:
        at = 0
        while at < len(best) and time.monotonic() < deadline:
            shorter = best[:at] + best[at + piece :]
            if shorter and fails(shorter):
                best = shorter
            else:
                at += piece
        piece //= 2
    return best
