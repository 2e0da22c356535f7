"""The control socket's answers for people: plain tables, and a line for each event."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mcastd.classify.lines import as_text
from mcastd.cli.namespace_tables import namespace_remarks, qualified
from mcastd.net.names import word
from mcastd.streams.lines import as_text as stream_table


def render(method: str, result: Any) -> str:
    """The answer to `method` as text."""
    renderers: dict[str, Callable[[Any], str]] = {
        "status": status,
        "groups": groups,
        "querier": querier,
        "counters": counters,
    }
    return renderers[method](result)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as they must be, two spaces between them."""
    cells = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def ago(at: float | None) -> str:
    """How long ago a time of day was."""
    return "-" if at is None else f"{max(0.0, time.time() - at):.0f} s ago"


def dash(value: object) -> str:
    return "-" if value is None else str(value)


def status(result: dict[str, Any]) -> str:
    head = [
        "INTERFACE",
        "MODE",
        "HOOK",
        "PROTOCOL",
        "VERSION",
        "QUERIER",
        "GROUPS",
        "SOURCES",
        "LOST",
    ]
    counting = any(each.get("streams") for each in result["interfaces"])
    if counting:
        head += ["STREAMS", "RATE", "LAST DATA"]
    rows: list[tuple[object, ...]] = []
    remarks: list[str] = []
    for each in result["interfaces"]:
        streams = stream_texts(each.get("streams")) if counting else ()
        lost = sum(sum(causes.values()) for causes in each["lost"].values())
        name = qualified(each, "name")
        for protocol in ("igmp", "mld"):
            family = each[protocol]
            where = (name, each["mode"], each["hook"], protocol, version_text(family))
            counts = (family["groups"], family["sources"], lost, *streams)
            rows.append((*where, querier_text(family), *counts))
            remarks += family_remarks(name, protocol, family)
        if each["problem"]:
            remarks.append(f"{name} {each['problem']}")
        remarks += flood_remarks(name, each["floods"])
        remarks += [f"{name}: {reason}" for reason in each["hook_reasons"]]
        remarks += [f"{name}: {remark}" for remark in each["remarks"]]
        remarks += [by_hand_remark(other, name) for other in each.get("by_hand", ())]
    remarks += [f"{name}: there is no such interface now" for name in result["missing"]]
    restart = result.get("needs_restart", ())
    remarks += [f"{key} of the files takes effect when mcastd is started anew" for key in restart]
    remarks += fault_remarks(result.get("state", {}).get("problem"), result.get("faults", {}))
    for each in result.get("namespaces", []):
        remarks += namespace_remarks(each)
        faults = fault_remarks(each.get("not_kept"), each.get("faults", {}))
        remarks += [f"namespace {each['name']}: {remark}" for remark in faults]
    return "\n".join([table(head, rows), *dict.fromkeys(remarks)])


def streams(result: list[dict[str, Any]]) -> str:
    shown = [each | {"interface": qualified(each)} for each in result]
    return stream_table(shown) if result else "no stream"


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


HOUR = 3600.0


def flood_remarks(name: str, floods: dict[str, Any]) -> list[str]:
    """Of those that go on; mcastctl doctor tells of the others."""
    return [
        f"{name}: a {ring} flood for {each['last']['seconds']:.0f} s, {each['last']['refused']} "
        f"refused, up to {each['last']['rate']:.0f} a second"
        for ring, each in floods.items()
        if each["active"]
    ]


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


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g} s"


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


FATES = {None: ">", "own": ">", "held_back": "|"}
"""What leaves the host and what is held back, in host mode."""


def event_line(event: dict[str, Any]) -> str:
    """One line for an event of `watch`."""
    fields = dict(event)
    name = fields.pop("event")
    if name == "message":
        text = as_text({"n": "", **fields}).strip()
        arrow = "<" if fields["direction"] == "rx" else FATES[fields.get("fate")]
        clock, _, rest = text.partition("  ")
        return f"{clock}  {qualified(event)} {arrow} {rest}"
    at = fields.pop("ts", None)
    if "interface" in fields:
        fields |= {"interface": qualified(fields)}
        fields.pop("namespace", None)
    clock = " " * 15
    if at is not None:
        clock = time.strftime("%H:%M:%S", time.gmtime(at)) + f"{at % 1:.6f}"[1:]
    said = "  ".join(f"{key} {value_text(value)}" for key, value in fields.items() if value != [])
    return f"{clock}  {name.upper()}  {said}"


def value_text(value: object) -> str:
    return "{" + ", ".join(map(str, value)) + "}" if isinstance(value, list) else str(value)


def reloaded(result: dict[str, Any]) -> str:
    """What runs, and what of the files is not in force all the same."""
    running = ", ".join(result["interfaces"]) or "no interface"
    undone = [
        f"{each['interface']}: {each['key']} = {each['value']} is undone, {each['files']} again"
        for each in result.get("undone", ())
    ]
    restart = [
        f"{key}: takes effect when mcastd is started anew"
        for key in result.get("needs_restart", ())
    ]
    by_hand = list(map(by_hand_remark, result.get("by_hand", ())))
    return "\n".join(
        [f"configuration reloaded; interfaces: {running}", *undone, *by_hand, *restart]
    )


def by_hand_remark(each: dict[str, Any], name: str | None = None) -> str:
    where = name or each["interface"]
    return (
        f"{where}: {each['key']} = {each['value']} was set by hand, the files have "
        f"{each['files']} (mcastctl reload --undo)"
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
