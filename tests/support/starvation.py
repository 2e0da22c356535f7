"""Whether the machine itself let processes wait: then nothing can be said of how long ours took."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

TESTS = Path(__file__).parents[1]

LATE = 0.3
"""Seconds by which a process that only sleeps wakes too late where the machine is starved."""

METRONOME = """
import sys, time
from support.pulse import Pulse
begin, pulse = time.monotonic(), Pulse()
print("ready", flush=True)
sys.stdin.read()
pulse.close()
print(pulse.worst(begin, time.monotonic()))
"""


class Metronome:
    """A process that sleeps and wakes; `worst`: by how many seconds too late, once it has ended."""

    def __init__(self) -> None:
        self.worst = 0.0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", METRONOME],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=TESTS,
        )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        said, _ = self._process.communicate("")
        self.worst = float(said)

    @property
    def was_starved(self) -> bool:
        return self.worst > LATE
