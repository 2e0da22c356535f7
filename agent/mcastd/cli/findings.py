"""Shows what `mcastctl doctor` has found with its evidence, or what it has looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mcastd.cli.namespace_tables import qualified

LOOKED_AT = (
    "links, hooks, versions, queriers, answers, who has joined what and how, limits and drops of "
    "sockets, routes and rp_filter, firewall rules, bridges, streams where they are counted"
)


def render(
    result: list[dict[str, Any]],
    status: dict[str, Any],
    name: str | None = None,
    group: str | None = None,
) -> str:
    """Faults first; three lines if there are none, and notes behind them."""
    faults = [each for each in result if each["severity"] == "fault"]
    notes = [each for each in result if each["severity"] != "fault"]
    parts = ["\n".join(one(each)) for each in faults]
    if not faults:
        parts.append("\n".join(healthy(status, name, group)))
    parts += ["\n".join(one(each, "note: ")) for each in notes]
    return "\n".join(parts)


def one(each: dict[str, Any], before: str = "") -> Iterator[str]:
    """What was found; indented, what shows it, why it matters and what mends it."""
    where = " ".join(filter(None, (qualified(each), each["protocol"])))
    yield f"{before}{where + ': ' if where else ''}{each['text']}"
    for seen in each["evidence"]:
        yield f"    seen: {seen['shows']}: {seen['command']}"
    if each["why"]:
        yield f"    why it matters: {each['why']}"
    yield f"    what to do: {each['remedy']}"


def healthy(status: dict[str, Any], name: str | None, group: str | None) -> Iterator[str]:
    """What was looked at: where, what, and that nothing was found."""
    there = [each for each in status["interfaces"] if name in (None, qualified(each, "name"))]
    families = [each[family] for each in there for family in ("igmp", "mld")]
    groups = sum(each["groups"] for each in families)
    queriers = len({each["querier"] for each in families if each["querier"]})
    listed = ", ".join(qualified(each, "name") for each in there) or "no interface"
    what = group if group is not None else counted(groups, "group")
    yield f"looked at {listed}: {what}, {counted(queriers, 'querier')}"
    yield f"looked for trouble with {LOOKED_AT}"
    yield "nothing found"


def counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
