"""Every requirement has a case or a reason, and the table says so."""

from __future__ import annotations

from support.requirements import TABLE, table, uncovered, unknown


def test_every_requirement_has_a_case_or_a_reason_why_not() -> None:
    assert uncovered() == []


def test_cases_name_only_requirements_that_exist() -> None:
    assert unknown() == set()


def test_the_table_is_up_to_date() -> None:
    assert TABLE.read_text() == table(), "run: python tests/support/requirements.py"
