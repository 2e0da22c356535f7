"""Makes the metrics of streams: totals by interface and state, and a few single streams.

Who forges sources makes no series: a stream has its own only if it is wanted here, and only so many
as the settings say.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from mcastd.service.agent import Agent
from mcastd.service.pairs import PairReader
from mcastd.streams.pair_states import NAMES, PairState
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
    yield from _pairs(agent.streams.pairs)


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


OF_PAIR = ["a", "b"]
"""As they are configured: nobody who sends makes series."""


def _pairs(pairs: PairReader) -> Iterator[Metric]:
    """Nothing where no pair is configured."""
    if not pairs.watched:
        return
    numbers = CounterMetricFamily(
        "mcastd_pair_numbers",
        "Sequence numbers of a pair, once its window has passed, by the legs that brought them.",
        labels=[*OF_PAIR, "brought_by"],
    )
    late = CounterMetricFamily(
        "mcastd_pair_late",
        "Packets of a leg that came when the window had passed.",
        labels=[*OF_PAIR, "leg"],
    )
    skew = GaugeMetricFamily(
        "mcastd_pair_skew_seconds",
        "Arrival on b less that on a, of the last second: the median, and the largest either way.",
        labels=[*OF_PAIR, "of"],
    )
    states = GaugeMetricFamily(
        "mcastd_pair_state", "1 for the state of a pair.", labels=[*OF_PAIR, "state"]
    )
    for pair, watched in list(pairs.watched.items()):
        labels, sample = [str(pair.a), str(pair.b)], watched.sample
        for state in PairState:
            states.add_metric([*labels, state.value], float(watched.state is state))
        if sample is None:
            continue
        a, b = sample.legs
        brought = {"both": sample.both, "a": a.alone, "b": b.alone, "neither": sample.neither}
        for legs, count in brought.items():
            numbers.add_metric([*labels, legs], count)
        for name, leg in zip(NAMES, sample.legs, strict=True):
            late.add_metric([*labels, name], leg.late)
        if sample.skew is not None:
            for of, value in sample.skew._asdict().items():
                skew.add_metric([*labels, of], value / 1e9)
    yield from (numbers, late, skew, states)
