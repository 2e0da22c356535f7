"""The kernels of Debian 12 and 13, in short: the programs load, a host is observed and run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import supported
from support.machines import Kernel, Machine
from support.machines.guest_tests import Outcome, run_tests
from support.machines.places import BUILD, REPOSITORY
from support.waiting import eventually

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

LONGEST = 2400.0
"""Seconds: a few minutes on an idle machine, a quarter of an hour on one with much other work."""


def test_the_agent_observes_and_runs_a_host(
    machine: Machine, follow: Callable[[str], None] | None
) -> None:
    found = run_tests(machine, SHORT, seconds=LONGEST, follow=follow)
    assert found.fine, str(found)
    remember(machine.kernel, found)


def remember(kernel: Kernel, found: Outcome) -> None:
    """For a kernel of which the table says nothing yet; `make kernels` says more."""
    if any(each["kernel"] == kernel.series for each in supported.kept().get("kernels", [])):
        return
    row = {"kernel": kernel.series, "release": kernel.release, "modes": "observe, host"}
    hooks = {way: found.properties[way] for way in ("in", "out")}
    supported.record("kernels", row | hooks | {"tried": f"in short: {found.passed} tests"})


BOOTS = """
import sys
from pathlib import Path
from support import supported
from support.machines import Kernel, Machine
with Machine(Kernel(sys.argv[1], Path(sys.argv[2]))):
    pass
"""


def machines_of(process: int) -> list[str]:
    """Identifiers of QEMUs whose machine that process started."""
    place = f"{BUILD}/run/{process}-".encode()
    return [
        each.parent.name
        for each in Path("/proc").glob("[0-9]*/cmdline")
        if b"qemu-system" in (words := read(each))
        if place in words
    ]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_machine_ends_with_the_process_that_started_it_even_if_it_is_killed(
    kernel: Kernel,
) -> None:
    command = [sys.executable, "-c", BOOTS, kernel.release, str(kernel.tree)]
    with subprocess.Popen(command, cwd=REPOSITORY / "tests") as process:
        try:
            eventually(lambda: machines_of(process.pid), within=120)
        finally:
            process.kill()
    eventually(lambda: not machines_of(process.pid), within=60)
