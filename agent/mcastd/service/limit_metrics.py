"""What Prometheus scrapes of the agent's own limits: how much there may be, and how much there is.

A refusal is seen by who is refused; that it is near is seen here, by the operator, before it comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric

from mcastd.service.agent import Agent


class Use(NamedTuple):
    """Of one limit. `key`: the setting, as the configuration file names it."""

    key: str
    used: int
    limit: int


def limit_metrics(agent: Agent) -> Iterator[Metric]:
    """By the setting that raises the limit."""
    limits = GaugeMetricFamily(
        "mcastd_limit",
        "The limit that a setting allows, by setting.",
        labels=["limit"],
    )
    used = GaugeMetricFamily(
        "mcastd_limit_used", "How much of the limit is used, by setting.", labels=["limit"]
    )
    for each in uses(agent):
        limits.add_metric([each.key], each.limit)
        used.add_metric([each.key], each.used)
    yield from (limits, used)


def uses(agent: Agent) -> Iterator[Use]:
    """Limits as they are in force: what a reload cannot change is what the agent started with."""
    settings, started_with = agent.settings, agent.started_with
    clients = {each.name: each.clients for each in agent.doors}
    attached = sum(each.attachment is not None for each in agent.interfaces.values())
    whose = f"namespace.{settings.namespace}" if settings.namespace else "agent"
    yield Use(f"{whose}.max_interfaces", attached, started_with.max_interfaces)
    yield Use("control.clients", clients.get("control", 0), settings.clients)
    yield Use("control.memberships", agent.owned.total, settings.memberships)
    yield Use("metrics.clients", clients.get("metrics", 0), settings.metrics_clients)
    if agent.streams.is_counting:
        room = started_with.streams.most
        yield Use("streams.max_streams", len(agent.streams.watch.streams), room)
