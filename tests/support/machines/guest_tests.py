"""The project's own tests, run in a machine."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from support import bytecode
from support.machines.machine import SHARED, Machine
from support.machines.places import BUILD, REPOSITORY

BYTECODE = BUILD / "bytecode"
"""Compiling takes a minute in a machine, and the compiler may not be the guest's."""

PYTEST = (
    *("python", "-m", "pytest", "-v", "-p", "no:cacheprovider"),
    *("-p", "support.machines.at_once", "--tb=short"),
    *(f"--junit-xml={SHARED}/report.xml", "-o", "junit_family=xunit1"),
)


class Outcome(NamedTuple):
    """What became of the tests; `properties` are what they recorded of what they saw."""

    passed: int
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    properties: dict[str, str]
    text: str
    held: tuple[str, ...] = ()
    """Names of those that passed."""

    @property
    def fine(self) -> bool:
        return self.passed > 0 and not self.failed

    def __str__(self) -> str:
        """For a person, with what the tests said if one failed."""
        counted = f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"
        return counted if self.fine else f"{counted}\n{self.text}"


def run_tests(
    machine: Machine,
    tests: Sequence[str],
    *,
    seconds: float,
    bytecode_from: Path | None = None,
    follow: Callable[[str], None] | None = None,
) -> Outcome:
    """Arguments are pytest's. Those that need what a kernel lacks are skipped by themselves.

    `bytecode_from`: where the compiled programs are that they load, if not `mcastd build-cache`'s.
    """
    report = machine.directory / "report.xml"
    report.unlink(missing_ok=True)
    done = machine.run(
        [*PYTEST, *tests],
        seconds=seconds,
        environment={
            bytecode.VARIABLE: brought(machine, bytecode_from),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": str(REPOSITORY / "tests"),
        },
        follow=follow,
    )
    return outcome(done, report)


def brought(machine: Machine, directory: Path | None = None) -> str:
    """Where compiled programs are in the machine: the directory's, or `mcastd build-cache`'s."""
    if directory is None:
        BYTECODE.mkdir(parents=True, exist_ok=True)
        bytecode.make(BYTECODE)
    place = machine.directory / "bytecode"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(directory or BYTECODE, place)
    return f"{SHARED}/{place.name}"


def outcome(done: subprocess.CompletedProcess[str], report: Path) -> Outcome:
    """Also of a run that did not come to its end: that is a failure, with its last words."""
    text = f"{done.stdout[-8000:]}\n{done.stderr[-2000:]}"
    if not report.exists():
        return Outcome(0, (f"pytest ended with {done.returncode} and no report",), (), {}, text)
    cases = list(ElementTree.parse(report).iter("testcase"))
    failed = [name(each) for each in cases if each.find("failure") is not None]
    failed += [name(each) for each in cases if each.find("error") is not None]
    if done.returncode not in (0, 1):
        failed.append(f"pytest ended with {done.returncode}")
    skipped = [name(each) for each in cases if each.find("skipped") is not None]
    found = {
        each.attrib["name"]: each.attrib["value"]
        for case in cases
        for each in case.iter("property")
    }
    held = tuple(
        each for each in dict.fromkeys(map(name, cases)) if each not in {*failed, *skipped}
    )
    return Outcome(len(held), tuple(failed), tuple(skipped), found, text, held)


def name(case: ElementTree.Element) -> str:
    return f"{case.attrib['classname']}::{case.attrib['name']}"
