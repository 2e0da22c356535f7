"""The metrics of several namespaces in one text, as Prometheus wants it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mcastd.service.namespaces.scraping import labelled, merged
from mcastd.service.rendering import ENCODERS, END, OPENMETRICS, TEXT
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families


def metrics(count: int, *, own: bool = False) -> Iterator[Metric]:
    messages = CounterMetricFamily("mcastd_messages", "Messages.", labels=["interface"])
    messages.add_metric(['eth0"\\\n# HELP x'], count)
    yield messages
    times = HistogramMetricFamily("mcastd_seconds", "Times.", labels=["interface"])
    times.add_metric(["eth0"], [("1.0", count), ("+Inf", count)], count)
    yield times
    if not own:
        yield CounterMetricFamily("mcastd_peers", "What only peers have.", value=count)


def text_of(form: str, made: Iterator[Metric]) -> list[bytes]:
    return [ENCODERS[form](each) for each in made]


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS])
def test_each_family_stands_once_with_the_series_of_all(form: str) -> None:
    own = text_of(form, metrics(1, own=True))
    others = [
        b"".join(text_of(form, labelled(metrics(count), name)))
        for name, count in {"blue": 2, "red": 3}.items()
    ]
    if form == OPENMETRICS:
        own, others = [*own, END], [each + END for each in others]

    text = b"".join(merged(own, others)).decode()

    assert text.count("# TYPE mcastd_messages") == text.count("# TYPE mcastd_seconds") == 1
    read = text_string_to_metric_families
    if form == OPENMETRICS:
        assert "# EOF" not in text
        text += "# EOF\n"
        read = openmetrics_parser.text_string_to_metric_families
    seen = {
        (sample.name, sample.labels.get("namespace"), sample.labels.get("le")): sample.value
        for family in read(text)
        for sample in family.samples
    }
    for namespace, count in {None: 1, "blue": 2, "red": 3}.items():
        assert seen["mcastd_messages_total", namespace, None] == count
        assert seen["mcastd_seconds_count", namespace, None] == count
    assert seen["mcastd_peers_total", "red", None] == 3


def test_what_only_the_agent_itself_has_is_told_as_without_namespaces() -> None:
    own = text_of(TEXT, metrics(1, own=True))
    assert merged(own, []) == own
    assert merged(own, [b""]) == own
