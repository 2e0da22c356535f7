"""The kernels of Debian 12 and 13, in short: the programs load, a host is observed and run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import supported, verifier_rows
from support.machines import Kernel, MachineError
from support.machines.aside import Aside
from support.machines.compilers import is_here
from support.machines.guest_tests import Outcome
from support.machines.places import BUILD, REPOSITORY
from support.waiting import eventually

pytestmark = pytest.mark.kernels


def test_the_agent_observes_and_runs_a_host(series: str, aside: Aside) -> None:
    """Loading with the unit's capabilities, exact counters, a take-over, kill -9, a successor."""
    try:
        release, found = aside.outcome(series)
    except MachineError as error:
        pytest.skip(str(error))
    assert found.fine, str(found)
    if is_here(verifier_rows.MEASURED):
        verifier_rows.check(verifier_rows.rows_of(series, found.properties))
    remember(series, release, found)


def remember(series: str, release: str, found: Outcome) -> None:
    """For a kernel of which the table says nothing yet; `make kernels` says more."""
    if any(each["kernel"] == series for each in supported.kept().get("kernels", [])):
        return
    row = {"kernel": series, "release": release, "modes": "observe, host"}
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
    any_kernel: Kernel,
) -> None:
    command = [sys.executable, "-c", BOOTS, any_kernel.release, str(any_kernel.tree)]
    with subprocess.Popen(command, cwd=REPOSITORY / "tests") as process:
        try:
            eventually(lambda: machines_of(process.pid), within=120)
        finally:
            process.kill()
    eventually(lambda: not machines_of(process.pid), within=60)
