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
from mcastd_lab import Lab

from support.chaos.actions import Actions
from support.chaos.net import IN_YARD, MEMBERSHIP_SECONDS, ROUTER, Held, Net
from support.chaos.service import Service
from support.chaos.silence import longest
from support.chaos.steps import Step
from support.chaos.wishes import EVERYTHING, NEWEST, PROTOCOLS, Wishes, protocol_of
from support.host_lab import QUERIER_ADDRESS, Filter
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
    silences: list[tuple[str, str, str, float]] = field(default_factory=list)
    """Those in which a router may have forgotten the group: where, which group, who, how long."""
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
        self.actions = lab.keep(Actions(self.net, self.service, self.wishes))
        if self.net.router is not None:
            self.net.router.start(lab)
        self._since = time.monotonic()
        self._lost: dict[str, int] = {}

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
        for name, held in self.net.held().items():
            there = interfaces.get(name)
            if there is None or there["mode"] != "host" or there.get("problem"):
                found.append(f"{name}: {there and (there['mode'], there.get('problem'))}")
                continue
            versions = {each: there[each]["version"] for each in NEWEST}
            found += self._older_than_asked(name, versions)
            found += self._otherwise(name, held, versions)
        return found

    def _otherwise(self, name: str, held: Held, versions: dict[str, int]) -> Iterator[str]:
        """What a router holds otherwise than it must.

        Older versions know of no sources. While an older querier is remembered the kernel and the
        agent may speak different versions, and a router may hold what only one of them has said.
        """
        wanted = self.wishes.now(name) if name in PROTOCOLS else IN_YARD
        for group in sorted(held.keys() | wanted.keys()):
            there, should = held.get(group), wanted.get(group)
            protocol = protocol_of(group)
            is_older = versions[protocol] < NEWEST[protocol]
            is_excused = self.actions.may_be_old(name, protocol)
            fits = there == should and (not is_older or is_excused)
            if should is not None and (is_older or is_excused):
                parts = self.wishes.parts(name, group) if name in PROTOCOLS else ()
                fits = fits or there in parts or fits_older(name, group, there, versions[protocol])
            if not fits:
                yield f"{name} {group}: {held.get(group)} is held, and not {should}"

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

    def _newly_lost(self) -> int:
        """Messages that were not handed over since this was asked last; a new agent counts anew."""
        now = {
            each["interface"]: sum(sum(causes.values()) for causes in each["lost"].values())
            for each in self.service.agent.ask("counters")
        }
        before, self._lost = self._lost, now
        return sum(max(0, count - before.get(name, 0)) for name, count in now.items())

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
                stalls=self.service.stalls,
            )
            for speaker, each in found.items():
                journal.silence[speaker] = max(journal.silence[speaker], each.seconds)
                if each.seconds > MEMBERSHIP_SECONDS:
                    journal.silences.append((name, each.group, speaker, each.seconds))
        journal.starts += len(self.service.starts)
        absences = [end - begin for begin, end in self.service.starts]
        journal.longest_absence = max([journal.longest_absence, *absences])
        journal.ends += self.service.ends
        self.service.starts, self.service.ends = [], 0
        self.actions.outages.clear()
        self.service.stalls.clear()
        journal.usage.append(self.service.usage())
        journal.unread += self._newly_lost()
        self._since = now


def fits_older(name: str, group: str, there: Filter | None, version: int) -> bool:
    """Whether that is held of a group that is reported in an older version.

    The bridge keeps sources that were named before: its snooping does not let an older report take
    them back. pimd ignores older reports of source-specific groups (RFC 4604 §2.2.1), and those of
    IGMPv1.
    """
    if name == "eth1":
        is_ignored = version == 1 or group.startswith("232.")
        return there == EVERYTHING or (there is None and is_ignored)
    return there is not None and there[0] == "exclude"


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
