"""Tests in several machines side by side, while other tests run: what they leave of the processors.

`Aside` starts a process, which boots all machines and keeps what became of the tests in files;
it ends with the one that started it, in whichever way that ends, and its machines with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support import bytecode
from support.machines.errors import MachineError
from support.machines.guest_tests import BYTECODE, Outcome, run_tests
from support.machines.machine import ENDS_WITH_US, Machine
from support.machines.matrix import obtain
from support.machines.places import BUILD, REPOSITORY


class Aside:
    """Runs the tests on kernels of these series, each for `seconds` at most."""

    def __init__(self, kernels: Sequence[str], tests: Sequence[str], seconds: float) -> None:
        BUILD.mkdir(parents=True, exist_ok=True)
        self._seconds = seconds
        self._directory = tempfile.TemporaryDirectory(prefix="aside-", dir=BUILD)
        self._place = Path(self._directory.name)
        asked = json.dumps({"kernels": kernels, "tests": tests, "seconds": seconds})
        with (self._place / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*ENDS_WITH_US, sys.executable, "-m", __name__, self._place, asked],
                cwd=REPOSITORY / "tests",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def outcome(self, kernel: str) -> tuple[str, Outcome]:
        """The release and what became of its tests; waits, with no more politeness to others.

        MachineError if there is no such machine to be had; RuntimeError if nothing became of it.
        """
        hurry(self._process.pid)
        path, deadline = self._place / kernel, time.monotonic() + self._seconds
        while not path.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = (self._place / "log").read_text(errors="replace").splitlines()
                raise RuntimeError(f"{kernel}: nothing became of it: {said[-1:]}")
            time.sleep(0.1)
        found = json.loads(path.read_text())
        if "error" in found:
            raise MachineError(found["error"])
        passed, failed, skipped, properties, text, _ = found["outcome"]
        return found["release"], Outcome(passed, tuple(failed), tuple(skipped), properties, text)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._directory.cleanup()


def hurry(process: int) -> None:
    """It and all that it has started are scheduled as others are."""
    for each in (process, *started_by(process)):
        for task in Path(f"/proc/{each}/task").glob("*"):
            try:
                os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))
            except OSError:  # it has ended
                continue


def started_by(process: int) -> Iterator[int]:
    """Processes, and theirs."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process:
            yield int(path.parent.name)
            yield from started_by(int(path.parent.name))


def run(place: Path, kernel: str, tests: Sequence[str], seconds: float) -> None:
    """Boots one, runs the tests in it, and keeps what became of them."""
    try:
        unpacked = obtain(kernel)
        with Machine(unpacked) as machine:
            found = run_tests(machine, tests, seconds=seconds)
        document = {"release": unpacked.release, "outcome": found}
    except MachineError as error:
        document = {"error": str(error)}
    part = place / f"{kernel}.part"
    part.write_text(json.dumps(document))
    part.rename(place / kernel)


def main() -> None:
    place, asked = Path(sys.argv[1]), json.loads(sys.argv[2])
    BYTECODE.mkdir(parents=True, exist_ok=True)
    bytecode.make(BYTECODE)  # once for all, and soon: compiling has a limit of its own
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with ThreadPoolExecutor(len(asked["kernels"])) as pool:
        running = [
            pool.submit(run, place, each, asked["tests"], asked["seconds"])
            for each in asked["kernels"]
        ]
        for each in running:
            each.result()


if __name__ == "__main__":
    main()
