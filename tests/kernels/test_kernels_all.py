"""All that is tried on each kernel (`make kernels`), and recorded for docs/supported.md."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from support import supported, verifier_rows
from support.machines import Kernel, Machine
from support.machines.clone import clone
from support.machines.compilers import SUITES, bytecode_of
from support.machines.guest_tests import Outcome, brought, run_tests
from support.machines.kernel import key, series_of
from support.machines.matrix import SERVED

pytestmark = pytest.mark.kernels

OBSERVED = (
    "tests/lab/test_lab_kernel.py",
    "tests/lab/test_lab_observe.py",
    "tests/lab/test_lab_counters.py",
)
LOADING = (
    "tests/bpf/test_bpf_loading.py::test_every_program_loads",
    "tests/bpf/test_bpf_verifier.py",
)
RUN = ("tests/lab/test_host_mode_fail_open.py",)

IN_SHORT = "in short"

Follow = Callable[[str], None] | None


class Tried:
    """What held on a kernel, as its row says it, in this run and in earlier ones here."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        rows = supported.recorded("kernels")
        (row,) = [each for each in rows if each["release"] == kernel.release] or [{}]
        self.hooks = {way: row.get(way, "-") for way in ("in", "out")}
        self.modes = [each for each in row.get("modes", "").split(", ") if each]
        parts = (each.partition(": ") for each in row.get("tried", "").split("; "))
        self.parts = {what: held for what, _, held in parts if held and what != IN_SHORT}

    def part(self, what: str, found: Outcome, mode: str = "") -> None:
        assert found.fine, str(found)
        if mode == "observe":
            self.hooks = {way: found.properties[way] for way in ("in", "out")}
        skipped = f", {len(found.skipped)} skipped" if found.skipped else ""
        self.parts[what] = f"{found.passed} tests{skipped}"
        if mode and mode not in self.modes:
            self.modes.append(mode)
        self.record()

    def demonstrated(self) -> None:
        self.parts["`make demo`"] = "from a fresh clone"
        self.record()

    def record(self) -> None:
        """At once: a run may be broken off."""
        row = {
            "kernel": self.kernel.series,
            "release": self.kernel.release,
            **self.hooks,
            "modes": ", ".join(self.modes),
            "tried": "; ".join(f"{what}: {held}" for what, held in self.parts.items()),
        }
        supported.record("kernels", row)


@pytest.fixture(scope="session")
def tried(kernel: Kernel) -> Tried:
    return Tried(kernel)


def test_the_programs_load_and_find_what_they_must(
    machine: Machine, tried: Tried, follow: Follow
) -> None:
    tried.part("programs", run_tests(machine, ["tests/bpf"], seconds=3600, follow=follow))


@pytest.mark.parametrize("suite", SUITES)
def test_what_another_compiler_made_loads(machine: Machine, suite: str, follow: Follow) -> None:
    name, directory = bytecode_of(suite)
    found = run_tests(machine, LOADING, seconds=900, bytecode_from=directory, follow=follow)
    assert found.fine, f"{name} of {SUITES[suite]}: {found}"
    if suite == verifier_rows.MEASURED:
        rows = verifier_rows.rows_of(machine.kernel.series, found.properties)
        assert rows
        for each in rows:
            supported.record("verifier", each)
        verifier_rows.check(rows)
    known = {each["compiler"]: each for each in supported.kept().get("compilers", [])}
    known |= LOADS
    before = known.get(name, {}).get("loads on", "")
    kernels = {*filter(None, before.split(", ")), machine.kernel.series}
    LOADS[name] = {
        "compiler": name,
        "of": SUITES[suite],
        "loads on": ", ".join(sorted(kernels, key=key)),
    }
    supported.record("compilers", LOADS[name])


LOADS: dict[str, supported.Row] = {}
"""Rows of this run: each kernel adds itself."""


def test_a_host_is_observed(machine: Machine, tried: Tried, follow: Follow) -> None:
    found = run_tests(machine, OBSERVED, seconds=3600, follow=follow)
    tried.part("observe", found, "observe")


def test_a_host_is_run(machine: Machine, tried: Tried, follow: Follow) -> None:
    tried.part("host", run_tests(machine, RUN, seconds=3600, follow=follow), "host")


def test_the_demonstration_runs_from_a_fresh_clone(
    machine: Machine, tried: Tried, follow: Follow
) -> None:
    if machine.kernel.series != SERVED[0]:
        pytest.skip(f"it takes long, and is tried on {SERVED[0]}")
    place, environment = clone(machine)
    done = machine.run(
        ["make", "demo"],
        where=place,
        environment=environment | {"DEMO_SECONDS": "60"},
        seconds=1800,
        follow=follow,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    events, _, tables = done.stdout.partition("$ mcastctl status")
    assert "JOINED" in events
    assert re.search(r"eth0 +observe +xdp-native +igmp +3 of 3 \(kernel\) +192\.0\.2\.1", tables)
    assert re.search(r"232\.1\.2\.3 +include +198\.51\.100\.1", tables)
    tried.demonstrated()


def test_a_kernel_that_is_too_old_is_refused_in_one_line(
    old_machine: Machine,
) -> None:
    release = old_machine.kernel.release
    done = old_machine.run(
        ["mcastd", "run", "-i", "lo", "--metrics", ""],
        environment={"MCASTD_CACHE": brought(old_machine)},
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    (line,) = (each for each in done.stderr.splitlines() if each.startswith("mcastd"))
    assert line.startswith("mcastd: BPF ")
    assert f"(Linux 5.18 or newer is needed, this is {release})" in line, done.stderr
    row = {"kernel": series_of(release), "release": release, "in": "-", "out": "-"}
    supported.record("kernels", row | {"modes": "refused", "tried": f"`{line}`"})
