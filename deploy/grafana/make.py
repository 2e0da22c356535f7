"""Writes the Grafana dashboards beside it: one host, a fleet, one group.

    python deploy/grafana/make.py

What a panel asks is plain PromQL over metrics and records of this project, so that a test can ask
all of it of a real Prometheus. `$job`, `$instance`, `$interface` and `$group` are the variables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent

SCHEMA_VERSION = 39
"""Of the dashboard's JSON: Grafana 11 writes it, later versions read and migrate it."""

WIDTH = 24
"""Columns of Grafana's grid."""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}

LINK = {
    "type": "dashboards",
    "tags": ["mcastd"],
    "title": "mcastd",
    "icon": "external link",
    "tooltip": "",
    "url": "",
    "asDropdown": True,
    "targetBlank": False,
    "includeVars": True,
    "keepTime": True,
}
"""From one dashboard to the others, with the time and the host that are looked at."""

HOST = 'job=~"$job", instance=~"$instance"'
THERE = f'{HOST}, interface=~"$interface"'
FLEET = 'job=~"$job"'
GROUP = f'{THERE}, group=~"$group"'


class Query(NamedTuple):
    """`legend`: how a series is called, by its labels."""

    expression: str
    legend: str = ""


class Panel(NamedTuple):
    """`kind`: of Grafana's panels. `unit`: of its units. `says`: what it is, for its corner."""

    title: str
    kind: str
    queries: Sequence[Query]
    unit: str = "short"
    says: str = ""
    width: int = 12
    height: int = 8


class Variable(NamedTuple):
    """Chosen by the reader, of what a label has in a metric."""

    name: str
    asks: str
    several: bool = True


class Dashboard(NamedTuple):
    uid: str
    title: str
    variables: Sequence[Variable]
    panels: Sequence[Panel]


JOB = Variable("job", "label_values(mcastd_build_info, job)")
INSTANCE = Variable("instance", 'label_values(mcastd_build_info{job=~"$job"}, instance)')
INTERFACE = Variable("interface", f"label_values(mcastd_groups{{{HOST}}}, interface)")
OF_GROUP = Variable("group", f"label_values(mcastd_group_sources{{{THERE}}}, group)")

VERSION_SPOKEN = Panel(
    "Version spoken",
    "stat",
    [Query(f"mcastd_compatibility_version{{{THERE}}}", "{{interface}} {{protocol}}")],
    says="Below the version that is allowed: an older querier was heard.",
    width=6,
)

host = Dashboard(
    "mcastd-host",
    "mcastd: one host",
    [JOB, INSTANCE, INTERFACE],
    [
        VERSION_SPOKEN,
        Panel(
            "Since the last query",
            "stat",
            [
                Query(
                    f"time() - mcastd_querier_last_query_timestamp_seconds{{{THERE}}}",
                    "{{interface}} {{protocol}}",
                )
            ],
            "s",
            "More than two and a half intervals: the querier is silent.",
            width=6,
        ),
        Panel(
            "Groups received",
            "timeseries",
            [Query(f"sum without (mode) (mcastd_groups{{{THERE}}})", "{{interface}} {{protocol}}")],
        ),
        Panel(
            "Messages at the NIC",
            "timeseries",
            [
                Query(
                    f"sum by (interface, direction, type) (rate(mcastd_messages_total{{{THERE}}}"
                    "[$__rate_interval]))",
                    "{{interface}} {{direction}} {{type}}",
                )
            ],
            "pps",
        ),
        Panel(
            "Messages refused",
            "timeseries",
            [
                Query(
                    "sum by (interface, reason) (rate(mcastd_rejected_messages_total"
                    f"{{{THERE}}}[$__rate_interval]))",
                    "{{interface}} {{reason}}",
                )
            ],
            "pps",
            "Counted, and not acted on: broken, forged, or from off the link.",
        ),
        Panel(
            "From a query to its answer",
            "timeseries",
            [
                Query(
                    "histogram_quantile(0.99, sum by (le, interface, protocol) "
                    f"(rate(mcastd_query_response_seconds_bucket{{{THERE}}}[$__rate_interval])))",
                    "{{interface}} {{protocol}} 99 %",
                )
            ],
            "s",
        ),
        Panel(
            "Queries unanswered",
            "timeseries",
            [
                Query(
                    f"increase(mcastd_queries_unanswered_total{{{THERE}}}[$__rate_interval])",
                    "{{interface}} {{protocol}}",
                )
            ],
        ),
        Panel(
            "Events lost",
            "timeseries",
            [
                Query(
                    f"increase(mcastd_events_lost_total{{{THERE}}}[$__rate_interval])",
                    "{{interface}} {{ring}} {{cause}}",
                )
            ],
            says="rate_limited is a limit that did its work; ring_full is a loss.",
        ),
        Panel(
            "Changes of groups",
            "timeseries",
            [
                Query(
                    f"rate(mcastd_state_changes_total{{{THERE}}}[$__rate_interval])",
                    "{{interface}} {{protocol}} {{origin}}",
                )
            ],
            "ops",
        ),
        Panel(
            "How much of each limit is used",
            "bargauge",
            [Query(f"mcastd_limit_used{{{HOST}}} / (mcastd_limit{{{HOST}}} > 0)", "{{limit}}")],
            "percentunit",
        ),
        Panel(
            "Faults",
            "timeseries",
            [
                Query(
                    f"increase(mcastd_faults_total{{{HOST}}}[$__rate_interval])",
                    "{{instance}} {{of}}",
                )
            ],
            says="Each ended where it belongs: one connection, interface or file.",
            width=6,
        ),
        Panel(
            "Hooks",
            "table",
            [Query(f"mcastd_interface_mode_info{{{THERE}}}", "{{interface}} {{mode}} {{hook}}")],
            width=6,
        ),
    ],
)

fleet = Dashboard(
    "mcastd-fleet",
    "mcastd: a fleet",
    [JOB],
    [
        Panel(
            "Agents that answer",
            "stat",
            [Query(f"sum(up{{{FLEET}}})", "up"), Query(f"count(up{{{FLEET}}})", "all")],
            width=6,
        ),
        Panel(
            "Interfaces that are attached",
            "stat",
            [
                Query(f'count(mcastd_interface_mode_info{{{FLEET}, hook!="none"}})', "attached"),
                Query(f"count(mcastd_interface_mode_info{{{FLEET}}})", "all"),
            ],
            width=6,
        ),
        Panel(
            "Interfaces by the version they speak",
            "timeseries",
            [
                Query(
                    'count_values by (protocol) ("version", mcastd_compatibility_version'
                    f"{{{FLEET}}})",
                    "{{protocol}} version {{version}}",
                )
            ],
        ),
        Panel(
            "Longest silence of a querier",
            "timeseries",
            [
                Query(
                    f"topk(10, time() - mcastd_querier_last_query_timestamp_seconds{{{FLEET}}})",
                    "{{instance}} {{interface}} {{protocol}}",
                )
            ],
            "s",
            "Few of many: their ports. All: the querier.",
        ),
        Panel(
            "Groups received",
            "timeseries",
            [Query(f"sum by (protocol) (mcastd_groups{{{FLEET}}})", "{{protocol}}")],
        ),
        Panel(
            "Hosts with most groups",
            "bargauge",
            [
                Query(
                    f"topk(10, sum by (instance, interface) (mcastd_groups{{{FLEET}}}))",
                    "{{instance}} {{interface}}",
                )
            ],
        ),
        Panel(
            "Queries unanswered, by host",
            "timeseries",
            [
                Query(
                    "topk(10, sum by (instance) (increase(mcastd_queries_unanswered_total"
                    f"{{{FLEET}}}[$__rate_interval])))",
                    "{{instance}}",
                )
            ],
        ),
        Panel(
            "Floods, by host",
            "timeseries",
            [
                Query(
                    f"topk(10, sum by (instance) (mcastd_flood_active{{{FLEET}}}))", "{{instance}}"
                )
            ],
        ),
        Panel(
            "Faults, by host and what they ended",
            "timeseries",
            [
                Query(
                    "topk(10, sum by (instance, of) (increase(mcastd_faults_total"
                    f"{{{FLEET}}}[$__rate_interval])))",
                    "{{instance}} {{of}}",
                )
            ],
        ),
        Panel(
            "Versions of the agent",
            "piechart",
            [Query(f"count by (version) (mcastd_build_info{{{FLEET}}})", "{{version}}")],
            width=6,
        ),
        Panel(
            "Kernels",
            "piechart",
            [Query(f"count by (kernel) (mcastd_build_info{{{FLEET}}})", "{{kernel}}")],
            width=6,
        ),
    ],
)

group = Dashboard(
    "mcastd-group",
    "mcastd: one group",
    [JOB, INSTANCE, INTERFACE, OF_GROUP],
    [
        Panel(
            "Who receives it",
            "table",
            [Query(f"mcastd_group_sources{{{GROUP}}}", "{{instance}} {{interface}} {{mode}}")],
            says="Sources in the filter. metrics.per_group says how many groups have series.",
        ),
        Panel(
            "Since it was last reported",
            "timeseries",
            [
                Query(
                    f"time() - mcastd_group_last_report_timestamp_seconds{{{GROUP}}}",
                    "{{instance}} {{interface}}",
                )
            ],
            "s",
        ),
        Panel(
            "Packets, by source",
            "timeseries",
            [
                Query(
                    f"rate(mcastd_one_stream_packets_total{{{GROUP}}}[$__rate_interval])",
                    "{{instance}} {{source}}:{{port}}",
                )
            ],
            "pps",
            "Streams have series of their own if metrics.per_stream says so.",
        ),
        Panel(
            "Lost, by source",
            "timeseries",
            [
                Query(
                    f"increase(mcastd_one_stream_lost_total{{{GROUP}}}[$__rate_interval])",
                    "{{instance}} {{source}}:{{port}}",
                )
            ],
            says="What sequence numbers say, at the NIC.",
        ),
        Panel(
            "Streams of the interface, by state",
            "timeseries",
            [Query(f"mcastd_streams{{{THERE}}}", "{{instance}} {{interface}} {{state}}")],
        ),
        Panel(
            "Data of the interface",
            "timeseries",
            [
                Query(
                    f"8 * rate(mcastd_stream_bytes_total{{{THERE}}}[$__rate_interval])",
                    "{{instance}} {{interface}}",
                )
            ],
            "bps",
        ),
    ],
)

DASHBOARDS = (host, fleet, group)


def placed(panels: Sequence[Panel]) -> Iterator[dict[str, object]]:
    """From left to right, and in the next row what no longer fits."""
    x = y = tallest = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        place = {"h": panel.height, "w": panel.width, "x": x, "y": y}
        x, tallest = x + panel.width, max(tallest, panel.height)
        yield panel_object(number, panel, place)


def panel_object(number: int, panel: Panel, place: dict[str, int]) -> dict[str, object]:
    instant = panel.kind in ("stat", "table", "bargauge", "piechart")
    # As time series, a table shows one of them at a time.
    form = "table" if panel.kind == "table" else "time_series"
    # A bar that is full is a limit that is reached, not the largest of them.
    whole = {"max": 1} if panel.unit == "percentunit" else {}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, **whole}, "overrides": []},
        "options": {},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": SOURCE,
                "expr": query.expression,
                "legendFormat": query.legend,
                "format": form,
                "instant": instant,
                "range": not instant,
            }
            for index, query in enumerate(panel.queries)
        ],
    }


def variable_object(variable: Variable) -> dict[str, object]:
    return {
        "type": "query",
        "name": variable.name,
        "datasource": SOURCE,
        "query": {"query": variable.asks, "refId": variable.name},
        "definition": variable.asks,
        "refresh": 2,
        "sort": 1,
        "includeAll": variable.several,
        "multi": variable.several,
        "current": {"text": "All", "value": "$__all"} if variable.several else {},
    }


def dashboard_object(dashboard: Dashboard) -> dict[str, object]:
    """As Grafana imports it; the datasource is asked for."""
    source = {"type": "datasource", "name": "datasource", "query": "prometheus"}
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["mcastd", "multicast"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "templating": {"list": [source, *map(variable_object, dashboard.variables)]},
        "annotations": {"list": []},
        "links": [LINK],
        "panels": list(placed(dashboard.panels)),
    }


def made() -> dict[Path, str]:
    """The text of each file."""
    return {
        HERE / f"{each.uid}.json": json.dumps(dashboard_object(each), indent=2) + "\n"
        for each in DASHBOARDS
    }


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text)
