"""`mcastd simulate`: streams and exit codes."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path

import pytest
from mcastd.cli.simulate import add_parser, main

GOOD = """
name: a join
family: igmp
until: 1
steps:
  - {at: 0, listen: {app: a, group: 239.1.2.3, mode: exclude, sources: []}}
expect:
  - {within: [0, 1], send: {message: report}, count: 2}
"""
STALE = GOOD.replace("count: 2", "count: 3").replace("a join", "a stale one")
BROKEN = "family: igmp\nstps: []\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    texts = {"good": GOOD, "stale": STALE, "broken": BROKEN, "empty": "# nothing\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    return {name: str(tmp_path / name) for name in texts}


def test_a_run_prints_json_lines_and_ends_with_0(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([files["stale"]]) == 0
    out, err = capsys.readouterr()
    assert [[*json.loads(line)][1] for line in out.splitlines()] == ["send", "send", "end"]
    assert err == ""


def test_a_check_that_holds_ends_with_0(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", files["good"], files["empty"]]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3
    assert err == "1 scenario as expected\n"


def test_a_check_that_does_not_hold_ends_with_1_and_says_why(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", "--quiet", files["good"], files["stale"]]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{files['stale']}:2: a stale one",
        "  - 0.000..1.000  report  (expected by line 8, did not happen)",
        "1 of 2 scenarios not as expected",
    ]


def test_a_file_that_is_no_scenario_ends_with_2_before_any_is_run(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", files["good"], files["broken"]]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    place = f"mcastd simulate: {files['broken']}:1: "
    assert err == f"{place}the key 'stps' is not known; did you mean 'steps'?\n"


def test_a_file_that_cannot_be_read_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "none")]) == 2
    assert "none: cannot be read: No such file" in capsys.readouterr().err
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert main([str(tmp_path / "binary")]) == 2
    assert "is not text in UTF-8" in capsys.readouterr().err


def test_a_file_with_characters_that_yaml_forbids_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "control").write_text("family: \x01\n")
    assert main([str(tmp_path / "control")]) == 2
    assert "control" in capsys.readouterr().err


def test_a_dash_stands_for_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(BROKEN.encode())))
    assert main(["-"]) == 2
    assert "<stdin>:1" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    assert main(["--check", "-"]) == 0


def test_warnings_go_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text(
        "family: igmp\nconfig: {compat_enable: false}\n"
        "steps: [{at: 1, receive: {message: query, version: 2}}]\n"
    )
    assert main([str(tmp_path / "file")]) == 0
    out, err = capsys.readouterr()
    assert "warning" not in out
    assert "file:1: at 1.000: " in err


def test_no_file_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2


def test_it_is_a_command_of_mcastd(files: dict[str, str]) -> None:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["simulate", "--check", "-q", files["good"]])
    assert args.run(args) == 0
