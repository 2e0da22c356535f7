"""An agent that hears nothing notices it, although all its programs are attached."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from mcastd.fastpath.policies import PLACES
from mcastd_lab import Lab, RunningAgent
from support.lab import Cable, interface
from support.waiting import eventually

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(not shutil.which("bpftool"), reason="bpftool is not installed"),
]

ARRAY = "2"
"""enum bpf_map_type."""


def policies_of(agent: RunningAgent) -> dict[str, str]:
    """What the kernel says of the map that holds the agent's policies."""
    for descriptor in Path(f"/proc/{agent.process.pid}/fdinfo").iterdir():
        lines = descriptor.read_text().splitlines()
        facts = {name: value.strip() for name, _, value in (each.partition(":") for each in lines)}
        if facts.get("map_type") == ARRAY and int(facts["max_entries"]) > PLACES:
            return facts
    raise AssertionError("the agent has no map of policies")


def test_an_agent_whose_policy_somebody_wiped_says_so_and_begins_anew(lab: Lab) -> None:
    cable = Cable(lab)
    agent = cable.observe()
    index = int(interface(agent)["index"])
    policies = policies_of(agent)
    key = [str(each) for each in (index % PLACES).to_bytes(4, "little")]
    value = ["0"] * int(policies["value_size"])
    command = ["bpftool", "map", "update", "id", policies["map_id"], "key", *key, "value", *value]

    with agent.watching() as events:
        subprocess.run(command, check=True, capture_output=True)
        deaf = next(each for each in events if each["event"] == "deaf")

    assert deaf["interface"] == "eth0"
    assert "the programs hand nothing over" in agent.log()
    eventually(
        lambda: interface(agent).get("problem") is None and interface(agent)["hook"] != "none"
    )
