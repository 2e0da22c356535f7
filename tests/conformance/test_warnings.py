"""What an operator is told: scenarios compare what is sent, not what is said about it."""

from __future__ import annotations

import pytest
from support.scenarios import lines

JOINED = """
family: {family}
config: {config}
until: 40
steps:
  - {{at: 0, listen: {{app: a, group: '{group}', mode: include, sources: ['{source}']}}}}
  {steps}
"""

SOURCE = {"igmp": "198.51.100.1", "mld": "2001:db8::1"}
SSM = {"igmp": "232.1.1.1", "mld": "ff35::1"}
OTHER = {"igmp": "239.1.2.3", "mld": "ff15::abcd"}
OLDER = {"igmp": 2, "mld": 1}

both_families = pytest.mark.parametrize("family", ["igmp", "mld"])


def query(at: float, version: int, group: str = "") -> str:
    asked = f", group: '{group}'" if group else ""
    return f"- {{at: {at}, receive: {{message: query, version: {version}{asked}}}}}\n  "


def warnings(family: str, group: str, *steps: str, config: str = "{}") -> list[float]:
    """When something was said."""
    text = JOINED.format(
        family=family, group=group, source=SOURCE[family], steps="".join(steps), config=config
    )
    return [line.at / 1e9 for line in lines(text) if line.kind == "warning"]


@pytest.mark.requirement("CV-12", "SSM-05")
@both_families
def test_an_older_general_query_is_worth_a_warning_while_a_source_specific_group_is_joined(
    family: str,
) -> None:
    assert warnings(family, SSM[family], query(5, OLDER[family])) == [5]
    assert warnings(family, OTHER[family], query(5, OLDER[family])) == []


@pytest.mark.requirement("CV-12", "SSM-05")
@both_families
def test_an_older_query_for_a_source_specific_group_is_worth_a_warning(family: str) -> None:
    assert warnings(family, SSM[family], query(5, OLDER[family], SSM[family])) == [5]
    assert warnings(family, OTHER[family], query(5, OLDER[family], OTHER[family])) == []


@pytest.mark.requirement("CV-12")
@both_families
def test_the_newest_queries_are_worth_no_warning(family: str) -> None:
    newest = OLDER[family] + 1
    steps = query(5, newest), query(6, newest, SSM[family])
    assert warnings(family, SSM[family], *steps) == []


@pytest.mark.requirement("CV-11", "CV-12")
@both_families
def test_ignored_older_queries_are_told_but_not_each(family: str) -> None:
    steps = [query(5 + second / 10, OLDER[family]) for second in range(30)]
    told = warnings(family, OTHER[family], *steps, config="{compat_enable: false}")
    assert told[0] == 5
    assert len(told) < 5


@pytest.mark.requirement("SSM-03")
@both_families
def test_a_membership_that_is_not_reported_is_told(family: str) -> None:
    step = f"- {{at: 5, listen: {{app: b, group: '{SSM[family]}', mode: exclude, sources: []}}}}"
    assert warnings(family, SSM[family], step, config="{ssm_enforce: false}") == [5]
