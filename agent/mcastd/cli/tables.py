"""Shows the control socket's answers to people, as plain tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from mcastd.cli.cells import ago, dash, seconds, table
from mcastd.cli.namespace_tables import qualified
from mcastd.cli.remarks import status_remarks
from mcastd.streams.lines import as_text as stream_table
from mcastd.streams.pair_lines import as_pair_text as pair_table


def render(method: str, result: Any) -> str:
    """The answer to `method` as text."""
    renderers: dict[str, Callable[[Any], str]] = {
        "status": status,
        "groups": groups,
        "querier": querier,
        "counters": counters,
    }
    return renderers[method](result)


STATUS = (
    "INTERFACE", "MODE", "HOOK", "PROTOCOL", "VERSION", "QUERIER", "GROUPS", "SOURCES", "LOST",
)  # fmt: skip


def status(result: dict[str, Any]) -> str:
    """A row for each family of each interface, and the remarks below it."""
    counting = any(each.get("streams") for each in result["interfaces"])
    head = (*STATUS, *(("STREAMS", "RATE", "LAST DATA") if counting else ()))
    rows = [row for each in result["interfaces"] for row in status_rows(each, counting=counting)]
    return "\n".join([table(head, rows), *dict.fromkeys(status_remarks(result))])


def status_rows(each: dict[str, Any], *, counting: bool) -> Iterator[tuple[object, ...]]:
    """Of one interface; `counting`: with what is known of its streams."""
    name, streams = qualified(each, "name"), stream_texts(each.get("streams")) if counting else ()
    lost = sum(sum(causes.values()) for causes in each["lost"].values())
    for protocol in ("igmp", "mld"):
        family = each[protocol]
        where = (name, each["mode"], each["hook"], protocol, version_text(family))
        counts = (family["groups"], family["sources"], lost)
        yield (*where, querier_text(family), *counts, *streams)


def streams(result: list[dict[str, Any]]) -> str:
    shown = [each | {"interface": qualified(each)} for each in result]
    return stream_table(shown) if result else "no stream"


def pairs(result: list[dict[str, Any]]) -> str:
    return pair_table(result) if result else "no pair is configured"


def stream_texts(streams: dict[str, Any] | None) -> tuple[str, str, str]:
    """Of an interface: how many, packets a second, and when the last one came."""
    return (stream_states(streams), *data_texts(streams or {}))


def stream_states(streams: dict[str, Any] | None) -> str:
    """How many there are, and how many in each state that somebody should know of."""
    if streams is None:
        return "-"
    states = streams["states"].items()
    known = ", ".join(f"{count} {state}" for state, count in states if state != "live")
    return f"{streams['streams']} ({known})" if known else str(streams["streams"])


def version_text(family: dict[str, Any]) -> str:
    """What is spoken, what is allowed, and by whom."""
    return f"{family['version']} of {family['max_version']}{by(family)}"


def by(family: dict[str, Any]) -> str:
    """An agent of before an upgrade does not say it."""
    return f" ({family['spoken_by']})" if "spoken_by" in family else ""


def querier_text(family: dict[str, Any]) -> str:
    if family["querier"] is None:
        return "none heard"
    return f"{family['querier']} (v{family['querier_version']})"


def groups(result: list[dict[str, Any]]) -> str:
    head = ["INTERFACE", "GROUP", "MODE", "SOURCES", "ASKED BY", "SINCE", "LAST REPORTED"]
    counting = any("rate" in each for each in result)
    if counting:
        head += ["RATE", "LAST DATA"]
    rows = [
        (
            qualified(each), each["group"], each["mode"], sources_text(each["sources"]),
            ", ".join(map(asker, each["applications"])), ago(each["since"]),
            ago(each["last_reported"]) if each["reported"] else "never reported",
            *(data_texts(each) if counting else ()),
        )
        for each in result
    ]  # fmt: skip
    return table(head, rows)


def data_texts(group: dict[str, Any]) -> tuple[str, str]:
    """Packets a second of a group's streams, and when the last one came."""
    rate, last = group.get("rate"), group.get("last_data")
    return "-" if rate is None else f"{rate:.0f}/s", ago(last)


MOST_PROCESSES = 4
"""Shown of one group."""


def asker(application: dict[str, Any]) -> str:
    """Of the kernel's sockets the processes that hold them, if they could be seen."""
    processes = application.get("processes", [])
    if processes:
        shown = [process(each) for each in processes[:MOST_PROCESSES]]
        if len(processes) > MOST_PROCESSES:
            shown.append(f"{len(processes) - MOST_PROCESSES} more processes")
        if not application["exact"]:
            shown.append("others that are not seen")
        return ", ".join(shown)
    ends_in = application.get("ends_in")
    left = "" if ends_in is None else f", left, ends in {ends_in:.0f} s"
    who = process(application) if application.get("pid") is not None else application["name"]
    return f"{who}{left}"


def process(each: dict[str, Any]) -> str:
    where = f", container {each['container']}" if each.get("container") else ""
    return f"{each['name']} (pid {each['pid']}, uid {each['uid']}{where})"


def sources_text(sources: list[str], most: int = 3) -> str:
    if not sources:
        return "-"
    rest = f" and {len(sources) - most} more" if len(sources) > most else ""
    return ", ".join(sources[:most]) + rest


TIMES = ("ROBUSTNESS", "INTERVAL", "SEEN EVERY", "MAX RESP")


def querier(result: list[dict[str, Any]]) -> str:
    head = ("INTERFACE", "PROTOCOL", "ADDRESS", "VERSION", *TIMES, "QUERIES", "LAST QUERY")
    rows: list[tuple[object, ...]] = []
    for each in result:
        where = (qualified(each), each["protocol"])
        rows += [(*where, *querier_row(view)) for view in each["queriers"]]
        if not each["queriers"]:
            rows.append((*where, "none heard", *["-"] * (len(head) - 3)))
    return table(head, rows)


def querier_row(view: dict[str, Any]) -> tuple[object, ...]:
    return (
        view["address"] + ("" if view["current"] else " (other)"),
        view["version"],
        dash(view["robustness"]),
        seconds(view["interval"]),
        seconds(view["observed_interval"]),
        seconds(view["max_response"]),
        view["queries"],
        ago(view["last_heard"]),
    )


def counters(result: list[dict[str, Any]]) -> str:
    parts = []
    for each in result:
        rx, tx = each["messages"]["rx"], each["messages"]["tx"]
        parts.append(qualified(each))
        parts.append(table(("  MESSAGES", "RX", "TX"), [(f"  {k}", rx[k], tx[k]) for k in rx]))
        refused = each["rejected"]["rx"]
        rows = [(f"  {r}", refused["igmp"][r], refused["mld"][r]) for r in refused["igmp"]]
        parts.append(table(("  REJECTED", "IGMP", "MLD"), rows))
        lost = [
            (f"  {ring}", each["events"][ring], *causes.values(), discarded_text(each, ring))
            for ring, causes in each["lost"].items()
        ]
        head = ("  EVENTS", "HANDED OVER", "LOST: RING FULL", "RATE LIMITED", "DISCARDED")
        parts.append(table(head, lost))
    return "\n".join(parts)


def discarded_text(counters: dict[str, Any], ring: str) -> str:
    """Messages kept from the kernel; what leaves the host is not."""
    of_ring = counters["discarded"].get(ring)
    return "-" if of_ring is None else str(sum(of_ring.values()))


def totals(result: list[dict[str, Any]]) -> dict[str, int]:
    """Messages by interface, direction and kind."""
    return {
        f"{qualified(each)} {direction} {kind}": count
        for each in result
        for direction, kinds in each["messages"].items()
        for kind, count in kinds.items()
    }


def rates(result: dict[str, float]) -> str:
    """What there is of it, a second."""
    rows = [
        (*re.fullmatch(r"(.*) (rx|tx) (.*)", name).groups(), f"{rate:.1f}")  # type: ignore[union-attr]
        for name, rate in result.items()
        if rate > 0
    ]
    return table(("INTERFACE", "WAY", "MESSAGES", "A SECOND"), rows)
