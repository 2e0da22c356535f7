"""The `steps` of a scenario: from nodes to values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mcastd.gmp.config import HostConfig
from mcastd.gmp.events import Configure, LinkDown, LinkUp, Listen
from mcastd.gmp.family import ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.gmp.time import Instant
from mcastd.simulate.addresses import address, interface_address, source_list
from mcastd.simulate.nodes import Node
from mcastd.simulate.receiving import received_packet
from mcastd.simulate.scenario import (
    Action,
    AddressAdded,
    AddressRemoved,
    MtuChanged,
    Receive,
    Step,
)
from mcastd.simulate.times import instant
from mcastd.simulate.tunables import changed


@dataclass(slots=True)
class _Around:
    """What a step needs to know of its scenario; `config` is as the steps before left it."""

    family: ProtocolFamily
    config: HostConfig


def steps(
    node: Node, family: ProtocolFamily, config: HostConfig, until: Instant | None
) -> Iterator[Step]:
    """The steps; they are in order of time and none is after `until`."""
    around = _Around(family, config)
    now = Instant(0)
    for number, each in enumerate(node.items(), start=1):
        step = _step(each, number, around)
        if step.at < now:
            each.refuse("is earlier than the step before it; steps are in order of time")
        if until is not None and step.at > until:
            each.refuse("is later than `until`, when the run ends")
        now = step.at
        yield step


def _step(node: Node, number: int, around: _Around) -> Step:
    fields = node.fields(_READERS, required=["at"])
    actions = [name for name in fields if name != "at"]
    if len(actions) != 1:
        node.refuse(f"exactly one of {', '.join(_READERS)} is wanted beside at")
    (action,) = actions
    return Step(number, instant(fields["at"]), _READERS[action](fields[action], around))


def _listen(node: Node, around: _Around) -> Action:
    fields = node.fields(["app", "sources"], required=["group", "mode"])
    return Listen(
        application=fields["app"].text() if "app" in fields else "app",
        group=address(fields["group"], around.family),
        filter=SourceFilter(
            FilterMode(fields["mode"].one_of(mode.value for mode in FilterMode)),
            source_list(fields["sources"], around.family)
            if "sources" in fields
            else around.family.no_sources,
        ),
    )


def _receive(node: Node, around: _Around) -> Action:
    return Receive(received_packet(node, around.family))


def _link(node: Node, _: _Around) -> Action:
    return LinkUp() if node.one_of(["up", "down"]) == "up" else LinkDown()


def _address(node: Node, around: _Around) -> Action:
    fields = node.fields(["add", "remove"])
    if len(fields) != 1:
        node.refuse("either add or remove is wanted")
    if "add" in fields:
        return AddressAdded(interface_address(fields["add"], around.family))
    return AddressRemoved(interface_address(fields["remove"], around.family))


def _mtu(node: Node, _: _Around) -> Action:
    return MtuChanged(node.integer(1, 65535))


def _set(node: Node, around: _Around) -> Action:
    around.config = changed(around.config, node, around.family)
    return Configure(around.config)


_READERS: dict[str, Callable[[Node, _Around], Action]] = {
    "listen": _listen,
    "receive": _receive,
    "link": _link,
    "address": _address,
    "mtu": _mtu,
    "set": _set,
}
