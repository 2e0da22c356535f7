"""What a process, or the kernel on one processor, takes of the machine."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")

SOFTIRQ = 7
"""Column of /proc/stat."""

USER_TIME, SYSTEM_TIME = 11, 12
"""Columns of /proc/PID/stat behind the name, which may have blanks (proc(5))."""


def processor_seconds(process: int) -> float:
    """Of user and system time, of all threads."""
    columns = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(columns[USER_TIME]) + int(columns[SYSTEM_TIME])) / TICKS


def softirq_seconds(processor: int) -> float:
    """That the processor has spent on what the network and timers deferred."""
    for line in Path("/proc/stat").read_text().splitlines():
        columns = line.split()
        if columns[0] == f"cpu{processor}":
            return int(columns[SOFTIRQ]) / TICKS
    raise RuntimeError(f"/proc/stat does not know processor {processor}")
