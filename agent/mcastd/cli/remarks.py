"""Writes the remarks below the status table: one line for each thing that is wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from mcastd.cli.cells import ago, dash
from mcastd.cli.namespace_tables import namespace_remarks, qualified
from mcastd.net.names import word

HOUR = 3600.0


def status_remarks(result: dict[str, Any]) -> Iterator[str]:
    """All of them, of the interfaces first."""
    for each in result["interfaces"]:
        yield from interface_remarks(qualified(each, "name"), each)
    for name in result["missing"]:
        yield f"{name}: there is no such interface now"
    for key in result.get("needs_restart", ()):
        yield f"{key} takes effect when mcastd is restarted"
    yield from fault_remarks(result.get("state", {}).get("problem"), result.get("faults", {}))
    for each in result.get("namespaces", []):
        yield from namespace_remarks(each)
        faults = fault_remarks(each.get("not_kept"), each.get("faults", {}))
        yield from (f"namespace {each['name']}: {remark}" for remark in faults)


def interface_remarks(name: str, each: dict[str, Any]) -> Iterator[str]:
    for protocol in ("igmp", "mld"):
        yield from family_remarks(name, protocol, each[protocol])
    if each["problem"]:
        yield f"{name} {each['problem']}"
    yield from flood_remarks(name, each["floods"])
    yield from (f"{name}: {remark}" for remark in (*each["hook_reasons"], *each["remarks"]))
    yield from (by_hand_remark(other, name) for other in each.get("by_hand", ()))


def family_remarks(name: str, protocol: str, family: dict[str, Any]) -> list[str]:
    remarks = [
        f"{name}: an older {protocol} querier (version {each['version']}, "
        f"{dash(each['address'])}) was heard; "
        f"it is forgotten in {each['forgotten_in']:.0f} s"
        for each in family["older_queriers"]
    ]
    configured = family.get("configured_max_version", family["max_version"])
    if configured < family["max_version"]:
        remarks.append(
            f"{name}: {protocol}_max_version = {configured} is in force in host mode only "
            f"(mcastctl mode {word(name)} host)"
        )
    remarks += refresh_remarks(name, protocol, family.get("refresh"))
    if family["unanswered_queries"]:
        remarks.append(f"{name}: {family['unanswered_queries']} {protocol} queries not answered")
    return remarks


def refresh_remarks(name: str, protocol: str, refresh: dict[str, Any] | None) -> list[str]:
    """Reports that nobody asks for are told where they are made, or cannot be.

    An agent of before an upgrade knows of none.
    """
    if refresh is None:
        return []
    if refresh["state"] == "observing":
        return [
            f"{name}: refresh = {refresh['interval']:g} is in force in host mode only: here the "
            f"kernel speaks, and says nothing unasked (mcastctl mode {word(name)} host)"
        ]
    if refresh["state"] != "running":
        return []
    return [
        f"{name}: no {protocol} querier is heard; all groups are reported every "
        f"{refresh['interval']:g} s, the next time in {refresh['next_in']:.0f} s"
    ]


def fault_remarks(problem: str | None, faults: dict[str, Any]) -> list[str]:
    """State that is not kept, and what went wrong in the last hour; --json has all of it."""
    remarks = [f"not kept: {problem}"] if problem else []
    for kind, each in faults.items():
        if kind != "state_file" and time.time() - each["last"] < HOUR:
            of = kind.replace("_", " ")
            remarks.append(f"{each['count']} faults ({of}), {ago(each['last'])}: {each['text']}")
    return remarks


def flood_remarks(name: str, floods: dict[str, Any]) -> list[str]:
    """Of those that go on; mcastctl doctor tells of the others."""
    return [
        f"{name}: a {ring} flood for {each['last']['seconds']:.0f} s, {each['last']['refused']} "
        f"refused, up to {each['last']['rate']:.0f} a second"
        for ring, each in floods.items()
        if each["active"]
    ]


def by_hand_remark(each: dict[str, Any], name: str | None = None) -> str:
    where = name or each["interface"]
    return (
        f"{where}: {each['key']} = {each['value']} was set by hand, the files have "
        f"{each['files']} (mcastctl reload --undo)"
    )
