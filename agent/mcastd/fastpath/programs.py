"""The programs that interfaces may need, in the order in which they are loaded."""

from __future__ import annotations

import os

from mcastd.fastpath.kernel import Kernel, ProgramKey
from mcastd.fastpath.objects import BpfObject

MAX_INTERFACES = 128

IN_ORDER: tuple[ProgramKey, ...] = (
    ("mcast_xdp", True),
    ("mcast_egress", False),
    ("mcast_ingress", False),
    ("mcast_xdp", False),
    ("mcast_inject", False),
    ("mcast_sockets", False),
)
"""First what most interfaces need."""


def begin_loading(compiled: BpfObject) -> Kernel:
    """Creates the maps, and has all programs loaded while its caller does something else.

    FastPathError, saying what to do, if the kernel does not let us.
    """
    sizes = dict.fromkeys(("counters", "paces"), MAX_INTERFACES)
    kernel = Kernel(compiled, entries=sizes)
    kernel.load_ahead(*lanes(len(os.sched_getaffinity(0))))
    return kernel


def lanes(processors: int) -> list[tuple[ProgramKey, ...]]:
    """What is loaded at the same time; a processor is left to those who wait for it."""
    count = min(max(processors - 1, 1), 2)
    return [IN_ORDER[first::count] for first in range(count)]
