"""The examples of docs/scenarios.md are what they say they are."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mcastd.simulate import Scenario, check, load, run

PAGE = (Path(__file__).parents[3] / "docs" / "scenarios.md").read_text()

EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PRINTED = [json.loads(line) for line in PAGE.splitlines() if line.startswith('    {"at"')]


def example(number: int) -> Scenario:
    (scenario,) = load(EXAMPLES[number], "docs/scenarios.md")
    return scenario


def without_what_is_left_out(line: dict[str, Any]) -> dict[str, Any]:
    line.pop("packet", None)
    line.get("end", {}).pop("counters", None)
    return line


def test_the_first_example_prints_what_the_page_shows() -> None:
    lines = [line for line in run(example(0)) if line.kind != "warning"]
    assert [without_what_is_left_out(json.loads(line.to_json())) for line in lines] == PRINTED


def test_the_second_example_holds() -> None:
    scenario = example(1)
    assert check(scenario, list(run(scenario))) == []
