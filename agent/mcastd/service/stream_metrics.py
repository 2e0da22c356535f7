"""Makes the metrics of streams: totals by interface and state, and a few single streams.

Who forges sources makes no series: a stream has its own only if it is wanted here, and only so many
as the settings say.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from mcastd.service.agent import Agent
from mcastd.streams.sample import address_text
from mcastd.streams.states import State, Watched

TOTALS = {
    "packets": "Packets of multicast streams, at the NIC.",
    "bytes": "Bytes of IP in packets of multicast streams, at the NIC.",
    "lost": "Losses that the sequence numbers of streams show, each in its own unit.",
    "fragments": "Later fragments of multicast UDP, which belong to no stream.",
    "untracked": "Packets of streams that did not fit into the table (max_streams).",
}

OF_STREAM = ["interface", "source", "group", "port"]


def stream_metrics(agent: Agent) -> Iterator[Metric]:
    """Nothing where no streams are counted."""
    if not agent.streams.is_counting:
        return
    counted = [
        (each.name, each.index)
        for each in agent.interfaces.values()
        if agent.counts_streams(each) or agent.streams.totals(each.name, None).packets
    ]
    for name, help_text in TOTALS.items():
        family = CounterMetricFamily(f"mcastd_stream_{name}", help_text, labels=["interface"])
        for interface, index in counted:
            family.add_metric([interface], getattr(agent.streams.totals(interface, index), name))
        yield family
    states = GaugeMetricFamily(
        "mcastd_streams", "Multicast streams now, by state.", labels=["interface", "state"]
    )
    for interface, index in counted:
        found = agent.streams.flow(index).states
        for state in State:
            states.add_metric([interface, state.value], found[state.value])
    yield states
    yield from _largest(agent)


def _largest(agent: Agent) -> Iterator[Metric]:
    most = agent.settings.per_stream
    if not most:
        return
    wanted = (each for each in agent.streams.watch.streams.values() if each.wanted)
    chosen = nlargest(most, wanted, key=lambda each: each.sample.packets)
    packets = CounterMetricFamily(
        "mcastd_one_stream_packets", "Packets of one of the largest streams.", labels=OF_STREAM
    )
    lost = CounterMetricFamily(
        "mcastd_one_stream_lost",
        "Losses of one of the largest streams, in its own unit.",
        labels=OF_STREAM,
    )
    for each in chosen:
        labels = _labels(agent, each)
        if labels is not None:
            packets.add_metric(labels, each.sample.packets)
            if each.sample.lost is not None:
                lost.add_metric(labels, each.sample.lost)
    yield packets
    yield lost


def _labels(agent: Agent, watched: Watched) -> list[str] | None:
    key = watched.key
    interface = agent.by_index.get(key.ifindex)
    if interface is None or any(key.vlan):
        return None
    return [interface.name, address_text(key.source), address_text(key.group), str(key.port)]
