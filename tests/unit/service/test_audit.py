"""Each change has a line that says who made it."""

from __future__ import annotations

import json
import logging

import pytest
from mcastd.cli.log import JournalFormatter, JsonFormatter
from mcastd.service.audit import Audit
from mcastd.service.callers import Caller

CALLER = Caller(1000, 77, "feeder")
JOIN = {"name": "eth0", "group": "232.1.1.1", "sources": ["192.0.2.1"] * 6, "hold": False}


def test_a_change_is_told_with_who_made_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Audit().changed(CALLER, "join", JOIN)
    (record,) = caplog.records
    assert record.getMessage() == (
        "change: join name=eth0 group=232.1.1.1 "
        "sources=192.0.2.1,192.0.2.1,192.0.2.1,192.0.2.1,...2 more by uid 1000 pid 77 (feeder)"
    )
    said = json.loads(JsonFormatter().format(record))
    assert said["audit"]["parameters"]["sources"] == ["192.0.2.1"] * 6
    assert (said["audit"]["uid"], said["audit"]["pid"], said["audit"]["name"]) == (
        1000,
        77,
        "feeder",
    )
    assert said["level"] == "info"


def test_refusals_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    audit = Audit()
    for _ in range(1000):
        audit.refused(CALLER, "mode", {"name": "eth0"}, "not permitted")
    assert 1 <= len(caplog.records) <= 10
    assert caplog.records[0].getMessage().endswith("(feeder): refused: not permitted")


@pytest.mark.parametrize(
    ("level", "number"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3)],
)
def test_the_journal_is_told_the_priority_of_every_line(level: int, number: int) -> None:
    record = logging.LogRecord("mcastd", level, "", 0, "said", (), None)
    assert JournalFormatter("%(message)s").format(record) == f"<{number}>said"
    try:
        raise ValueError("one\ntwo")
    except ValueError as error:
        record.exc_info = (ValueError, error, error.__traceback__)
    lines = JournalFormatter("%(message)s").format(record).split("\n")
    assert len(lines) > 2
    assert all(line.startswith(f"<{number}>") for line in lines)


def test_json_is_one_object_a_line_whatever_is_said() -> None:
    record = logging.LogRecord("mcastd", logging.ERROR, "", 0, "a\n\x1b[31m%s", ("b",), None)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line)["text"] == r"a\n\x1b[31mb"
