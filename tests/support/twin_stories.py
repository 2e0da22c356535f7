"""Random stories of what owners want, what is asked, and what happens to the host and the agent."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from support.twin_hosts import NEWEST, OWNERS, Role

Step = tuple[Any, ...]
"""A name, and what it needs: all of it plain values, so that a story can be kept and told again."""

GROUPS = {"igmp": ("239.1.1.1", "232.1.1.1"), "mld": ("ff1e::1:1", "ff3e::1:1")}
"""Few, so that owners meet: with four a family next to nothing was noticed."""

GUESTS = {"igmp": "239.3.3.3", "mld": "ff1e::3:3"}
"""A group of the container's own."""

SOURCES = {
    "igmp": ("10.0.0.2", "10.0.0.3", "10.0.0.4"),
    "mld": ("2001:db8::2", "2001:db8::3", "2001:db8::4"),
}

MANY = {
    "igmp": [f"239.2.0.{number}" for number in range(1, 101)],
    "mld": [f"ff1e::2:{number:x}" for number in range(1, 61)],
}
"""With two sources each, more than fit a packet of Ethernet."""

QUESTIONS = {
    "igmp": ("general", "group", "sources", "far", "nobody", "unicast", "unicast far"),
    "mld": ("general", "group", "sources", "far"),
}
OLDER = {"igmp": ("version 2", "version 1"), "mld": ("version 1",)}

KINDS = {
    "want": 60, "ask": 18, "flip": 4, "restart": 2, "flap": 1.5, "fail over": 1.5, "many": 1,
    "stall": 0.5, "quiet": 1.0,
}  # fmt: skip
OF_VERSIONS = {"cap": 4, "older": 3}
"""Kinds of stories in which versions go down and up. In them the container has a group of its own:
a snooping bridge does not let a report of an older version take back the sources that somebody
behind the same port has named in a newer one."""


VERSION_1 = 0.1
"""The share of caps at IGMPv1, where routers hold what it reports: such a story takes long."""


def random_story(
    dice: random.Random,
    steps: int = 14,
    protocols: Sequence[str] = ("igmp", "mld"),
    *,
    has_version_1: bool = False,
) -> list[Step]:
    has_versions = dice.random() < 0.5
    kinds = KINDS | OF_VERSIONS if has_versions else KINDS
    version_1 = VERSION_1 if has_version_1 else 0.0
    return [
        step
        for _ in range(steps)
        for step in (
            random_step(dice, kinds, dice.choice(protocols), not has_versions, version_1),
            ("pause", dice.choice((0.0, 0.0, 0.02, 0.2, 0.6))),
        )
    ]


def random_step(
    dice: random.Random,
    kinds: Mapping[str, float],
    protocol: str,
    is_shared: bool,
    version_1: float,
) -> Step:
    kind = dice.choices(list(kinds), list(kinds.values()))[0]
    group = dice.choice(GROUPS[protocol])
    needs: Step = ()
    match kind:
        case "want":
            owner = dice.randrange(len(OWNERS))
            if OWNERS[owner] is Role.GUEST and not (is_shared and dice.random() < 0.5):
                group = GUESTS[protocol]
            needs = owner, group, random_filter(dice, protocol, group)
        case "many":
            owner = dice.choice([n for n, role in enumerate(OWNERS) if role is not Role.GUEST])
            needs = owner, protocol, random_filter(dice, protocol, group)
        case "ask":
            needs = dice.choice(QUESTIONS[protocol]), group, random_sources(dice, protocol)
        case "older":
            return "ask", dice.choice(OLDER[protocol]), group, []
        case "cap":
            version = NEWEST[protocol] - dice.randrange(2)
            is_oldest = protocol == "igmp" and dice.random() < version_1
            needs = protocol, 1 if is_oldest else version
        case "restart":
            needs = (dice.random() < 0.5,)
    return kind, *needs


def random_sources(dice: random.Random, protocol: str) -> list[str]:
    return sorted(dice.sample(SOURCES[protocol], dice.randint(1, 3)))


def random_filter(dice: random.Random, protocol: str, group: str) -> list[Any] | None:
    if dice.random() < 0.3:
        return None
    is_source_specific = group.startswith(("232.", "ff3"))
    if is_source_specific or dice.random() < 0.5:
        return ["include", random_sources(dice, protocol)]
    return ["exclude", random_sources(dice, protocol) if dice.random() < 0.5 else []]
