"""The reference of alerts and records: from the rules for Prometheus."""

from __future__ import annotations

from typing import Any

import yaml

from support.pages.tables import code, table
from support.promtool import RULES

HEAD = """# Every alert and record

Made of `deploy/prometheus/mcastd.rules.yml`. [What an alert means, and what to
do](../alerts/index.md) has a page for each.
"""


def rules(kind: str) -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


def one_line(text: str) -> str:
    return " ".join(text.split())


def page() -> str:
    lines = [HEAD, "## Alerts", ""]
    rows = [
        [
            f"[{rule['alert']}](../alerts/{rule['alert']}.md)",
            rule["labels"]["severity"],
            rule["labels"]["area"],
            rule.get("for", "at once"),
            code(one_line(rule["expr"])),
        ]
        for rule in rules("alert")
    ]
    lines += table(("alert", "severity", "area", "after", "expression"), rows)
    lines += ["", "## Records", ""]
    rows = [[code(rule["record"]), code(one_line(rule["expr"]))] for rule in rules("record")]
    lines += table(("record", "expression"), rows)
    return "\n".join(lines) + "\n"
