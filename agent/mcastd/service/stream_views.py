"""Streams as JSON documents: answers of the control socket, and parts of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mcastd.gmp.family import FAMILIES
from mcastd.gmp.time import Instant
from mcastd.service.clock import wall_clock
from mcastd.service.documents import JsonObject
from mcastd.streams.lines import StreamObject

if TYPE_CHECKING:
    from mcastd.service.agent import Agent
    from mcastd.service.interface import Interface


def streams(
    agent: Agent, name: str | None = None, group: str | None = None
) -> Iterator[StreamObject]:
    """Streams, and groups from which nothing comes. ValueError for what is no address."""
    address = None if group is None else FAMILIES["mld" if ":" in group else "igmp"].parse(group)
    return agent.streams.objects(name, address)


def pairs(agent: Agent) -> Iterator[JsonObject]:
    """What is counted of streams that are sent twice."""
    return agent.streams.pairs.objects()


def interface_streams(agent: Agent, interface: Interface) -> JsonObject | None:
    """What `status` says of an interface's streams; None where they are not counted."""
    attachment = interface.attachment
    if attachment is None or not attachment.streams:
        return None
    totals = agent.streams.totals(interface.name, interface.index)
    flow = agent.streams.flow(interface.index)
    return {
        "packets": totals.packets,
        "streams": sum(count for state, count in flow.states.items() if state != "silent"),
        "fragments": totals.fragments,
        "untracked": totals.untracked,
        "states": dict(flow.states),
        "rate": round(flow.rate, 1),
        "bit_rate": round(flow.bit_rate),
        "last_data": None if flow.last is None else wall_clock(Instant(flow.last)),
    }
