"""Checks whether the firewall stops queries or streams coming in, or reports going out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import NamedTuple

from mcastd.service.doctor.finding import Evidence, Finding, Severity
from mcastd.service.doctor.ruleset import (
    ICMPV6,
    IGMP,
    INPUT,
    OUTPUT,
    UDP,
    Dropped,
    Ruleset,
    Traffic,
    dropped,
)
from mcastd.service.namespaces.inside import command


class Messages(NamedTuple):
    """Of one family: its protocol, and types and destinations of general query and report."""

    protocol: int
    query: int
    all_hosts: bytes
    report: int
    routers: bytes


FAMILIES = {
    "igmp": Messages(IGMP, 0x11, bytes([224, 0, 0, 1]), 0x22, bytes([224, 0, 0, 22])),
    "mld": Messages(ICMPV6, 130, ip_address("ff02::1").packed, 143, ip_address("ff02::16").packed),
}


class Stream(NamedTuple):
    """What comes, or is to come: source and port are None where they are not known."""

    group: bytes
    source: bytes | None = None
    port: int | None = None


WHY_IN = (
    "the kernel never hears the queries, so it answers none: routers and switches take the groups "
    "from this host when their time is over"
)
WHY_OUT = (
    "the kernel believes to have joined, and no router or switch hears of it: nothing comes, or "
    "only what is flooded"
)
WHY_DATA = "the packets come to the NIC, and no socket gets them"


def messages(
    name: str, protocol: str, rules: Ruleset, queriers: Iterable[bytes], *, kernel_speaks: bool
) -> Iterator[Finding]:
    """Of one family on one interface: queries that are dropped coming in, and reports going out.

    `kernel_speaks`: what the agent itself sends passes no such rules.
    """
    of = FAMILIES[protocol]
    known: list[bytes | None] = [each for each in queriers if any(each)] or [None]
    for source in known:
        query = Traffic(of.protocol, of.all_hosts, source, of.query, comes_in_by=name)
        found = dropped(rules, INPUT, query)
        if found is not None:
            text = f"{protocol.upper()} queries that come in by {name}"
            yield finding("firewall_in", text, found, WHY_IN, protocol=protocol)
            break
    if kernel_speaks:
        report = Traffic(of.protocol, of.routers, None, of.report, goes_out_by=name)
        found = dropped(rules, OUTPUT, report)
        if found is not None:
            text = f"{protocol.upper()} reports that go out by {name}"
            yield finding("firewall_out", text, found, WHY_OUT, protocol=protocol)


def streams(
    name: str, protocol: str, rules: Ruleset, wanted: Iterable[Stream]
) -> Iterator[Finding]:
    """Of the groups that are joined: a finding for each rule that drops some."""
    by_rule: dict[str, tuple[Dropped, list[bytes]]] = {}
    for each in wanted:
        traffic = Traffic(UDP, each.group, each.source, None, each.port, comes_in_by=name)
        found = dropped(rules, INPUT, traffic)
        if found is not None:
            _, groups = by_rule.setdefault(found.rule.place + found.rule.text, (found, []))
            groups.append(each.group)
    for found, groups in by_rule.values():
        distinct = list(dict.fromkeys(groups))
        shown = ", ".join(str(ip_address(each)) for each in distinct[:3])
        more = f" and {len(distinct) - 3} more" if len(distinct) > 3 else ""
        group = str(ip_address(distinct[0])) if len(distinct) == 1 else None
        text = f"data of {shown}{more} that come in by {name}"
        yield finding("firewall_data", text, found, WHY_DATA, protocol=protocol, group=group)


def finding(
    kind: str,
    what: str,
    found: Dropped,
    why: str,
    *,
    protocol: str,
    group: str | None = None,
) -> Finding:
    rule = found.rule
    counted = "" if rule.packets is None else f", which matched {rule.packets} packets"
    evidence = (Evidence(f"{rule.place}: {rule.text}{counted}", command(rule.show)),)
    mend = (
        f"remove the rule: {command(rule.delete)}"
        if rule.delete
        else f"have a rule of that chain accept them before its policy drops them: {rule.place}"
    )
    are = "are" if found.is_certain else "may be"
    return Finding(
        kind,
        f"{what} {are} dropped by the host's firewall ({rule.place}: {rule.text})",
        f"{mend}; or accept them before it",
        why=why,
        evidence=evidence,
        severity=Severity.FAULT if found.is_certain else Severity.NOTE,
        protocol=protocol,
        group=group,
    )
