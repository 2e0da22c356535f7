"""The dashboards are what their generator makes, and ask for what there is."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest
from support.dashboards import GRAFANA, MAKE, queries
from support.pages.metrics import families

MADE = MAKE.made()
DOCUMENTS = {path.stem: json.loads(text) for path, text in MADE.items()}
PROMETHEUS_OWN = {"up"}

dashboards = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())


def test_the_files_are_what_the_generator_makes() -> None:
    """`python deploy/grafana/make.py` writes them anew."""
    assert {path: path.read_text() for path in GRAFANA.glob("*.json")} == MADE


@dashboards
def test_panels_have_a_place_of_their_own(document: dict[str, Any]) -> None:
    cells = [
        {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        for place in (panel["gridPos"] for panel in document["panels"])
    ]
    assert not any(one & other for one, other in combinations(cells, 2))
    assert all(x < MAKE.WIDTH for each in cells for x, _ in each)
    numbers = [panel["id"] for panel in document["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_uids_are_unique_and_short_enough_for_grafana() -> None:
    uids = [document["uid"] for document in DOCUMENTS.values()]
    assert len(set(uids)) == len(uids)
    assert all(re.fullmatch(r"[a-z-]{1,40}", uid) for uid in uids)


@dashboards
def test_what_is_asked_for_is_chosen_on_the_dashboard(document: dict[str, Any]) -> None:
    there = {each["name"] for each in document["templating"]["list"]} | {"__rate_interval"}
    text = json.dumps([document["panels"], document["templating"]])
    assert set(re.findall(r"\$\{?(\w+)\}?", text)) <= there | {"__all"}
    for panel in document["panels"]:
        assert panel["targets"], panel["title"]


@pytest.mark.parametrize(("where", "expression"), list(queries()))
def test_every_metric_is_one_that_the_agent_has(where: str, expression: str) -> None:
    known = {each.name for each in families()}
    of_histograms = {f"{name}_{part}" for name in known for part in ("bucket", "sum", "count")}
    names = set(re.findall(r"\b(mcastd_\w+|up(?=\{))", expression))
    assert names, where
    assert names <= known | of_histograms | PROMETHEUS_OWN


@dashboards
def test_a_table_shows_all_series_at_once(document: dict[str, Any]) -> None:
    """Asked as time series, Grafana's table has one of them, and a list to choose from."""
    for panel in document["panels"]:
        forms = {target["format"] for target in panel["targets"]}
        assert forms == {"table" if panel["type"] == "table" else "time_series"}, panel["title"]


@dashboards
def test_a_share_is_drawn_against_the_whole(document: dict[str, Any]) -> None:
    for panel in document["panels"]:
        defaults = panel["fieldConfig"]["defaults"]
        assert (defaults["unit"] == "percentunit") == (defaults.get("max") == 1), panel["title"]


LINK = {
    **dict.fromkeys(("title", "type", "icon", "tooltip", "url"), str),
    **dict.fromkeys(("asDropdown", "targetBlank", "includeVars", "keepTime"), bool),
    "tags": list,
}
"""What Grafana's schema of a dashboard asks of a link, none of it optional."""


@dashboards
def test_links_have_all_that_grafanas_schema_asks_for(document: dict[str, Any]) -> None:
    for link in document["links"]:
        assert {name: type(value) for name, value in link.items()} == LINK
