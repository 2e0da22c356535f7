"""The `expect` of a scenario: from nodes to values."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mcastd import wire
from mcastd.gmp.family import ProtocolFamily
from mcastd.gmp.filters import FilterMode
from mcastd.gmp.records import RECORD_LABELS
from mcastd.simulate.addresses import address, parsed
from mcastd.simulate.lines import MESSAGES
from mcastd.simulate.nodes import Node, hexadecimal
from mcastd.simulate.scenario import (
    JSON,
    AnyOf,
    Expectation,
    Expected,
    ExpectedEnd,
    Silent,
    Window,
)
from mcastd.simulate.times import instant

_KINDS = ("send", "mode", "reject", "error")
_TIMES = ("at", "within")
_REFINEMENTS = ("count", "packets", "max_packet", "packet")
_OF_SENDS = ("packets", "max_packet", "packet")


def expectations(node: Node, family: ProtocolFamily) -> Iterator[Expectation]:
    for each in node.items():
        yield _expectation(each, family)


def _expectation(node: Node, family: ProtocolFamily) -> Expectation:
    fields = node.fields((*_TIMES, *_KINDS, *_REFINEMENTS, "silent", "end", "any_of"))
    alone = [name for name in ("silent", "end", "any_of") if name in fields]
    if not alone:
        return _expected(node, fields, family)
    content = fields[alone[0]]
    if alone == ["end"] and fields.keys() <= {"end", *_TIMES}:
        window = _window(node, fields) if len(fields) > 1 else None
        return ExpectedEnd(node.line, _end(content, family), window)
    if len(fields) > 1:
        node.refuse(f"{alone[0]!r} stands alone in its entry")
    match alone[0]:
        case "silent":
            return Silent(node.line, span(content))
        case _:
            return AnyOf(tuple(tuple(expectations(e, family)) for e in _alternatives(content)))


def _alternatives(node: Node) -> list[Node]:
    lists = node.items()
    if not lists:
        node.refuse("any_of has at least one list of entries")
    return lists


def _expected(node: Node, fields: dict[str, Node], family: ProtocolFamily) -> Expected:
    kinds = [kind for kind in _KINDS if kind in fields]
    if len(kinds) != 1:
        node.refuse(f"exactly one of {', '.join(_KINDS)} is wanted, or silent, end, any_of")
    (kind,) = kinds
    if kind != "send":
        for name in _OF_SENDS:
            if name in fields:
                fields[name].refuse(f"{name!r} belongs to a send")
    return Expected(
        line=node.line,
        window=_window(node, fields),
        kind=kind,
        value=_READERS[kind](fields[kind], family),
        count=fields["count"].integer(1) if "count" in fields else None,
        merged=fields["packets"].boolean() if "packets" in fields else False,
        longest=fields["max_packet"].integer(1) if "max_packet" in fields else None,
        packet=hexadecimal(fields["packet"]) if "packet" in fields else None,
    )


def _window(node: Node, fields: dict[str, Node]) -> Window:
    times = [name for name in _TIMES if name in fields]
    if len(times) != 1:
        node.refuse("a time is wanted: either at or within")
    if times == ["at"]:
        at = instant(fields["at"])
        return Window(at, at)
    return span(fields["within"])


def span(node: Node) -> Window:
    """Two times, [first, last]."""
    ends = [instant(each) for each in node.items()]
    if len(ends) != 2 or ends[0] > ends[1]:
        node.refuse("two times are wanted, the earlier first: [0, 10]")
    return Window(*ends)


def _send(node: Node, family: ProtocolFamily) -> JSON:
    fields = node.fields(["message", "version", "from", "to", "group", "records"])
    found: dict[str, JSON] = {}
    for name, each in fields.items():
        match name:
            case "message":
                found[name] = each.one_of(MESSAGES)
            case "version":
                found[name] = _version(each, family)
            case "records":
                found[name] = [_record(record, family) for record in each.items()]
            case _:
                found[name] = family.format(address(each, family))
    return found


def _version(node: Node, family: ProtocolFamily) -> int:
    return node.integer(family.versions[0], family.newest)


def _record(node: Node, family: ProtocolFamily) -> JSON:
    fields = node.fields(["type", "group", "sources"])
    found: dict[str, JSON] = {}
    if "type" in fields:
        found["type"] = fields["type"].one_of(RECORD_LABELS.values())
    if "group" in fields:
        found["group"] = family.format(address(fields["group"], family))
    if "sources" in fields:
        found["sources"] = _sources(fields["sources"], family)
    return found


def _sources(node: Node, family: ProtocolFamily) -> list[JSON]:
    """Ascending, each once."""
    packed = sorted({address(each, family) for each in node.items()})
    return [family.format(each) for each in packed]


def _reject(node: Node, family: ProtocolFamily) -> JSON:
    fields = node.fields(["reason"])
    return {"reason": fields["reason"].one_of(each.label for each in wire.Reason)} if fields else {}


def _error(node: Node, family: ProtocolFamily) -> JSON:
    found: dict[str, JSON] = {}
    for name, each in node.fields(["step", "code", "text"]).items():
        found[name] = each.integer(1) if name == "step" else each.text()
    return found


def _end(node: Node, family: ProtocolFamily) -> dict[str, JSON]:
    fields = node.fields(["mode", "robustness", "query_interval", "groups", "counters"])
    found: dict[str, JSON] = {}
    for name, each in fields.items():
        match name:
            case "groups":
                found[name] = _groups(each, family)
            case "counters":
                known = {counter for names in family.counters.values() for counter in names}
                counters = each.fields(known).items()
                found[name] = {counter: count.integer() for counter, count in counters}
            case "query_interval":
                found[name] = each.number()
            case _:
                found[name] = each.integer()
    return found


def _groups(node: Node, family: ProtocolFamily) -> JSON:
    """By group; nothing stands for a group that is not received."""
    found: dict[str, JSON] = {}
    for name, each in node.entries().items():
        group = family.format(parsed(name, each, family))
        found[group] = None if each.says_nothing() else _group(each, family)
    return found


def _group(node: Node, family: ProtocolFamily) -> JSON:
    fields = node.fields(["mode", "sources"])
    found: dict[str, JSON] = {}
    if "mode" in fields:
        found["mode"] = fields["mode"].one_of(mode.value for mode in FilterMode)
    if "sources" in fields:
        found["sources"] = _sources(fields["sources"], family)
    return found


_READERS: dict[str, Callable[[Node, ProtocolFamily], JSON]] = {
    "send": _send,
    "mode": _version,
    "reject": _reject,
    "error": _error,
}
