"""Reads rules as iptables-save(8) prints them, for both kinds of iptables. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_network

from mcastd.service.doctor.ruleset import (
    Chain,
    Match,
    Rule,
    Traffic,
    Verdict,
    in_state,
    named,
    negated,
    of_protocol,
    unknown,
    within,
)

HOOKS = {
    "PREROUTING": "prerouting", "INPUT": "input", "OUTPUT": "output", "POSTROUTING": "postrouting",
}  # fmt: skip

ORDER = {"raw": -300, "mangle": -150, "filter": 0, "security": 50}
"""Priorities of tables. What nat drops is seldom."""

VERDICTS = {
    "ACCEPT": Verdict.ACCEPT, "DROP": Verdict.DROP, "REJECT": Verdict.DROP,
    "RETURN": Verdict.RETURN, "LOG": Verdict.CONTINUE, "NFLOG": Verdict.CONTINUE,
    "MARK": Verdict.CONTINUE, "CONNMARK": Verdict.CONTINUE, "NOTRACK": Verdict.CONTINUE,
    "CT": Verdict.CONTINUE, "TRACE": Verdict.CONTINUE, "TTL": Verdict.CONTINUE,
    "DSCP": Verdict.CONTINUE, "TEE": Verdict.CONTINUE, "SET": Verdict.CONTINUE,
    "HL": Verdict.CONTINUE, "": Verdict.CONTINUE,
}  # fmt: skip

MLD_TYPES = {"130": 130, "131": 131, "132": 132, "143": 143}


def chains(family: str, command: str, text: str) -> Iterator[Chain]:
    """`command` has printed it; the tool that changes it is the same without "-save"."""
    tool = command.split(maxsplit=1)[0].removesuffix("-save")
    table, heads, rules = "", dict[str, str](), dict[str, list[Rule]]()
    for line in text.splitlines():
        if line.startswith("*"):
            table, heads, rules = line[1:].strip(), {}, {}
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            heads[name] = policy
        elif line == "COMMIT":
            for head in heads.items():
                yield chain(family, tool, table, head, rules.get(head[0], []))
        elif "-A " in line:
            with suppress(ValueError):  # a quote without its end
                name, made = rule(tool, table, line)
                rules.setdefault(name, []).append(made)


def chain(family: str, tool: str, table: str, head: tuple[str, str], rules: list[Rule]) -> Chain:
    """`head`: name and policy, "-" for a chain that is only jumped to."""
    name, policy = head
    end = None
    if policy == "DROP":
        show = f"{tool} -t {table} -L {name} -v -n"
        end = Rule(f"{tool} {table} {name}", "policy DROP", (), Verdict.DROP, show=show)
    hook = HOOKS.get(name) if policy in ("ACCEPT", "DROP") else None
    return Chain(family, table, name, tuple(rules), hook, ORDER.get(table, 0), end)


def rule(tool: str, table: str, line: str) -> tuple[str, Rule]:
    """Of "[packets:bytes] -A CHAIN ...": the chain's name, and the rule, whose text has no name."""
    counted, _, text = line.partition("-A ")
    words = shlex.split(text)
    name, rest = words[0], words[1:]
    packets = counted.strip(" []").partition(":")[0]
    matches, verdict, target = read(rest)
    return name, Rule(
        f"{tool} {table} {name}",
        text.partition(" ")[2],
        tuple(matches),
        verdict,
        target,
        int(packets) if packets.isdigit() else None,
        f"{tool} -t {table} -L {name} -v -n",
        f"{tool} -t {table} -D {text}",
    )


def read(words: list[str]) -> tuple[list[Match], Verdict, str]:
    """Matches, verdict and the chain that is gone to."""
    matches: list[Match] = []
    verdict, target = Verdict.CONTINUE, ""
    at, negates = 0, False
    while at < len(words):
        option, value = words[at], words[at + 1] if at + 1 < len(words) else ""
        at += 1
        if option == "!":
            negates = True
            continue
        if option in ("-j", "-g"):
            verdict, target = jump(option, value)
            break  # what follows says how
        if option in ("-m", "--comment"):
            at += 1
        else:
            takes = not value.startswith("-") and value not in ("!", "")
            at += takes
            match = one(option, value if takes else "")
            matches.append(negated(match) if negates else match)
        negates = False
    return matches, verdict, target


def jump(option: str, value: str) -> tuple[Verdict, str]:
    if option == "-g":
        return Verdict.GOTO, value
    known = VERDICTS.get(value)
    return (Verdict.JUMP, value) if known is None else (known, "")


def one(option: str, value: str) -> Match:
    """What one option asks."""
    made = OPTIONS.get(option)
    return unknown if made is None else made(value)


def of_type(value: str) -> Match:
    kind = MLD_TYPES.get(value.partition("/")[0])
    return lambda traffic: traffic.kind == kind


def comes_in_by(value: str) -> Match:
    return lambda traffic: named(traffic.comes_in_by, value)


def goes_out_by(value: str) -> Match:
    return lambda traffic: named(traffic.goes_out_by, value)


def of_packets(value: str) -> Match:
    return lambda traffic: value == "multicast"


def of_network(value: str, *, is_source: bool) -> Match:
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        return unknown
    packed, bits = network.network_address.packed, network.prefixlen

    def fits(traffic: Traffic) -> bool | None:
        return within(traffic.source if is_source else traffic.destination, packed, bits)

    return fits


def of_port(value: str) -> Match:
    ranges = []
    for each in value.split(","):
        first, _, last = each.partition(":")
        if not first.isdigit():
            return unknown
        ranges.append((int(first), int(last) if last.isdigit() else int(first)))

    def fits(traffic: Traffic) -> bool | None:
        port = traffic.port
        if port is None:
            return None if traffic.protocol == 17 else False
        return any(first <= port <= last for first, last in ranges)

    return fits


OPTIONS: Mapping[str, Callable[[str], Match]] = {
    "-p": of_protocol,
    "-s": lambda value: of_network(value, is_source=True),
    "-d": lambda value: of_network(value, is_source=False),
    "-i": comes_in_by,
    "-o": goes_out_by,
    "--icmpv6-type": of_type,
    "--dport": of_port,
    "--dports": of_port,
    "--pkt-type": of_packets,
    "--ctstate": lambda value: in_state(value.split(",")),
    "--state": lambda value: in_state(value.split(",")),
}
