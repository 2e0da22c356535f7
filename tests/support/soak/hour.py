"""Real time in the lab: a host that is busy all along, and what its agent has of the machine.

Nothing here ends the agent: what is measured is one process, from its start to the last sample.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from mcastd_lab import Lab

from support.chaos.actions import Actions
from support.chaos.net import Net
from support.chaos.service import Service, status_of
from support.chaos.steps import Step, random_step
from support.chaos.wishes import Wishes

SAMPLE_SECONDS = 10.0
PAUSE_SECONDS = 0.5

GENTLE = {
    "want", "ask", "older", "lie", "flood", "flap", "address", "mtu", "hardware", "anew", "yard",
    "querier", "version", "cap", "reload", "other", "detach",
}  # fmt: skip
"""Steps that leave the process alone."""


class Sample(NamedTuple):
    """At a time since the start, seconds. `rss` and `bpf` are bytes; `bpf`: what its maps take."""

    at: float
    rss: int
    descriptors: int
    threads: int
    bpf: int


def sample(pid: int, at: float) -> Sample:
    held = list(descriptors_of(pid))
    return Sample(
        at,
        status_of(pid)["VmRSS"],
        len(held),
        len(os.listdir(f"/proc/{pid}/task")),
        sum(int(each.get("memlock", 0)) for each in held),
    )


def descriptors_of(pid: int) -> Iterator[dict[str, str]]:
    """What fdinfo says of each."""
    for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            lines = entry.read_text().splitlines()
        except OSError:
            continue
        yield {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def soak(seconds: float, seed: int, told: Callable[[Sample], None]) -> list[Sample]:
    """Gentle steps for so long; a sample now and then. AssertionError if the agent ends."""
    dice = random.Random(seed)
    found: list[Sample] = []
    with Lab() as lab:
        net = lab.keep(Net(lab))
        service = Service(lab, net.host)
        actions = lab.keep(Actions(net, service, Wishes()))
        begun = time.monotonic()
        while (at := time.monotonic() - begun) < seconds:
            if not found or at - found[-1].at >= SAMPLE_SECONDS:
                found.append(sample(service.agent.process.pid, at))
                told(found[-1])
            actions.do(gentle_step(dice))
            time.sleep(PAUSE_SECONDS)
            actions.outages.clear()
            if dice.random() < 0.2:
                actions.mend()
            assert service.agent.process.poll() is None, service.agent.log()[-4000:]
    return found


def gentle_step(dice: random.Random) -> Step:
    while True:
        step = random_step(dice)
        if step[0] in GENTLE and step != ("other", "xdp"):
            return step


def growth(samples: list[Sample]) -> dict[str, tuple[float, float]]:
    """Of each measure the medians of the second quarter and of the last: caches fill earlier."""
    quarter = len(samples) // 4

    def median(of: str, part: list[Sample]) -> float:
        values = sorted(getattr(each, of) for each in part)
        return float(values[len(values) // 2])

    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    return {of: (median(of, early), median(of, late)) for of in Sample._fields if of != "at"}


def write(samples: list[Sample], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([each._asdict() for each in samples]))
