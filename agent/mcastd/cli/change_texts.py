"""Says in words what a change has done: to the settings, a membership or a version."""

from __future__ import annotations

from typing import Any

from mcastd.cli.cells import table
from mcastd.cli.namespace_tables import qualified
from mcastd.cli.remarks import by_hand_remark


def reloaded(result: dict[str, Any]) -> str:
    """What runs, and what of the files is not in force all the same."""
    running = ", ".join(result["interfaces"]) or "no interface"
    undone = [
        f"{each['interface']}: {each['key']} = {each['value']} is undone, {each['files']} again"
        for each in result.get("undone", ())
    ]
    restart = [
        f"{key}: takes effect when mcastd is restarted" for key in result.get("needs_restart", ())
    ]
    by_hand = list(map(by_hand_remark, result.get("by_hand", ())))
    return "\n".join(
        [f"configuration reloaded; interfaces: {running}", *undone, *by_hand, *restart]
    )


def membership_line(result: dict[str, Any]) -> str:
    sources = f" {{{', '.join(result['sources'])}}}" if result["sources"] else ""
    return (
        f"{qualified(result)}: {result['mode']} {result['group']}{sources} "
        f"for {result['application']}"
    )


def versions(family: dict[str, Any]) -> dict[str, Any]:
    """What `mcastctl version` shows of a family's status."""
    return {
        "version": family["version"],
        "max_version": family["max_version"],
        "older_queriers": family["older_queriers"],
    }


def version_table(result: list[dict[str, Any]]) -> str:
    head = ("INTERFACE", "PROTOCOL", "VERSION", "MAX", "OLDER QUERIERS")
    return table(
        head,
        [
            (
                qualified(each),
                each["protocol"],
                each["version"],
                each["max_version"],
                ", ".join(
                    f"version {older['version']} for {older['forgotten_in']:.0f} s more"
                    for older in each["older_queriers"]
                )
                or "-",
            )
            for each in result
        ],
    )


def version_change(result: dict[str, Any], dry_run: bool) -> str:
    old, new = result["from"], result["to"]
    lines = [
        f"{result['protocol']}: version {old['version']} of {old['max_version']} -> "
        f"{new['version']} of {new['max_version']}{' (nothing changed yet)' if dry_run else ''}",
        f"{result['groups']} groups",
    ]
    losing = result["groups_whose_sources_are_no_longer_reported"]
    if losing:
        lines.append(f"routers no longer hear of the sources of: {', '.join(losing)}")
    if "persisted" in result:
        lines.append(f"kept in {result['persisted']}")
    return "\n".join(lines)
