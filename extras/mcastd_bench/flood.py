"""A flood of forged messages from one core, and what becomes of a host meanwhile.

The agent speaks for the host, keeps what is beyond its limits from the kernel, and answers the true
querier. After the flood its counters must say exactly what was sent. Beside it, for a shorter time:
the kernel as the host, with a program that does nothing; and a packet socket read in Python.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Set
from dataclasses import asdict
from functools import partial
from os import sched_getaffinity
from typing import Any

from mcastd.fastpath.errors import FastPathError
from mcastd.gmp.family import FAMILIES
from mcastd.wire import ReceptionContext
from mcastd_lab import Lab, LabError, RunningAgent

from mcastd_bench import forged
from mcastd_bench.flooded_host import Flooded, FloodedHost, heard
from mcastd_bench.progress import tell
from mcastd_bench.row import Better, Contest, Details, Row, Unavailable
from mcastd_bench.startup import resident
from mcastd_bench.true_querier import Answers
from mcastd_bench.usage import processor_seconds

STEADFAST = """\
[defaults]
compat_enable = false
"""
"""Forged older queries do not change the version that the host speaks (RFC 9776 §7.2.1)."""

COMPATIBLE = ""
"""They do, as the RFCs have it; an IGMPv1 host has 10 s to answer, whatever a query says."""

OTHERS_SHARE = 1 / 6
"""Of the seconds of the flood, for who is measured beside the agent."""

SAMPLE_SECONDS = 1.0


def rows() -> Iterable[Row]:
    processors = sched_getaffinity(0)
    for name, configuration in (("flood", STEADFAST), ("flood/compatible", COMPATIBLE)):
        prepare = partial(_contest, configuration, processors)
        yield Row(name, "Mpps", prepare, Better.LARGER, once=True)


def _contest(configuration: str, processors: Set[int]) -> Contest:
    lab = Lab()
    try:
        lab.__enter__()
        flood = Flood(FloodedHost(lab, processors), configuration)
    except (LabError, FastPathError, OSError) as why:
        lab.__exit__(None, None, None)
        raise Unavailable(str(why)) from why
    return Contest(
        ours=flood.of_the_agent,
        baselines={
            "kernel_alone": flood.of_the_kernel,
            "af_packet_python": flood.of_a_packet_socket,
        },
        details=lambda seconds: Details(flood.figures, flood.said),
        close=lambda: lab.__exit__(None, None, None),
    )


class Flood:
    """The same flood against each of them; `figures` and `said` grow as they are measured."""

    def __init__(self, host: FloodedHost, configuration: str) -> None:
        self._host = host
        self._configuration = configuration
        self._frames = forged.flood()
        self.figures: dict[str, Any] = {"different_frames": len(self._frames)}
        self.said: list[str] = []

    def of_the_agent(self, seconds: float) -> float:
        """Millions of frames a second. RuntimeError if one was not counted as what it is."""
        with self._host.agent(self._configuration) as agent:
            process, before = agent.process.pid, counted(agent)
            known = handed_over(agent)
            memory = Samples(lambda: resident(process))
            used, started = processor_seconds(process), time.monotonic()
            flooded = self._host.flood(self._frames, seconds, memory.look)
            share = (processor_seconds(process) - used) / (time.monotonic() - started)
            memory.take()
            after, known = counted(agent), handed_over(agent) - known
        asked = {name: self._host.querier.asked(name) for name in FAMILIES}
        found = difference(before, after)
        wanted = forged.expected(self._frames, flooded.sent.frames, ANYBODY)
        older = wanted.consumed if self._configuration == STEADFAST else Counter[str]()
        verify_consumed(found.consumed, kept_from_the_kernel(before, after), older)
        verify(found._replace(consumed=older), wanted._replace(consumed=older), asked)
        discarded = after["discarded"] - before["discarded"]
        self.figures["mcastd"] = shown(flooded) | {
            "exact": True,
            "queries_handed_over": known,
            "processor_share": share,
            "memory_mib": memory.summary(),
            "discarded": discarded,
            "handed_over": after["events"] - before["events"],
            "refused_by_the_limits": after["rate_limited"] - before["rate_limited"],
            "lost_ring_full": after["ring_full"] - before["ring_full"],
        }
        self.said.append(
            f"{flooded.sent.frames:,} frames in {flooded.sent.seconds:.0f} s, of which the sender "
            f"had its processor for {flooded.sent.processor:.0f} s; every counter exact; "
            f"{discarded:,} beyond the limits kept from the kernel"
        )
        self.said.append(
            f"{known} of {flooded.answers.asked} queries of the true querier handed over; "
            f"{said(flooded.answers)}; agent: {share:.1%} of a processor, "
            f"{memory.values[0]:.1f} MiB before, {memory.values[-1]:.1f} MiB after"
        )
        return flooded.mpps

    def of_the_kernel(self, seconds: float) -> float:
        """Millions of frames a second, all of which reach its stack."""
        tell("    the kernel alone")
        with self._host.null_program():
            flooded = self._host.flood(self._frames, seconds * OTHERS_SHARE)
        self.figures["kernel_alone"] = shown(flooded)
        self.said.append(
            f"kernel alone: {said(flooded.answers)}; {flooded.softirq:.0%} of the processor that "
            "is flooded in softirq"
        )
        return flooded.mpps

    def of_a_packet_socket(self, seconds: float) -> float:
        """Millions of frames a second that it receives; what it has no room for is lost."""
        tell("    a packet socket in Python")
        command = (sys.executable, "-m", "mcastd_bench.packet_receiver", "eth0")
        with self._host.null_program(), self._host.process(*command) as end:
            flooded = self._host.flood(self._frames, seconds * OTHERS_SHARE)
            result = json.loads(end())
        share = result.pop("cpu") / flooded.sent.seconds
        self.figures["af_packet_python"] = shown(flooded) | result | {"processor_share": share}
        whole = result["received"] + result["dropped"]
        self.said.append(
            f"packet socket in Python: {result['received']:,} of {whole:,} received, "
            f"{share:.0%} of a processor"
        )
        return float(result["received"]) / flooded.sent.seconds / 1e6


ANYBODY = ReceptionContext()
"""A host that has joined none of the forged groups, and has none of the forged addresses."""


class Samples:
    """Values of something, not oftener than every SAMPLE_SECONDS; the first at once."""

    def __init__(self, measure: Callable[[], float]) -> None:
        self._measure = measure
        self._last = 0.0
        self.values: list[float] = []
        self.take()

    def look(self) -> None:
        if time.monotonic() - self._last >= SAMPLE_SECONDS:
            self.take()

    def take(self) -> None:
        self._last = time.monotonic()
        self.values.append(self._measure())

    def summary(self) -> dict[str, float]:
        middle = self.values[len(self.values) // 2]
        return {
            "before": self.values[0],
            "middle": middle,
            "after": self.values[-1],
            "most": max(self.values),
        }


def counted(agent: RunningAgent) -> dict[str, Any]:
    """What the agent counts of received packets, and what became of them."""
    (found,) = agent.ask("counters", name="eth0")
    received = Counter(found["messages"]["rx"])
    for protocol, reasons in found["rejected"]["rx"].items():
        received.update({f"{protocol} {reason}": count for reason, count in reasons.items()})
    query = found["lost"]["query"]
    return {
        "received": received,
        "queries": found["events"]["query"] + sum(query.values()),
        "consumed": Counter(found["host_mode"]["older_queries_consumed"]),
        "discarded_queries": Counter(found["discarded"]["query"]),
        "discarded": sum(sum(each.values()) for each in found["discarded"].values()),
        "events": found["events"]["query"] + found["events"]["report"],
        "rate_limited": query["rate_limited"] + found["lost"]["report"]["rate_limited"],
        "ring_full": query["ring_full"] + found["lost"]["report"]["ring_full"],
    }


def handed_over(agent: RunningAgent) -> int:
    """The true querier's queries that the agent was told of."""
    return sum(heard(agent, name) for name in FAMILIES)


def difference(before: dict[str, Any], after: dict[str, Any]) -> forged.Expected:
    return forged.Expected(
        +(after["received"] - before["received"]),
        after["queries"] - before["queries"],
        +(after["consumed"] - before["consumed"]),
    )


def kept_from_the_kernel(before: dict[str, Any], after: dict[str, Any]) -> Counter[str]:
    """Older queries that did not reach the kernel, by protocol: consumed, or beyond the limits.

    Beyond the limits are newer ones, too; an older one that is, is not also counted as consumed.
    """
    kept: Counter[str] = after["consumed"] - before["consumed"]
    kept += after["discarded_queries"] - before["discarded_queries"]
    return kept


def verify_consumed(consumed: Counter[str], kept: Counter[str], wanted: Counter[str]) -> None:
    """RuntimeError if an older query reached the kernel, or what is none was consumed."""
    for protocol in {*consumed, *wanted}:
        if consumed[protocol] > wanted[protocol] or kept[protocol] < wanted[protocol]:
            raise RuntimeError(
                f"{protocol}: {consumed[protocol]} queries consumed and {kept[protocol]} kept from "
                f"the kernel, of {wanted[protocol]} older ones"
            )


def verify(found: forged.Expected, wanted: forged.Expected, asked: dict[str, int]) -> None:
    """RuntimeError, naming what differs; `asked`: the true querier's queries, by protocol."""
    received = wanted.received + Counter(
        {f"{name} query {FAMILIES[name].newest}": count for name, count in asked.items()}
    )
    everything = wanted._replace(received=received, queries=wanted.queries + sum(asked.values()))
    if found != everything:
        wrong = {
            key: (found.received[key], received[key])
            for key in found.received | received
            if found.received[key] != received[key]
        }
        raise RuntimeError(
            f"counted otherwise than sent: {wrong}, queries {found.queries} for "
            f"{everything.queries}, consumed {dict(found.consumed)} for {dict(wanted.consumed)}"
        )


def shown(flooded: Flooded) -> dict[str, Any]:
    return {
        "frames": flooded.sent.frames,
        "seconds": flooded.sent.seconds,
        "sender_processor_seconds": flooded.sent.processor,
        "mpps": flooded.mpps,
        "softirq_share": flooded.softirq,
        "queries": asdict(flooded.answers),
    }


def said(answers: Answers) -> str:
    never = answers.asked - answers.answered
    worst = "" if answers.worst is None else f", at worst after {answers.worst:.2f} s"
    return f"{answers.in_time} of {answers.asked} queries answered in time{worst}" + (
        f", {never} never" if never else ""
    )
