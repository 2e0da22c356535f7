"""Makes the metrics for Prometheus at each scrape, from what the agent counts anyway."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest
from operator import itemgetter

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mcastd.fastpath.counters import CAUSES, DIRECTIONS, PROTOCOLS, RINGS
from mcastd.gmp.counters import Counted
from mcastd.gmp.family import Address
from mcastd.gmp.filters import FilterMode
from mcastd.gmp.time import in_seconds
from mcastd.service.agent import Agent
from mcastd.service.agent_metrics import clients, faults, process
from mcastd.service.clock import wall_clock
from mcastd.service.floods import FLOODED
from mcastd.service.interface import Interface
from mcastd.service.limit_metrics import limit_metrics
from mcastd.service.observer import Observer
from mcastd.service.responses import BUCKETS
from mcastd.service.stream_metrics import stream_metrics
from mcastd.wire import Kind, Reason

FAMILY = ["interface", "protocol"]


class AgentCollector(Collector):
    """One scrape's metrics. A counter of an interface goes on while its name is known."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def collect(self) -> Iterator[Metric]:
        yield from self._traffic()
        yield from self._events()
        yield from self._floods()
        yield from self._queriers()
        yield from self._hosts()
        yield from self._largest_groups()
        yield from self._responses()
        yield from self._host_mode()
        yield from stream_metrics(self._agent)
        yield from self._interfaces()
        yield from clients(self._agent)
        yield from limit_metrics(self._agent)
        yield from faults(self._agent)
        yield from process(self._agent)

    def _traffic(self) -> Iterator[Metric]:
        messages = CounterMetricFamily(
            "mcastd_messages",
            "IGMP and MLD messages accepted at the NIC.",
            labels=["interface", "direction", "protocol", "type", "version"],
        )
        rejected = CounterMetricFamily(
            "mcastd_rejected_messages",
            "Received IGMP and MLD messages that were rejected.",
            labels=["interface", "protocol", "reason"],
        )
        for name, values in self._agent.fast_path.counters().items():
            for index, direction in enumerate(DIRECTIONS):
                for kind in Kind:
                    version = "" if kind.version is None else str(kind.version)
                    labels = [name, direction, kind.family.name, kind.type, version]
                    messages.add_metric(labels, values.accepted[index][kind])
            for place, protocol in enumerate(PROTOCOLS):
                for reason in Reason:
                    count = values.rejected[0][place][reason]
                    rejected.add_metric([name, protocol, reason.label], count)
        yield messages
        yield rejected

    def _host_mode(self) -> Iterator[Metric]:
        dropped = CounterMetricFamily(
            "mcastd_kernel_reports_dropped",
            "Reports and leaves of the kernel that were held back under a cap.",
            labels=FAMILY,
        )
        consumed = CounterMetricFamily(
            "mcastd_kernel_queries_consumed",
            "Queries kept from the kernel: older ones and, with strict_kernel, rejected ones.",
            labels=FAMILY,
        )
        passing = CounterMetricFamily(
            "mcastd_passing_reports",
            "Reports and leaves that others, such as guests, send through the interface.",
            labels=FAMILY,
        )
        for name, values in self._agent.fast_path.counters().items():
            for place, protocol in enumerate(PROTOCOLS):
                dropped.add_metric([name, protocol], values.held_back[place])
                consumed.add_metric([name, protocol], values.consumed[place])
                passing.add_metric([name, protocol], values.passing[place])
        yield dropped
        yield consumed
        yield passing
        age = self._agent.host_mode.age()
        if age is not None:
            yield GaugeMetricFamily(
                "mcastd_heartbeat_age_seconds",
                "Seconds since the last heartbeat; above 2 the kernel reports again.",
                value=age,
            )

    def _events(self) -> Iterator[Metric]:
        events = CounterMetricFamily(
            "mcastd_events",
            "Messages handed over to the control plane.",
            labels=["interface", "ring"],
        )
        lost = CounterMetricFamily(
            "mcastd_events_lost",
            "Messages counted, but not handed over to the control plane.",
            labels=["interface", "ring", "cause"],
        )
        for name, values in self._agent.fast_path.counters().items():
            for index, ring in enumerate(RINGS):
                events.add_metric([name, ring], values.events[index])
                for place, cause in enumerate(CAUSES):
                    lost.add_metric([name, ring, cause], values.lost[index][place])
        yield events
        yield lost

    def _floods(self) -> Iterator[Metric]:
        active = GaugeMetricFamily(
            "mcastd_flood_active",
            "1 while messages of others are refused by a rate limit, and for five seconds after.",
            labels=["interface", "ring"],
        )
        floods = CounterMetricFamily(
            "mcastd_floods", "Floods, including one that goes on now.", labels=["interface", "ring"]
        )
        discarded = CounterMetricFamily(
            "mcastd_discarded_messages",
            "Messages of others that a rate limit kept from the kernel.",
            labels=["interface", "ring", "protocol"],
        )
        for name, values in self._agent.fast_path.counters().items():
            for ring, history in self._agent.look.floods.of(name).items():
                active.add_metric([name, ring], int(history.is_active))
                floods.add_metric([name, ring], history.count)
            for ring, counts in zip(FLOODED, values.discarded, strict=True):
                for protocol, count in zip(PROTOCOLS, counts, strict=True):
                    discarded.add_metric([name, ring, protocol], count)
        yield from (active, floods, discarded)

    def _observers(self) -> Iterator[tuple[list[str], Observer]]:
        for interface in self._agent.interfaces.values():
            for protocol, observer in interface.observers.items():
                yield [interface.name, protocol], observer

    def _queriers(self) -> Iterator[Metric]:
        with_address = self._agent.settings.querier_address
        labels = [*FAMILY, "version", "address"] if with_address else [*FAMILY, "version"]
        info = GaugeMetricFamily(
            "mcastd_querier_info", "The querier of the link; always 1.", labels=labels
        )
        last = GaugeMetricFamily(
            "mcastd_querier_last_query_timestamp_seconds",
            "When the querier last sent a general query.",
            labels=FAMILY,
        )
        interval = GaugeMetricFamily(
            "mcastd_querier_interval_seconds",
            "The query interval that the querier advertises.",
            labels=FAMILY,
        )
        observed = GaugeMetricFamily(
            "mcastd_querier_observed_interval_seconds",
            "The time between the querier's last two general queries.",
            labels=FAMILY,
        )
        for names, observer in self._observers():
            current = observer.queriers.current
            if current is None:
                continue
            address = [observer.family.format(current.address)] if with_address else []
            info.add_metric([*names, str(current.version), *address], 1)
            if current.last_general is not None:
                last.add_metric(names, wall_clock(current.last_general))
            if current.interval:
                interval.add_metric(names, in_seconds(current.interval))
            if current.observed_interval is not None:
                observed.add_metric(names, in_seconds(current.observed_interval))
        yield from (info, last, interval, observed)

    def _hosts(self) -> Iterator[Metric]:
        version = GaugeMetricFamily(
            "mcastd_compatibility_version", "The protocol version spoken now.", labels=FAMILY
        )
        highest = GaugeMetricFamily(
            "mcastd_max_version", "The newest protocol version allowed.", labels=FAMILY
        )
        changes = CounterMetricFamily(
            "mcastd_compatibility_changes",
            "Changes of the protocol version spoken.",
            labels=[*FAMILY, "from", "to"],
        )
        groups = GaugeMetricFamily("mcastd_groups", "Groups received.", labels=[*FAMILY, "mode"])
        beyond = GaugeMetricFamily(
            "mcastd_groups_beyond_link",
            "Groups received that are not link-local: 0 where nothing from other links is awaited.",
            labels=FAMILY,
        )
        sources = GaugeMetricFamily(
            "mcastd_sources", "Sources in the filters of all groups.", labels=[*FAMILY, "mode"]
        )
        state_changes = CounterMetricFamily(
            "mcastd_state_changes",
            "Joins, leaves and changes of filters, by who asked for them.",
            labels=[*FAMILY, "origin"],
        )
        for names, observer in self._observers():
            version.add_metric(names, observer.host.version)
            highest.add_metric(names, observer.host.config.max_version)
            for (old, new), count in observer.engine.compatibility_changes.items():
                changes.add_metric([*names, str(old), str(new)], count)
            beyond.add_metric(names, observer.received.beyond_link)
            for mode in FilterMode:
                held = observer.received.held(mode)
                groups.add_metric([*names, mode.value], held.groups)
                sources.add_metric([*names, mode.value], held.sources)
            for origin in ("kernel", "config", "api"):
                state_changes.add_metric([*names, origin], observer.state_changes[origin])
        yield from (version, highest, changes, groups, beyond, sources, state_changes)

    def _largest_groups(self) -> Iterator[Metric]:
        """The only metrics with groups for labels: no more of them than the operator asked for."""
        if not self._agent.settings.per_group:
            return
        labels = [*FAMILY, "group"]
        sources = GaugeMetricFamily(
            "mcastd_group_sources",
            "Sources in the filter of the group, for the groups with the most sources.",
            labels=[*labels, "mode"],
        )
        reported = GaugeMetricFamily(
            "mcastd_group_last_report_timestamp_seconds",
            "When this host last reported the group.",
            labels=labels,
        )
        for names, observer, group in self._groups_with_most_state():
            current = observer.received.groups[group]
            at = observer.reported(group)
            where = [*names, observer.family.format(group)]
            sources.add_metric([*where, current.mode.value], len(current.sources))
            if at is not None:
                reported.add_metric(where, wall_clock(at))
        yield from (sources, reported)

    def _groups_with_most_state(self) -> Iterator[tuple[list[str], Observer, Address]]:
        """As many as are wanted, of all interfaces together; of equal ones the first joined."""
        held = (
            (len(current.sources), names, observer, group)
            for names, observer in self._observers()
            for group, current in observer.received.groups.items()
        )
        largest = nlargest(self._agent.settings.per_group, held, key=itemgetter(0))
        for _, names, observer, group in largest:
            yield names, observer, group

    def _responses(self) -> Iterator[Metric]:
        times = HistogramMetricFamily(
            "mcastd_query_response_seconds",
            "From a query's arrival at the NIC to the report that answers it.",
            labels=FAMILY,
        )
        unanswered = CounterMetricFamily(
            "mcastd_queries_unanswered",
            "Queries that required a report from this host and got none in time.",
            labels=FAMILY,
        )
        suppressed = CounterMetricFamily(
            "mcastd_suppressed_reports",
            "Reports that other hosts' reports made unnecessary.",
            labels=FAMILY,
        )
        refreshes = CounterMetricFamily(
            "mcastd_refreshes",
            "Times that all groups were reported unasked, as the setting refresh says.",
            labels=FAMILY,
        )
        for names, observer in self._observers():
            histogram = observer.responses.histogram
            buckets = [(str(bound), float(histogram.counts[i])) for i, bound in enumerate(BUCKETS)]
            buckets.append(("+Inf", float(histogram.total)))
            times.add_metric(names, buckets, histogram.sum)
            unanswered.add_metric(names, observer.responses.unanswered)
            suppressed.add_metric(names, observer.host.statistics.value(Counted.SUPPRESSED))
            refreshes.add_metric(names, observer.engine.refreshes)
        yield from (times, unanswered, suppressed, refreshes)

    def _interfaces(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            "mcastd_interface_mode_info",
            "Mode and ingress hook of the interface; always 1.",
            labels=["interface", "mode", "hook"],
        )
        for interface in self._agent.interfaces.values():
            info.add_metric([interface.name, interface.mode, hook_of(interface)], 1)
        yield info


def hook_of(interface: Interface) -> str:
    return interface.attachment.ingress.value if interface.attachment else "none"
