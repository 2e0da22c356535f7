"""Reads rules as `nft -j list ruleset` prints them (libnftables-json(5)). Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NotRequired, TypedDict

from mcastd.service.doctor.ruleset import (
    PROTOCOLS,
    Chain,
    Match,
    Rule,
    Traffic,
    Verdict,
    either,
    in_state,
    named,
    negated,
    of_protocol,
    unknown,
    within,
)
from mcastd.service.documents import Unread

VERDICTS = {
    "accept": Verdict.ACCEPT, "drop": Verdict.DROP, "reject": Verdict.DROP,
    "return": Verdict.RETURN, "jump": Verdict.JUMP, "goto": Verdict.GOTO,
}  # fmt: skip

HARMLESS = frozenset({"counter", "log", "mangle", "notrack", "comment"})
"""Statements that fit everything, and change nothing here."""

IGMP_TYPES = {
    "membership-query": 0x11, "membership-report-v1": 0x12, "membership-report-v2": 0x16,
    "leave-group": 0x17, "membership-report-v3": 0x22,
}  # fmt: skip

ICMPV6_TYPES = {
    "mld-listener-query": 130, "mld-listener-report": 131, "mld-listener-done": 132,
    "mld-listener-reduction": 132, "mld2-listener-report": 143,
}  # fmt: skip

FAMILIES = frozenset({"ip", "ip6", "inet", "netdev"})

OF_DEVICES = frozenset({"ingress", "egress"})
"""Hooks whose chains are for devices that they name; nft 1.0 does not print which."""

Sets = Mapping[tuple[str, str, str], list[object]]


class RuleObject(TypedDict):
    """A rule; `expr`: its statements, any of which may be of a kind that is not known here."""

    family: str
    table: str
    chain: str
    handle: NotRequired[int]
    expr: NotRequired[list[object]]


class ChainObject(TypedDict):
    """A chain; without `hook` it is only jumped to."""

    family: str
    table: str
    name: str
    hook: NotRequired[str]
    policy: NotRequired[str]
    prio: NotRequired[int]
    dev: NotRequired[object]


class SetObject(TypedDict):
    """A named set."""

    family: str
    table: str
    name: str
    elem: NotRequired[list[object]]


class Listed(TypedDict, total=False):
    """One of the objects that nft lists: it has one of these, or another kind."""

    set: SetObject
    rule: RuleObject
    chain: ChainObject


def chains(text: str, known: Iterable[tuple[str, str]] = ()) -> Iterator[Chain]:
    """`known`: families and tables that iptables has shown already. ValueError for no JSON."""
    objects: list[Listed] = json.loads(text)["nftables"] if text else []
    skipped = set(known)
    sets = {
        (each["family"], each["table"], each["name"]): each.get("elem", [])
        for each in (of["set"] for of in objects if "set" in of)
    }
    rules = rules_by_chain(objects, sets)
    for chain in (each["chain"] for each in objects if "chain" in each):
        family, table, name = chain["family"], chain["table"], chain["name"]
        if family in FAMILIES and (family, table) not in skipped:
            found = tuple(rules.get((family, table, name), ()))
            hook, policy = chain.get("hook"), None
            if chain.get("policy") == "drop":
                policy = end_of(family, table, name)
            priority, devices = chain.get("prio", 0), devices_of(chain)
            yield Chain(family, table, name, found, hook, priority, policy, devices)


def rules_by_chain(
    objects: Iterable[Listed], sets: Sets
) -> Mapping[tuple[str, str, str], list[Rule]]:
    """By family, table and name of the chain."""
    rules: dict[tuple[str, str, str], list[Rule]] = {}
    for rule in (each["rule"] for each in objects if "rule" in each):
        key = (rule["family"], rule["table"], rule["chain"])
        rules.setdefault(key, []).extend(rules_of(rule, sets))
    return rules


def devices_of(chain: ChainObject) -> tuple[str, ...] | None:
    """What the chain is for: all if its hook is no device's, None if it is not told."""
    if chain.get("hook") not in OF_DEVICES:
        return ()
    match chain.get("dev"):
        case str(name):
            return (name,)
        case [*names] if names:
            return tuple(map(str, names))
    return None


def end_of(family: str, table: str, name: str) -> Rule:
    place = f"{family} {table} {name}"
    return Rule(f"nft {place}", "policy drop", (), Verdict.DROP, show=f"nft list chain {place}")


@dataclass
class Said:
    """What the statements of a rule say together; `branches`: of a map that has its verdicts."""

    matches: list[Match] = field(default_factory=list)
    packets: int | None = None
    branches: list[tuple[Match, Verdict, str]] = field(default_factory=list)
    verdict: Verdict = Verdict.CONTINUE
    target: str = ""

    def take(self, statement: object, rule: RuleObject, sets: Sets) -> None:
        if not isinstance(statement, dict):
            self.matches.append(unknown)
            return
        name, value = next(iter(statement.items()), ("", None))
        fields: Unread = value if isinstance(value, dict) else {}
        if name in VERDICTS:
            self.verdict, self.target = VERDICTS[name], target_of(value)
        elif name == "match":
            self.matches.append(match_of(fields, rule, sets))
        elif name == "vmap":
            self.branches += branches_of(fields, rule, sets)
        elif name == "counter" and isinstance(value, dict):
            self.packets = value.get("packets")
        elif name not in HARMLESS and not is_comment(name, value):
            self.matches.append(unknown)


def target_of(verdict: object) -> str:
    """The chain that a verdict jumps to; empty for all other verdicts."""
    return str(verdict.get("target", "")) if isinstance(verdict, dict) else ""


def is_comment(name: str, value: object) -> bool:
    """Of iptables-nft, which writes it as a match of its own."""
    return name == "xt" and isinstance(value, dict) and value.get("name") == "comment"


def rules_of(each: RuleObject, sets: Sets) -> list[Rule]:
    """One rule, or, where a map has its verdicts, one for each of them."""
    place = f"{each['family']} {each['table']} {each['chain']}"
    said, statements = Said(), each.get("expr", [])
    for statement in statements:
        said.take(statement, each, sets)
    handle = each.get("handle")

    def made(more: tuple[Match, ...], verdict: Verdict, target: str) -> Rule:
        return Rule(
            f"nft {place}",
            f"{shown(statements)} (handle {handle})",
            (*said.matches, *more),
            verdict,
            target,
            said.packets,
            f"nft -a list chain {place}",
            f"nft delete rule {place} handle {handle}",
        )

    if said.branches:
        return [made((match,), verdict, target) for match, verdict, target in said.branches]
    return [made((), said.verdict, said.target)]


def shown(statements: Iterable[object]) -> str:
    """A rule as text, for people: what it matches, in short, and its verdict."""
    parts = []
    for each in statements:
        if not isinstance(each, dict):
            continue
        for name, value in each.items():
            if name == "match":
                parts.append(f"{left_text(value['left'])} {right_text(value['right'])}")
            elif name in VERDICTS:
                parts.append(" ".join(filter(None, (name, target_of(value)))))
            elif name not in ("counter",):
                parts.append(name)
    return " ".join(parts)


def left_text(left: object) -> str:
    if not isinstance(left, dict):
        return str(left)
    ((kind, value),) = left.items()
    if not isinstance(value, dict):
        return str(kind)
    return " ".join(str(value[key]) for key in ("protocol", "field", "key") if key in value)


def right_text(right: object) -> str:
    match right:
        case {"prefix": {"addr": address, "len": bits}}:
            return f"{address}/{bits}"
        case {"range": [first, last]}:
            return f"{first}-{last}"
        case {"set": list(each)} | list(each):
            return "{ " + ", ".join(map(right_text, each)) + " }"
    return str(right)


def branches_of(
    value: Unread, each: RuleObject, sets: Sets
) -> Iterator[tuple[Match, Verdict, str]]:
    """Of a verdict map."""
    data = value.get("data")
    pairs = data.get("set", []) if isinstance(data, dict) else []
    if not pairs:
        yield unknown, Verdict.DROP, ""
    for key, does in pairs:
        ((name, what),) = does.items()
        match = match_of({"op": "==", "left": value.get("key"), "right": key}, each, sets)
        yield match, VERDICTS.get(name, Verdict.CONTINUE), target_of(what)


def match_of(value: Unread, rule: RuleObject, sets: Sets) -> Match:
    right = value.get("right")
    if isinstance(right, str) and right.startswith("@"):
        right = {"set": sets.get((rule["family"], rule["table"], right[1:]), [])}
    match right:
        case {"set": list(each)} | list(each):
            rights = each
        case _:
            rights = [right]
    left = value.get("left")
    found = either(one(left, each) for each in rights)
    if value.get("op") != "!=":
        return found
    implied, other = implied_by(left), negated(found)
    return lambda traffic: False if implied(traffic) is False else other(traffic)


def implied_by(left: object) -> Match:
    """The protocol or family that a comparison is of: nft asks for it without saying so."""
    match left:
        case {"payload": {"protocol": str(protocol)}}:
            pass
        case _:
            return lambda traffic: True
    if protocol in ("ip", "ip6"):
        return of_family(protocol, protocol)
    return of_protocol(protocol) if protocol in PROTOCOLS else lambda traffic: True


def one(left: object, right: object) -> Match:
    """What one comparison asks."""
    match left:
        case {"meta": {"key": str(key)}}:
            return of_meta(key, right)
        case {"payload": {"protocol": str(protocol), "field": str(field)}}:
            return of_payload(protocol, field, right)
        case {"ct": {"key": "state"}}:
            return in_state([str(right)])
    return unknown


def of_meta(key: str, right: object) -> Match:
    match key:
        case "l4proto":
            return of_protocol(str(right))
        case "nfproto" | "protocol":
            return of_family(str(right), key)
        case "iifname" | "iif":
            return lambda traffic: named(traffic.comes_in_by, str(right))
        case "oifname" | "oif":
            return lambda traffic: named(traffic.goes_out_by, str(right))
        case "pkttype":
            return lambda traffic: right == "multicast"
    return unknown


def of_payload(protocol: str, field: str, right: object) -> Match:
    match protocol, field:
        case "ip" | "ip6", "saddr" | "daddr":
            return of_addresses(protocol, right, is_source=field == "saddr")
        case "ip", "protocol":
            return of_protocol(str(right))
        case "udp" | "th", "dport":
            return of_port(right, only_udp=protocol == "udp")
        case "igmp" | "icmpv6", "type":
            names = {"igmp": IGMP_TYPES, "icmpv6": ICMPV6_TYPES}[protocol]
            kind = names.get(right, right) if isinstance(right, str) else right
            return of_kind_of_message(PROTOCOLS[protocol], kind)
    is_other = of_protocol(protocol) if protocol in PROTOCOLS else unknown
    return lambda traffic: False if is_other(traffic) is False else None


def of_family(right: str, key: str) -> Match:
    names = {"ipv4": "ip", "ip": "ip", "ipv6": "ip6", "ip6": "ip6"}
    wanted = names.get(right, key)
    return lambda traffic: traffic.family == wanted


def of_kind_of_message(protocol: int, kind: object) -> Match:
    return lambda traffic: traffic.protocol == protocol and traffic.kind == kind


def of_addresses(family: str, right: object, *, is_source: bool) -> Match:
    try:
        first, last, bits = addresses(right)
    except (ValueError, TypeError, KeyError):
        return unknown

    def fits(traffic: Traffic) -> bool | None:
        if traffic.family != family:
            return False
        address = traffic.source if is_source else traffic.destination
        if bits is not None:
            return within(address, first, bits)
        return None if address is None else first <= address <= last

    return fits


def addresses(right: object) -> tuple[bytes, bytes, int | None]:
    """First and last address, and the length of the prefix, None for a range."""
    match right:
        case {"prefix": {"addr": address, "len": bits}}:
            packed = ip_address(address).packed
            return packed, packed, int(bits)
        case {"range": [first, last]}:
            return ip_address(first).packed, ip_address(last).packed, None
    packed = ip_address(str(right)).packed
    return packed, packed, 8 * len(packed)


def of_port(right: object, *, only_udp: bool) -> Match:
    match right:
        case {"range": [int(first), int(last)]}:
            pass
        case int(first):
            last = first
        case _:
            return unknown

    def fits(traffic: Traffic) -> bool | None:
        if traffic.protocol != 17:
            return False if only_udp or traffic.protocol in (2, 58) else None
        return None if traffic.port is None else first <= traffic.port <= last

    return fits
