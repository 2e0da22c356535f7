"""`mcastctl` with ranges of groups, and with a program that is run for events."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.lab import Cable, mcastctl
from support.waiting import eventually, stretched

pytestmark = pytest.mark.lab


def test_a_range_is_joined_and_left_group_by_group(cable: Cable) -> None:
    agent = cable.observe("--mode", "host")
    joined = mcastctl(agent, "join", "eth0", "239.1.0.0/29", "--name", "player", "--json")
    assert joined.returncode == 0, joined.stderr
    assert [each["group"] for each in json.loads(joined.stdout)] == [
        f"239.1.0.{number}" for number in range(8)
    ]
    found = {each["group"] for each in agent.ask("groups", name="eth0")}
    assert {f"239.1.0.{number}" for number in range(8)} <= found
    assert mcastctl(agent, "leave", "eth0", "239.1.0.4/30", "--name", "player").returncode == 0
    left = mcastctl(agent, "leave", "eth0", "239.1.0.0/29", "--name", "player")
    assert left.returncode == 1
    assert left.stdout.splitlines()[3:5] == [
        "left",
        "239.1.0.4 was not joined on eth0 by this name",
    ]
    refused = mcastctl(agent, "join", "eth0", "239.0.0.0/8")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "at most 4096" in refused.stderr


def test_a_program_is_run_for_each_event(cable: Cable, tmp_path: Path) -> None:
    agent = cable.observe("--mode", "host")
    program = tmp_path / "told.py"
    program.write_text(
        "import os\nprint(os.environ['MCASTD_EVENT'], os.environ['MCASTD_GROUP'], flush=True)\n"
    )
    command = [sys.executable, "-m", "mcastd.cli.mcastctl", "--control", str(agent.control)]
    watching = subprocess.Popen(
        [*command, "watch", "--type", "joined", "--count", "2", "--exec",
         f"{sys.executable} {program}"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    joins = iter(range(1, 250))

    def ended() -> bool:
        mcastctl(agent, "join", "eth0", f"239.1.2.{next(joins)}")
        return watching.poll() is not None

    eventually(ended)
    said = watching.communicate(timeout=stretched(60))[0].splitlines()
    assert watching.returncode == 0
    assert len(said) == 2
    assert all(each.startswith("joined 239.1.2.") for each in said)
