"""Every document of the scenario files beside this one is a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import cast

import pytest
from mcastd.simulate import Scenario, check, run
from support.requirements import named_in
from support.scenarios import suite

SUITE = suite()

every_scenario = pytest.mark.parametrize("scenario", SUITE, ids=lambda each: each.name)


@every_scenario
def test_the_host_does_what_the_scenario_expects(scenario: Scenario) -> None:
    differences = check(scenario, list(run(scenario)))
    assert not differences, "\n".join(
        [f"{scenario.file}:{scenario.line}: {scenario.name}", *map(str, differences)]
    )


@pytest.mark.requirement("CT-03")
@every_scenario
def test_the_counters_agree_with_each_other(scenario: Scenario) -> None:
    """CT-03: the total covers queries and reports, bad ones are a part of all."""
    *_, last = run(scenario)
    value = cast("Mapping[str, Mapping[str, int]]", last.value)
    counters = value["counters"]
    names = {
        "igmp": ["igps_rcv_total", *(f"igps_rcv_{kind}" for kind in IGMP_KINDS)],
        "mld": [f"ipv6IfIcmpInGroupMemb{kind}" for kind in ("Total", *MLD_KINDS)],
    }[scenario.family.name]
    total, queries, bad_queries, reports, bad_reports, our_reports = (counters[n] for n in names)
    assert total >= queries + reports
    assert bad_queries <= queries
    assert our_reports <= reports - bad_reports


IGMP_KINDS = ("queries", "badqueries", "reports", "badreports", "ourreports")
MLD_KINDS = ("Queries", "BadQueries", "Responses", "BadReports", "OurReports")


@pytest.mark.requirement("TX-02", "PK-01")
@every_scenario
def test_no_packet_is_longer_than_the_mtu(scenario: Scenario) -> None:
    longest = max((len(line.packet) for line in run(scenario) if line.packet), default=0)
    mtus = [step.action.mtu for step in scenario.steps if hasattr(step.action, "mtu")]
    assert longest <= max([scenario.mtu, *mtus])


def test_every_scenario_names_its_requirements_and_no_two_have_the_same_name() -> None:
    assert [each.name for each in SUITE if not named_in(each.name)] == []
    assert [name for name, count in Counter(each.name for each in SUITE).items() if count > 1] == []
