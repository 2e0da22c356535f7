"""Tests that need root are skipped without it, and say so."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

NEEDING_ROOT = ("bpf", "lab", "kernels")


def skip_without_root(items: Iterable[pytest.Item]) -> None:
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="needs root")
    for item in items:
        if any(item.get_closest_marker(name) for name in NEEDING_ROOT):
            item.add_marker(skip)
