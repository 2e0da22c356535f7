"""What docs/security.md says is there, and as it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mcastd.fastpath.bpf_source import BPF_DIRECTORY
from mcastd.service import bus, connections, control, exposition, limit, requests, state_file
from mcastd.service.config import LARGEST_FILE, Settings
from mcastd.service.faults import Fault
from support.limits import parts, table

TESTS = Path(__file__).resolve().parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text()


def test_the_tests_that_it_names_exist() -> None:
    named = set(re.findall(r"`(\w+/[\w/]+\.py)`", PAGE))
    assert len(named) > 5
    assert [each for each in named if not (TESTS / each).exists()] == []


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("control.clients", Settings().clients),
        ("control.clients_per_user", Settings().clients_per_user),
        ("control.memberships", Settings().memberships),
        ("metrics.clients", Settings().metrics_clients),
        ("metrics.gone_interfaces", Settings().gone_interfaces),
        ("metrics.per_group", Settings().per_group),
        ("agent.max_interfaces", Settings().max_interfaces),
    ],
)
def test_the_limits_that_can_be_set_have_the_defaults_that_it_says(key: str, default: int) -> None:
    assert re.search(rf"\| {default} \| `{re.escape(key)}` \|", PAGE)


def test_the_limits_that_cannot_be_set_are_as_it_says() -> None:
    for said in (
        f"{control.LONGEST_QUESTION >> 10} KiB",
        f"{control.LONGEST_REQUEST >> 20} MiB, {control.LONG_AT_ONCE} such at once",
        f"{requests.LONGEST_TEXT}; {requests.LONGEST_APPLICATION} characters",
        f"{control.IDLE_SECONDS:.0f} s",
        f"{control.LONG_SECONDS:.0f} s",
        f"{connections.SEND_SECONDS:.0f} s for a piece of {connections.PIECE >> 10} KiB",
        f"{exposition.REQUEST_SECONDS:.0f} s, {exposition.LONGEST_REQUEST >> 10} KiB",
        f"{control.WATCH_SECONDS:.0f} s",
        f"{exposition.ANSWER_SECONDS:.0f} s",
        f"{bus.WAITING}, {bus.WAITING_BYTES >> 20} MiB",
        f"{LARGEST_FILE >> 20} MiB; {state_file.LARGEST >> 20} MiB",
        f"{limit.BURST}, then one in 10 s",
    ):
        assert f"| {said}" in PAGE, said


def test_the_table_of_the_limits_is_made_of_the_settings() -> None:
    assert parts()[1] == table(), "run: python tests/support/limits.py"


@pytest.mark.parametrize("name", ["assigned", "queriers"])
def test_the_room_in_the_programs_maps_is_as_it_says(name: str) -> None:
    maps = (BPF_DIRECTORY / "maps.h").read_text()
    (line,) = (each for each in maps.splitlines() if re.search(rf"\b{name}, ", each + " , "))
    (room,) = re.findall(r"\b(\d{3,})\b", line)
    assert f"| {room} |" in PAGE


def test_each_kind_of_fault_has_its_line() -> None:
    for fault in Fault:
        assert f'of="{fault.value}"' in PAGE
