"""Random steps: what owners want, what comes by the wire, and what befalls the host and the agent.

A step is a name and plain values, so that a story can be kept, shortened and told again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from support.chaos.questions import LIES, OLDER, QUESTIONS
from support.chaos.wishes import NEWEST, OWNERS, PROTOCOLS
from support.twin_stories import SOURCES, random_filter

Step = tuple[Any, ...]

GROUPS = {"igmp": ("239.1.1.1", "239.1.1.2", "232.1.1.1"), "mld": ("ff1e::1:1", "ff3e::1:1")}
"""Few, so that owners meet."""

WEIGHTS = {
    "want": 50, "ask": 6, "older": 3, "lie": 4, "flood": 3,
    "flap": 3, "down": 1, "address": 2, "mtu": 2, "hardware": 2, "anew": 2, "yard": 3,
    "querier": 2, "version": 2, "router": 1, "cap": 3, "reload": 2,
    "stop": 2, "kill": 3, "freeze": 3, "starve": 3, "disk": 4, "clock": 2, "other": 2, "detach": 3,
}  # fmt: skip

DISK_FAULTS = ("full", "gone", "in_the_way", "read_only", "mend")
OTHERS = ("xdp", "tcx_ingress", "tcx_egress", "away")
JUMPS = (-86400.0 * 365, -3600.0, -1.0, 1.0, 3600.0, 86400.0 * 365)


def of_router(name: str, versions: Sequence[Any]) -> Sequence[Any]:
    """Without version 1 where pimd judges: it takes such a report, and holds nothing for it."""
    return [each for each in versions if name != "eth1" or each not in (1, "version 1")]


def random_story(dice: random.Random, steps: int) -> list[Step]:
    return [step for _ in range(steps) for step in (random_step(dice), random_pause(dice))]


def random_pause(dice: random.Random) -> Step:
    return "pause", dice.choice((0.0, 0.0, 0.02, 0.2, 0.6, 1.2))


def random_step(dice: random.Random) -> Step:
    kind = dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    name = dice.choice(list(PROTOCOLS))
    protocol = dice.choice(PROTOCOLS[name])
    group = dice.choice(GROUPS[protocol])

    def sources() -> list[str]:
        return sorted(dice.sample(SOURCES[protocol], dice.randint(1, 3)))

    values: dict[str, Callable[[], Step]] = {
        "want": lambda: (
            name, dice.choice(OWNERS), group, random_filter(dice, protocol, group)
        ),
        "ask": lambda: (name, dice.choice(QUESTIONS[protocol]), group, sources()),
        "older": lambda: (name, dice.choice(of_router(name, OLDER[protocol])), group, []),
        "lie": lambda: (name, dice.choice(LIES[protocol]), group, sources()),
        "flood": lambda: (name, dice.randrange(1000)),
        "mtu": lambda: (name, dice.choice((1280, 1400, 1500))),
        "anew": lambda: ("eth0",),
        "querier": lambda: (dice.choice((0, 1)),),
        "version": lambda: (protocol, dice.randint(NEWEST[protocol] - 1, NEWEST[protocol])),
        "cap": lambda: (
            name, protocol, dice.choice(of_router(name, range(1, NEWEST[protocol] + 1)))
        ),
        "starve": lambda: (dice.choice(("descriptors", "memory")),),
        "disk": lambda: (dice.choice(DISK_FAULTS),),
        "clock": lambda: (dice.choice(JUMPS),),
        "other": lambda: (dice.choice(OTHERS),),
        "detach": lambda: (dice.randrange(6),),
    }  # fmt: skip
    if kind in ("flap", "down", "address", "hardware"):
        return kind, name
    return kind, *(values[kind]() if kind in values else ())
