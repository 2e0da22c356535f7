"""Makes the metrics of the agent itself: its clients, its faults and its versions."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

import mcastd
from mcastd.service.agent import Agent
from mcastd.service.own_addresses import MAPS


def clients(agent: Agent) -> Iterator[Metric]:
    """Connections to the control socket and to the port of the metrics."""
    connected = GaugeMetricFamily(
        "mcastd_clients", "Open connections of clients, by socket.", labels=["socket"]
    )
    closed = CounterMetricFamily(
        "mcastd_clients_closed",
        "Connections that the agent closed or refused, by socket and reason.",
        labels=["socket", "reason"],
    )
    for door in agent.doors:
        connected.add_metric([door.name], door.clients)
        for reason, count in door.closed.items():
            closed.add_metric([door.name, reason], count)
    yield from (connected, closed)


def faults(agent: Agent) -> Iterator[Metric]:
    """Errors that ended less than the agent, and maps that were full."""
    confined = CounterMetricFamily(
        "mcastd_faults",
        "Errors that were confined to one connection, interface or file.",
        labels=["of"],
    )
    for fault, count in agent.faults.counts.items():
        confined.add_metric([fault.value], count)
    yield confined
    refused = CounterMetricFamily(
        "mcastd_map_refusals",
        "Entries that did not fit into a BPF map, by map.",
        labels=["map"],
    )
    for name in MAPS:
        refused.add_metric([name], agent.fast_path.refused[name])
    yield refused


def process(agent: Agent) -> Iterator[Metric]:
    """What runs here, and since when with this configuration."""
    build = GaugeMetricFamily(
        "mcastd_build_info",
        "Versions of mcastd, Python and the kernel; always 1.",
        labels=["version", "python", "kernel"],
    )
    build.add_metric([mcastd.__version__, platform.python_version(), platform.release()], 1)
    yield build
    yield GaugeMetricFamily(
        "mcastd_config_last_reload_success_timestamp_seconds",
        "When the configuration was last read without an error.",
        value=agent.reloaded_at,
    )
