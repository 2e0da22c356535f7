"""Follows one group step by step, and says which step stops it and what shows that. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple

from mcastd.cli.namespace_tables import qualified
from mcastd.net.names import word

Object = Mapping[str, Any]
"""As the daemon answers."""

STOPS = {
    "interface": (
        "interface_missing", "not_run", "link_down", "multicast_off",
    ),
    "joined": ("not_joined", "joined_elsewhere", "any_source_in_ssm"),
    "reported": ("firewall_out", "reports_do_not_leave", "not_reported"),
    "querier": ("no_querier", "querier_silent", "bridge_without_querier"),
    "answered": ("firewall_in", "queries_unanswered", "bridge_lacks_group"),
    "data": ("arrives_elsewhere", "no_data", "stream_lossy", "duplicate_stream"),
    "source filter": ("source_filtered",),
    "rp_filter": ("rp_filter",),
    "firewall": ("firewall_data",),
    "sockets": ("fragments_lost", "socket_overflow", "shared_port"),
}  # fmt: skip
"""The steps in order, and the kinds of findings that say that the way stops there."""

COMING = frozenset({"live", "lossy", "elsewhere", "unwanted"})


class Step(NamedTuple):
    """`holds`: None where it is not known."""

    name: str
    holds: bool | None
    shows: str
    command: str


class Answers(NamedTuple):
    """What the daemon says of an interface and a group."""

    findings: Iterable[Object]
    groups: Iterable[Object]
    queriers: Iterable[Object]
    streams: Iterable[Object]


def steps(name: str, group: str, answers: Answers) -> list[Step]:
    """All of them, also those behind the one where it stops."""
    group = str(ip_address(group))
    faults = [each for each in answers.findings if concerns(each, name, group)]
    known = dict(seen(name, group, answers))
    return [
        of(step, kinds, faults, known)
        for step, kinds in STOPS.items()
        if step != "rp_filter" or ":" not in group  # the kernel has none for IPv6
    ]


def concerns(finding: Object, name: str, group: str) -> bool:
    """Whether a finding is a fault, and of this way."""
    family = "mld" if ":" in group else "igmp"
    return (
        finding["severity"] == "fault"
        and (finding["interface"] is None or qualified(dict(finding)) == name)
        and finding["protocol"] in (None, family)
        and finding["group"] in (None, group)
    )


def of(step: str, kinds: Iterable[str], faults: list[Object], known: Mapping[str, Step]) -> Step:
    """By the first finding that says so; else by what is known."""
    for kind in kinds:
        for each in faults:
            if each["kind"] == kind:
                shown = each["evidence"][0]["command"] if each["evidence"] else ""
                return Step(step, False, each["text"], shown)
    return known.get(step) or Step(step, True, "nothing found against it", "")


def seen(name: str, group: str, answers: Answers) -> Iterator[tuple[str, Step]]:
    """What is known of the steps that show something by themselves."""
    shell = word(name)
    held = next(iter(answers.groups), None)
    groups = f"mcastctl groups {shell} {group}"
    yield from data(list(answers.streams), f"mcastctl streams {shell} {group}")
    if held is None:
        for step in ("joined", "reported", "source filter"):
            yield step, Step(step, None, "the group is not joined there", groups)
    else:
        yield "joined", Step("joined", True, f"by {', '.join(askers(held))}", groups)
        yield "reported", reported(held, groups)
    asks = f"mcastctl querier {shell}"
    family = "mld" if ":" in group else "igmp"
    yield from asked([e for e in answers.queriers if e["protocol"] == family], asks)
    for each in answers.findings:
        if each["kind"] == "not_looked_at":
            yield "firewall", Step("firewall", None, each["text"], "")


def askers(held: Object) -> list[str]:
    """Who has joined a group."""
    found = []
    for each in held["applications"]:
        processes = each.get("processes") or ()
        found += [f"{of['name']} (pid {of['pid']})" for of in processes] or [each["name"]]
    return list(dict.fromkeys(found))


def reported(held: Object, command: str) -> Step:
    if not held["reported"]:
        return Step("reported", None, "this group is never reported", command)
    if held["last_reported"] is None:
        return Step("reported", None, "no report of it was seen yet", command)
    return Step("reported", True, "a report of it has left this host", command)


def asked(queriers: list[Object], command: str) -> Iterator[tuple[str, Step]]:
    current = [each for of in queriers for each in of["queriers"] if each["current"]]
    if not current:
        yield "querier", Step("querier", None, "no querier was heard yet", command)
        yield "answered", Step("answered", None, "there was no query to answer", command)
    for each in current[:1]:
        text = f"{each['address']} asks in version {each['version']}, {each['queries']} queries"
        yield "querier", Step("querier", True, text, command)


def data(streams: list[Object], command: str) -> Iterator[tuple[str, Step]]:
    coming = [each for each in streams if each["state"] in COMING]
    if not coming:
        text = "not known: nothing was counted (are streams counted there? streams = true)"
        yield "data", Step("data", None, text, command)
        text = "not known: no source was seen"
        for step in ("source filter", "rp_filter", "sockets"):
            yield step, Step(step, None, text, command)
        return
    text = ", ".join(f"{each['packets']} packets from {each['source']}" for each in coming[:3])
    more = f" and {len(coming) - 3} more sources" if coming[3:] else ""
    yield "data", Step("data", True, text + more, command)


MARKS = {True: "ok", False: "STOPS", None: "?"}


class Way(NamedTuple):
    """All steps of a group on an interface; `problem`: why there are none."""

    name: str
    group: str
    steps: tuple[Step, ...]
    problem: str = ""

    def text(self) -> str:
        of = f"the way of {self.group} on {self.name}"
        if self.problem:
            return f"{of} cannot be told: {self.problem}"
        return f"{of}:\n{render(self.steps)}"

    def as_object(self) -> dict[str, Any]:
        """Like a finding that is a note, with "steps": whoever reads the list of findings knows all
        its other fields."""
        namespace, _, name = self.name.rpartition("/")
        known = {
            "kind": "way",
            "severity": "note",
            "interface": name,
            "protocol": "mld" if ":" in self.group else "igmp",
            "group": str(ip_address(self.group)),
            "text": self.problem or end(self.steps),
            "evidence": [],
            "why": "",
            "remedy": "",
            "steps": [each._asdict() for each in self.steps],
        }
        return {"namespace": namespace} | known if namespace else known


def end(walked: Iterable[Step]) -> str:
    first = next((each.name for each in walked if each.holds is False), None)
    return "no step is known to stop it" if first is None else f"it stops first at: {first}"


def render(walked: Iterable[Step]) -> str:
    """A line for each step, and where the way stops first."""
    listed = list(walked)
    lines = [
        f"  {MARKS[each.holds]:<5}  {each.name:<13}  {each.shows}"
        + (f": {each.command}" if each.command else "")
        for each in listed
    ]
    return "\n".join([*lines, end(listed)])
