"""The rules for Prometheus: alerts fire where they should, and have pages; good weeks have none."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.command_lines import commands_in, is_taken
from support.healthy_days import DAY, Span, healthy
from support.promtool import RULES, Moment, Series, complaints, run

ROOT = Path(__file__).resolve().parents[2]
TESTS = RULES.with_suffix(".test.yml")
SERVICE = ROOT / "agent" / "mcastd" / "service"
PAGES = ROOT / "docs" / "alerts"

GROUPS = yaml.safe_load(RULES.read_text())["groups"]
ALERTS = {rule["alert"]: rule for each in GROUPS for rule in each["rules"] if "alert" in rule}
RECORDS = {rule["record"]: rule for each in GROUPS for rule in each["rules"] if "record" in rule}

RECORD = re.compile(r"\b[a-z_]+:[a-z_]+:[a-z_]+\b")

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool is not installed (the package is prometheus)"
)


@needs_promtool
def test_prometheus_accepts_the_rules() -> None:
    result = run("check", "rules", str(RULES))
    assert result.returncode == 0, result.stderr


@needs_promtool
def test_the_rules_do_what_their_tests_say() -> None:
    result = run("test", "rules", str(TESTS))
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_alert_is_tested_where_it_fires_and_where_it_does_not_of_two_instances() -> None:
    tests = yaml.safe_load(TESTS.read_text())["tests"]
    fired: set[str] = set()
    silent: set[str] = set()
    several: set[str] = set()
    for test in tests:
        instances = set(re.findall(r'instance="(\w+)"', str(test["input_series"])))
        for each in test["alert_rule_test"]:
            (fired if each.get("exp_alerts") else silent).add(each["alertname"])
            if len(instances) > 1:
                several.add(each["alertname"])
    assert fired == several == set(ALERTS)
    assert silent >= set(ALERTS) - {"MulticastEventsLost"}


FLEET = 500


def fleet(deaf: int) -> Iterator[Series]:
    """Hosts of one site, `deaf` of which hear no query from the start."""
    for number in range(FLEET):
        labels = {
            "job": "mcastd",
            "site": "north",
            "instance": f"host{number}",
            "interface": "eth0",
            "protocol": "igmp",
        }
        last = "0x20" if number < deaf else "0+60x20"
        yield Series("mcastd_querier_last_query_timestamp_seconds", labels, [last])
        yield Series("mcastd_querier_interval_seconds", labels, ["125x20"])
        yield Series("mcastd_groups", {**labels, "mode": "exclude"}, ["3x20"])


@needs_promtool
@pytest.mark.parametrize(
    ("deaf", "firing"),
    [
        (0, {}),
        (3, {"MulticastPortWithoutQueries": 3}),
        (250, {"MulticastQuerierSilent": 250}),
        (490, {"MulticastQuerierGone": 1}),
        (FLEET, {"MulticastQuerierGone": 1}),
    ],
)
def test_of_500_hosts_few_that_hear_nothing_are_their_ports_and_nearly_all_the_querier(
    deaf: int, firing: dict[str, int], tmp_path: Path
) -> None:
    assert complaints(fleet(deaf), [Moment("15m", firing)], tmp_path) == ""


@needs_promtool
@pytest.mark.parametrize(
    ("span", "never"),
    [(Span(7 * DAY, step=5), "167h"), (Span(DAY // 4, step=1), "5h")],
    ids=["a week by fives", "six hours by minutes"],
)
def test_where_all_is_well_there_is_no_alert(span: Span, never: str, tmp_path: Path) -> None:
    series = healthy(span, hosts=5, seed=1)
    assert complaints(series, [], tmp_path, interval=f"{span.step}m", never=never) == ""


@needs_promtool
def test_hours_that_are_not_healthy_would_be_seen(tmp_path: Path) -> None:
    """The same hours, but one host is deaf in the last of them."""
    span = Span(DAY // 4, step=1)
    series = list(healthy(span, hosts=5, seed=1))
    name = "mcastd_querier_last_query_timestamp_seconds"
    place = next(i for i, each in enumerate(series) if each.metric == name)
    heard = series[place].samples[:-60]
    series[place] = series[place]._replace(samples=[*heard, *[heard[-1]] * 60])
    expected = {"MulticastPortWithoutQueries": 1}
    assert complaints(series, [Moment("355m", expected)], tmp_path) == ""


def test_records_are_named_by_level_metric_and_operation() -> None:
    for name, rule in RECORDS.items():
        assert RECORD.fullmatch(name)
        level, _, _ = name.split(":")
        by = re.search(r"by \(([^)]*)\)", rule["expr"])
        if by:
            assert level == "_".join(each for each in by[1].split(", ") if each != "job")
        used = set(RECORD.findall(rule["expr"]))
        assert used <= RECORDS.keys()
    for rule in ALERTS.values():
        assert set(RECORD.findall(rule["expr"])) <= RECORDS.keys()


def test_every_metric_in_the_rules_is_one_that_the_agent_has() -> None:
    text = " ".join(rule["expr"] for rule in (*RECORDS.values(), *ALERTS.values()))
    used = set(re.findall(r"\bmcastd_[a-z_]+", RECORD.sub("", text)))
    sources = (path.read_text() for path in SERVICE.glob("*metrics.py"))
    known = set(re.findall(r'"(mcastd_[a-z_]+)"', " ".join(sources)))
    assert {name.removesuffix("_total") for name in used} <= known


def test_an_alert_says_how_severe_it_is_whom_it_concerns_and_what_happens() -> None:
    for rule in ALERTS.values():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert rule["labels"]["area"] in ("querier", "port", "network", "agent")
        assert {"summary", "description", "runbook_url"} == rule["annotations"].keys()


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} - {"index"} == set(ALERTS)
    index = (PAGES / "index.md").read_text()
    for name, rule in ALERTS.items():
        url: Any = rule["annotations"]["runbook_url"]
        assert url == f"file:///usr/share/doc/mcastd-prometheus/alerts/{name}.md"
        text = (PAGES / f"{name}.md").read_text()
        assert text.startswith(f"# {name}\n")
        for part in ("**Means:**", "**Look at:**", "**Do:**"):
            assert text.count(part) == 1, name
        assert f"| [{name}]({name}.md) | {rule['labels']['severity']} | " in index


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_the_pages_name_commands_that_are_there(page: Path) -> None:
    """Each `mcastctl ...` and `mcastd ...` that a page names is taken by the program's parser."""
    said = list(commands_in(page.read_text()))
    assert [command for command in said if not is_taken(command)] == []
    assert said or page.stem == "index" or "journalctl" in page.read_text()
