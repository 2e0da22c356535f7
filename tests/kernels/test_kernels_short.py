"""The kernels of Debian 12 and 13, in short: the programs load, a host is observed and run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.machines import Machine
from support.machines.guest_tests import run_tests

pytestmark = pytest.mark.kernels

SHORT = (
    "tests/bpf/test_bpf_loading.py::test_three_capabilities_are_enough_to_load",
    "tests/bpf/test_bpf_loading.py::test_every_program_loads",
    "tests/lab/test_lab_kernel.py",
    "tests/lab/test_lab_counters.py::test_five_million_frames_are_counted_exactly",
    "tests/lab/test_lab_observe.py::test_a_join_and_a_leave_are_seen",
    "tests/lab/test_host_mode_fail_open.py::test_kill",
)
"""Loading with the unit's capabilities; counters and groups observed; a take-over, and kill -9."""


def test_the_agent_observes_and_runs_a_host(
    machine: Machine, follow: Callable[[str], None] | None
) -> None:
    found = run_tests(machine, SHORT, seconds=900, follow=follow)
    assert found.fine, str(found)
