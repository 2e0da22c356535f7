"""Tests that need root are skipped without it, and say so."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy/systemd/mcastd.service"
NUMBERS = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_PERFMON": 38, "CAP_BPF": 39}

NEEDING_ROOT = ("bpf", "lab", "kernels")


def skip_without_root(items: Iterable[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="needs root")
    for item in items:
        if any(item.get_closest_marker(name) for name in NEEDING_ROOT):
            item.add_marker(skip)


def capabilities_of_the_unit() -> str:
    """As setpriv(1) takes them: all others are taken away."""
    (given,) = re.findall("^AmbientCapabilities=(.*)$", UNIT.read_text(), re.MULTILINE)
    return ",".join(["-all", *(f"+cap_{NUMBERS[name]}" for name in given.split())])


def rights_of_the_unit() -> tuple[str, ...]:
    """A command that runs the one that follows it, as root with no other capabilities."""
    return ("setpriv", f"--bounding-set={capabilities_of_the_unit()}")
