"""Describes the objects that `nft -j list ruleset` lists (libnftables-json(5))."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class RuleObject(TypedDict):
    """A rule; `expr`: its statements, any of which may be of a kind that is not known here."""

    family: str
    table: str
    chain: str
    handle: NotRequired[int]
    expr: NotRequired[list[object]]


class ChainObject(TypedDict):
    """A chain; without `hook` it is only jumped to."""

    family: str
    table: str
    name: str
    hook: NotRequired[str]
    policy: NotRequired[str]
    prio: NotRequired[int]
    dev: NotRequired[object]


class SetObject(TypedDict):
    """A named set."""

    family: str
    table: str
    name: str
    elem: NotRequired[list[object]]


class Listed(TypedDict, total=False):
    """One of the objects that nft lists: it has one of these, or another kind."""

    set: SetObject
    rule: RuleObject
    chain: ChainObject
