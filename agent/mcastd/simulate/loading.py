"""Scenario files: from text to values, or an error that names the place."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_interface

from mcastd.gmp.config import HostConfig
from mcastd.gmp.family import FAMILIES, ProtocolFamily
from mcastd.simulate.addresses import interface_address
from mcastd.simulate.delays import NAMED, DelayScript, Fractions, Seeded
from mcastd.simulate.expectations import expectations, span
from mcastd.simulate.nodes import Node, documents
from mcastd.simulate.scenario import Expectation, InterfaceAddress, Scenario, Silent, Step
from mcastd.simulate.steps import steps
from mcastd.simulate.times import instant
from mcastd.simulate.tunables import changed

_DEFAULT_ADDRESSES = {"igmp": "192.0.2.10/24", "mld": "fe80::10/64"}
_OPTIONAL = [
    "config", "delay", "exhaustive", "expect", "interface", "name", "silent", "steps", "until",
]  # fmt: skip


def load(text: str, file: str) -> Iterator[Scenario]:
    """The scenarios of a file; ScenarioError for what is none.

    `file` is what errors call it.
    """
    for number, document in enumerate(documents(text, file), start=1):
        yield _scenario(document, number)


def _scenario(document: Node, number: int) -> Scenario:
    fields = document.fields(_OPTIONAL, required=["family"])
    fields = {name: each for name, each in fields.items() if not each.says_nothing()}
    if "family" not in fields:
        document.refuse("'family' is missing")
    family = FAMILIES[fields["family"].one_of(FAMILIES)]
    config = HostConfig.from_mapping(family, {})
    if "config" in fields:
        config = changed(config, fields["config"], family)
    mtu, addresses = _interface(fields.get("interface"), family)
    until = instant(fields["until"]) if "until" in fields else None
    happening: tuple[Step, ...] = ()
    if "steps" in fields:
        happening = tuple(steps(fields["steps"], family, config, until))
    return Scenario(
        file=document.file,
        line=document.line,
        name=fields["name"].text() if "name" in fields else f"scenario {number}",
        family=family,
        mtu=mtu,
        addresses=addresses,
        config=config,
        delays=_delays(fields["delay"]) if "delay" in fields else NAMED["max"],
        until=until,
        steps=happening,
        expectations=_expectations(fields, family),
        exhaustive=fields["exhaustive"].boolean() if "exhaustive" in fields else True,
    )


def _interface(
    node: Node | None, family: ProtocolFamily
) -> tuple[int, tuple[InterfaceAddress, ...]]:
    fields = node.fields(["mtu", "addresses"]) if node else {}
    mtu = fields["mtu"].integer(1, 65535) if "mtu" in fields else 1500
    if "addresses" not in fields:
        return mtu, (ip_interface(_DEFAULT_ADDRESSES[family.name]),)
    return mtu, tuple(interface_address(each, family) for each in fields["addresses"].items())


def _delays(node: Node) -> DelayScript:
    if node.is_mapping():
        return Seeded(node.fields([], required=["seed"])["seed"].integer())
    if node.is_list():
        fractions = tuple(_fraction(each) for each in node.items())
        if not fractions:
            node.refuse("a list of delays has at least one number")
        return Fractions(fractions)
    if node.text() in NAMED:
        return NAMED[node.text()]
    return Fractions((_fraction(node),))


def _fraction(node: Node) -> float:
    written = node.text()
    if written[:1].isalpha():
        node.refuse(
            f"{written!r} is no delay: max, min, half, a number in (0, 1], a list of such numbers"
            " or {seed: 7}"
        )
    value = node.number(0, 1)
    if not value:
        node.refuse("a delay is more than 0: a number in (0, 1]")
    return value


def _expectations(fields: dict[str, Node], family: ProtocolFamily) -> tuple[Expectation, ...]:
    found: list[Expectation] = []
    if "expect" in fields:
        found += expectations(fields["expect"], family)
    if "silent" in fields:
        node = fields["silent"]
        several = all(each.is_list() for each in node.items())
        found += [Silent(node.line, span(each)) for each in (node.items() if several else [node])]
    return tuple(found)
