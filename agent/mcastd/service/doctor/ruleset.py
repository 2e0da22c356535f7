"""Follows a packet through firewall rules, as far as these can be understood. Pure.

What a rule asks that is not known here is neither true nor false: a drop behind it is possible, and
not certain. Nothing is changed, and no packet is needed to see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

IGMP, UDP, ICMPV6 = 2, 17, 58

DEEPEST = 16
"""Jumps; the kernel has the same limit (NFT_JUMP_STACK_SIZE)."""


class Traffic(NamedTuple):
    """Packets that are alike. What is not known is None. `kind`: the type of IGMP or ICMPv6."""

    protocol: int
    destination: bytes
    source: bytes | None = None
    kind: int | None = None
    port: int | None = None
    comes_in_by: str | None = None
    goes_out_by: str | None = None

    @property
    def family(self) -> str:
        return "ip" if len(self.destination) == 4 else "ip6"


Match = Callable[[Traffic], bool | None]


class Verdict(Enum):
    """What a rule does with what it fits; CONTINUE: nothing."""

    ACCEPT = "accept"
    DROP = "drop"
    RETURN = "return"
    JUMP = "jump"
    GOTO = "goto"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class Rule:
    """`place`: table and chain; `text`: the rule as it is written; `packets`: that it has fit.

    `show` and `delete`: the commands that show its table, and take it out.
    """

    place: str
    text: str
    matches: tuple[Match, ...]
    verdict: Verdict
    target: str = ""
    packets: int | None = None
    show: str = ""
    delete: str = ""

    def fits(self, traffic: Traffic) -> bool | None:
        """None: it may."""
        found = [match(traffic) for match in self.matches]
        if False in found:
            return False
        return None if None in found else True


@dataclass(frozen=True, slots=True)
class Chain:
    """`family`: ip, ip6, inet or netdev. `hook`: None for one that is only jumped to.

    `devices`: those that it is for, () for all, None if the tool does not tell.
    """

    family: str
    table: str
    name: str
    rules: tuple[Rule, ...]
    hook: str | None = None
    priority: int = 0
    policy: Rule | None = None
    devices: tuple[str, ...] | None = ()

    def concerns(self, traffic: Traffic) -> bool:
        """Whether such packets may come through it."""
        here = traffic.comes_in_by or traffic.goes_out_by
        family = self.family in (traffic.family, "inet", "netdev")
        return family and (not self.devices or here in self.devices)


class Ruleset(NamedTuple):
    chains: tuple[Chain, ...] = ()

    def at(self, hooks: Iterable[str], traffic: Traffic) -> Iterable[Chain]:
        """The chains that such packets go through, in their order."""
        for hook in hooks:
            yield from sorted(
                (each for each in self.chains if each.hook == hook and each.concerns(traffic)),
                key=lambda each: each.priority,
            )

    def called(self, chain: Chain, name: str) -> Chain | None:
        key = (chain.family, chain.table, name)
        return next((e for e in self.chains if (e.family, e.table, e.name) == key), None)


class Dropped(NamedTuple):
    """By which rule; `is_certain`: whatever is not known of rules and packets."""

    rule: Rule
    is_certain: bool


INPUT = ("ingress", "prerouting", "input")
OUTPUT = ("output", "postrouting", "egress")


def dropped(ruleset: Ruleset, hooks: Iterable[str], traffic: Traffic) -> Dropped | None:
    """Whether such packets are dropped on their way, and by what; the certain one if there is."""
    possible: Dropped | None = None
    for chain in ruleset.at(hooks, traffic):
        walk = Walk(ruleset, traffic, is_certain=chain.devices is not None)
        if walk.through(chain) is None and chain.policy is not None:
            walk.note(chain.policy)
        if walk.drop is not None and walk.drop.is_certain:
            return walk.drop
        possible = possible or walk.drop
    return possible


class Walk:
    """The way of packets through a base chain, and those that it jumps to.

    A rule that accepts perhaps leaves all that follows uncertain; one that drops perhaps does not:
    what comes by it was not dropped.
    """

    def __init__(self, ruleset: Ruleset, traffic: Traffic, *, is_certain: bool = True) -> None:
        self._ruleset, self._traffic = ruleset, traffic
        self._is_certain = is_certain
        self.drop: Dropped | None = None

    def note(self, rule: Rule, *, fits: bool = True) -> None:
        """Packets that come so far are dropped, by a rule that fits for certain or perhaps."""
        certain = self._is_certain and fits
        if self.drop is None or (certain and not self.drop.is_certain):
            self.drop = Dropped(rule, certain)

    def through(self, chain: Chain, depth: int = 0) -> Verdict | None:
        """ACCEPT or DROP where the way ends in this chain; None if it goes on behind it."""
        for rule in chain.rules:
            fits = rule.fits(self._traffic)
            if fits is False:
                continue
            ended = self._met(chain, rule, depth, fits=fits is True)
            if fits and ended is not None:
                return None if ended is Verdict.RETURN else ended
        return None

    def _met(self, chain: Chain, rule: Rule, depth: int, *, fits: bool) -> Verdict | None:
        """How the way ends at a rule that fits, for certain or perhaps; None if it goes on."""
        match rule.verdict:
            case Verdict.DROP:
                self.note(rule, fits=fits)
                return Verdict.DROP
            case Verdict.ACCEPT | Verdict.RETURN:
                self._is_certain = self._is_certain and fits
                return rule.verdict
            case Verdict.JUMP:
                return self._jumped(chain, rule, depth, fits=fits)
            case Verdict.GOTO:
                return self._jumped(chain, rule, depth, fits=fits) or Verdict.RETURN
        return None

    def _jumped(self, chain: Chain, rule: Rule, depth: int, *, fits: bool) -> Verdict | None:
        target = self._ruleset.called(chain, rule.target)
        if target is None or depth >= DEEPEST:
            self._is_certain = False
            return None
        self._is_certain = self._is_certain and fits
        return self.through(target, depth + 1)


def negated(match: Match) -> Match:
    def fits(traffic: Traffic) -> bool | None:
        found = match(traffic)
        return None if found is None else not found

    return fits


def unknown(_: Traffic) -> bool | None:
    return None


def either(matches: Iterable[Match]) -> Match:
    """Fits if one of them does."""
    of = tuple(matches)

    def fits(traffic: Traffic) -> bool | None:
        found = [match(traffic) for match in of]
        if True in found:
            return True
        return None if None in found else False

    return fits


PROTOCOLS: Mapping[str, int] = {
    "igmp": IGMP, "udp": UDP, "ipv6-icmp": ICMPV6, "icmpv6": ICMPV6, "tcp": 6, "icmp": 1,
    "sctp": 132, "udplite": 136, "dccp": 33, "esp": 50, "ah": 51, "gre": 47,
}  # fmt: skip


def of_protocol(name: str) -> Match:
    """By name or number; "all" and 0 are any."""
    if name.lower() in ("all", "0"):
        return lambda traffic: True
    number = int(name) if name.isdigit() else PROTOCOLS.get(name.lower())
    if number is None:
        return unknown
    return lambda traffic: traffic.protocol == number


def within(address: bytes | None, network: bytes, bits: int) -> bool | None:
    """Whether an address is in a network; None if it is not known."""
    if address is None:
        return None if bits else True
    if len(address) != len(network):
        return False
    shift = 8 * len(network) - bits
    return int.from_bytes(address) >> shift == int.from_bytes(network) >> shift


def named(name: str | None, pattern: str) -> bool | None:
    """An interface's name; "+" or "*" at the end stands for any rest."""
    if name is None:
        return None
    if pattern.endswith(("+", "*")):
        return name.startswith(pattern[:-1])
    return name == pattern


CONNECTION_STATES = {ICMPV6: frozenset({"untracked"})}
"""Linux tracks no MLD, and sees no answer to other multicast."""

NEW = frozenset({"new"})


def in_state(states: Iterable[str]) -> Match:
    """conntrack(8)'s state: multicast has no answers, and so is new for ever."""
    wanted = frozenset(each.strip().lower() for each in states)
    return lambda traffic: bool(wanted & CONNECTION_STATES.get(traffic.protocol, NEW))
