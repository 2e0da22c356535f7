"""A host at one end of a cable, at the other a generator and the true querier: who is flooded.

Generator and querier are on the last processor allowed, whose kernel side also receives what they
send; who has to cope with it is on the others. Without others it shares that one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from subprocess import PIPE

from mcastd.fastpath.attach import XDP_FLAGS_DRV_MODE
from mcastd.fastpath.kernel import AttachType, Kernel, Link
from mcastd.fastpath.objects import obtain
from mcastd.gmp.family import FAMILIES
from mcastd_lab import Generator, Lab, LabError, Member, RunningAgent, veth
from mcastd_lab.generator import Sent
from mcastd_lab.processes import start, stop

from mcastd_bench.progress import tell
from mcastd_bench.true_querier import ADDRESSES, Answers, TrueQuerier
from mcastd_bench.usage import softirq_seconds

HOST = "192.0.2.10/24"
ANY_SOURCE = ("239.1.1.1", "239.1.1.2", "239.1.1.3", "ff1e::1:1", "ff1e::1:2")
SOURCE_SPECIFIC = (("232.1.1.1", "10.0.0.2"), ("ff3e::8000:1", "2001:db8::2"))

NO_IPV6 = ("ipv6.conf.all.disable_ipv6", "ipv6.conf.default.disable_ipv6")

LATEST_SECONDS = 10.5
"""For an answer: what an IGMPv1 host takes at the most (RFC 1112 Appendix I)."""

READY_SECONDS = 30.0
TELL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Flooded:
    """What came of a flood. `softirq`: share of the flood's processor."""

    sent: Sent
    answers: Answers
    softirq: float

    @property
    def mpps(self) -> float:
        """Millions of frames a second."""
        return self.sent.frames / self.sent.seconds / 1e6


class FloodedHost:
    """Receives some groups, and has a native XDP program when it is flooded: the veth needs one."""

    def __init__(self, lab: Lab, processors: Set[int]) -> None:
        """LabError, FastPathError or OSError if it cannot be had. `processors`: those allowed."""
        self.lab = lab
        self._flooding = max(processors)
        self._others = set(processors) - {self._flooding} or {self._flooding}
        self.host, outside = lab.namespace("host"), lab.namespace("outside")
        outside.sysctl(dict.fromkeys(NO_IPV6, 1))
        veth(outside, "out0", self.host, "eth0")
        self.host.ip("address", "add", HOST, "dev", "eth0")
        member = lab.keep(Member(self.host, "eth0"))
        for group in ANY_SOURCE:
            member.join(group)
        for group, source in SOURCE_SPECIFIC:
            member.join_source(group, source)
        self._kernel = lab.keep(Kernel(obtain(tell)))
        self._generator = lab.keep(Generator((outside, "out0"), (self.host, "eth0"), tell))
        self.querier = lab.keep(TrueQuerier(outside, "out0", groups()))

    @contextmanager
    def agent(self, configuration: str) -> Iterator[RunningAgent]:
        """In host mode, knowing the groups and the querier."""
        path = self.lab.directory / "flood.toml"
        path.write_text(configuration)
        wrapper = ("env", f"STATE_DIRECTORY={self.lab.directory}")
        with self._on_other_processors():
            agent = self.lab.agent(
                self.host, "-c", path, "-i", "eth0", "--mode", "host", "--metrics", "",
                wrapper=wrapper,
            )  # fmt: skip
        try:
            wanted = {*ANY_SOURCE, *(group for group, _ in SOURCE_SPECIFIC)}
            await_("the groups", lambda: wanted <= {e["group"] for e in agent.ask("groups")})
            with self.querier.asking():
                await_("the querier", lambda: all(heard(agent, each) > 2 for each in FAMILIES))
            yield agent
        finally:
            agent.close()

    @contextmanager
    def null_program(self) -> Iterator[None]:
        """The kernel for itself: the program passes everything."""
        with self.host.entered():
            program = self._kernel.program("mcast_inject")
            link = Link(program, self.host.index("eth0"), AttachType.XDP, XDP_FLAGS_DRV_MODE)
        try:
            yield
        finally:
            link.close()

    @contextmanager
    def process(self, *command: str) -> Iterator[Callable[[], bytes]]:
        """Runs beside, once it has said a line; yields what ends it and returns its other words."""
        with self._on_other_processors():
            process = start(self.host, command, output=PIPE)
        assert process.stdout is not None
        output = process.stdout

        def end() -> bytes:
            process.terminate()
            return output.read()

        try:
            if not output.readline():
                raise LabError(f"{' '.join(command)}: ended at once")
            yield end
        finally:
            stop(process)

    def flood(
        self, frames: list[bytes], seconds: float, look: Callable[[], object] = lambda: None
    ) -> Flooded:
        """As fast as can be, while the querier asks; `look` is called now and then."""
        begun = told = time.monotonic()

        def report() -> None:
            nonlocal told
            look()
            if time.monotonic() - told >= TELL_SECONDS:
                told = time.monotonic()
                tell(f"    {min(told - begun, seconds):.0f} of {seconds:.0f} s")

        softirq = softirq_seconds(self._flooding)
        with self.querier.asking(patience=LATEST_SECONDS):
            begun = told = time.monotonic()
            sent = self._generator.flood(frames, seconds, report)
            softirq = softirq_seconds(self._flooding) - softirq
        return Flooded(sent, self.querier.answers(), softirq / sent.seconds)

    @contextmanager
    def _on_other_processors(self) -> Iterator[None]:
        """What is started meanwhile stays there."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, self._others)
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)


def groups() -> dict[str, set[bytes]]:
    """What the host receives, by protocol."""
    texts = [*ANY_SOURCE, *(group for group, _ in SOURCE_SPECIFIC)]
    return {
        name: {family.parse(text) for text in texts if (":" in text) == (name == "mld")}
        for name, family in FAMILIES.items()
    }


def heard(agent: RunningAgent, protocol: str) -> int:
    """How many of the true querier's queries have been handed over."""
    return sum(
        int(view["queries"])
        for each in agent.ask("querier", name="eth0")
        for view in each["queriers"]
        if view["address"] == ADDRESSES[protocol]
    )


def await_(what: str, look: Callable[[], bool]) -> None:
    """LabError if it does not come about."""
    end = time.monotonic() + READY_SECONDS
    while not look():
        if time.monotonic() > end:
            raise LabError(f"the agent did not come to know {what} in {READY_SECONDS:.0f} s")
        time.sleep(0.05)
