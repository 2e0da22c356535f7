"""What the running kernel has, for tests that hold on kernels of every age."""

from __future__ import annotations

import os
import re


def linux(*version: int) -> bool:
    """Whether it is this version or a newer one."""
    return tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) >= version


TCX_SINCE = (6, 6)
TCX = linux(*TCX_SINCE)
"""Links at the hooks of traffic control; before, a filter in clsact."""

EGRESS_HOOK = "tcx" if TCX else "clsact"

NEEDS_TCX = "needs TCX, which came with Linux 6.6"
