"""Answers whether the agent is alive and ready, for those who supervise it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from mcastd.gmp.time import seconds
from mcastd.printable import printable
from mcastd.service.agent import Agent
from mcastd.service.clock import now

TURNED = seconds(2)
"""Within which the loop of an agent that is alive has turned."""

TEXT, HTML = "text/plain; charset=utf-8", "text/html; charset=utf-8"


class Page(NamedTuple):
    """What is answered."""

    status: int
    content_type: str
    text: str


def healthy(agent: Agent) -> Page:
    """200 if the loop has turned lately."""
    late = now() - agent.look.turned_at
    if late > TURNED:
        return Page(503, TEXT, f"the loop has not turned for {late / 1e9:.1f} s\n")
    return Page(200, TEXT, "healthy\n")


def ready(agent: Agent) -> Page:
    """200 if all interfaces that are there are attached, and it was read what the host receives."""
    alive = healthy(agent)
    if alive.status != 200:
        return alive
    missing = [each.name for each in agent.by_index.values() if each.attachment is None]
    if missing:
        return Page(503, TEXT, printable(f"not attached: {', '.join(sorted(missing))}") + "\n")
    if not agent.reader.was_read:
        return Page(503, TEXT, f"{agent.reader.problem or 'memberships are not read yet'}\n")
    return Page(200, TEXT, "ready\n")


LANDING = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>mcastd</title></head>
<body><h1>mcastd</h1><p>Multicast membership agent: IGMP and MLD seen at the NIC.</p>
<ul><li><a href="/metrics">Metrics</a></li>
<li><a href="/-/healthy">Healthy</a>: the loop turns</li>
<li><a href="/-/ready">Ready</a>: interfaces are attached, memberships are read</li></ul>
</body></html>
"""


def landing(agent: Agent) -> Page:
    """What a browser is shown."""
    return Page(200, HTML, LANDING)


PAGES: Mapping[bytes, Callable[[Agent], Page]] = {
    b"/": landing,
    b"/-/healthy": healthy,
    b"/-/ready": ready,
}
"""Beside /metrics."""
