"""`mcastctl watch --exec`: what a program is told of an event, and how many run at once."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from mcastd.cli import watching
from mcastd.cli.watching import AT_ONCE, LONGEST_VALUE, Runs, environment_of

EVENT = {
    "event": "version",
    "interface": "eth0; touch /tmp/owned",
    "from": 3,
    "on": True,
    "groups": ["239.1.1.1"],
    "BASH_FUNC_x%%": "() { :; }",
    "nothing": None,
}


def test_plain_fields_are_variables_and_the_rest_is_in_the_json() -> None:
    told = environment_of(EVENT)
    assert json.loads(told.pop("MCASTD_JSON")) == EVENT
    assert told == {
        "MCASTD_EVENT": "version",
        "MCASTD_INTERFACE": "eth0; touch /tmp/owned",
        "MCASTD_FROM": "3",
        "MCASTD_ON": "true",
    }


@pytest.mark.parametrize("value", ["x" * (LONGEST_VALUE + 1), "half\0of it"])
def test_what_a_variable_cannot_have_is_left_out_whole(value: str) -> None:
    assert environment_of({"text": value})["MCASTD_TEXT"] == ""


def written(tmp_path: Path, code: str) -> str:
    path = tmp_path / "program.py"
    path.write_text(f"import os, pathlib, time\nhere = pathlib.Path({str(tmp_path)!r})\n{code}")
    return f"{sys.executable} {path}"


def test_no_shell_reads_what_came_from_the_wire(tmp_path: Path) -> None:
    command = written(tmp_path, "(here / 'told').write_text(os.environ['MCASTD_INTERFACE'])")
    runs = Runs(f"{command} '$(touch {tmp_path}/owned)'")
    runs.run(EVENT)
    runs.end()
    assert (tmp_path / "told").read_text() == "eth0; touch /tmp/owned"
    assert not (tmp_path / "owned").exists()
    assert runs.failed == 0


def test_so_many_run_at_once_and_no_more(tmp_path: Path) -> None:
    command = written(
        tmp_path,
        "mine = here / f'run-{os.getpid()}'\nmine.touch()\n"
        "most = here / f'most-{os.getpid()}'\n"
        "most.write_text(str(len(list(here.glob('run-*')))))\nmine.unlink()\n",
    )
    runs = Runs(command)
    for number in range(3 * AT_ONCE):
        runs.run({"number": number})
    runs.end()
    counted = [int(each.read_text()) for each in tmp_path.glob("most-*")]
    assert len(counted) == 3 * AT_ONCE
    assert max(counted) <= AT_ONCE


def test_a_run_that_fails_or_does_not_end_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "RUN_SECONDS", 0.2)
    runs = Runs("sleep 1000")
    runs.run({})
    runs.end()
    assert runs.failed == 1
    with pytest.raises(ValueError, match="a program is needed"):
        Runs("  ")
    with pytest.raises(OSError, match="No such file"):
        Runs("/no/such/program").run({})
