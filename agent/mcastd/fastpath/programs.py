"""Lists the programs that interfaces may need, in the order in which they are loaded."""

from __future__ import annotations

import os

from mcastd._native import lib as abi
from mcastd.fastpath.kernel import Kernel, ProgramKey, sized
from mcastd.fastpath.objects import BpfObject
from mcastd.fastpath.store import Store

MAX_INTERFACES = 1024
"""Unless the settings say otherwise."""

KNOWN_QUERIERS = 8
"""On an interface, of both families together: service/querier.py knows four of each."""

IN_ORDER: tuple[ProgramKey, ...] = (
    ("mcast_xdp", True),
    ("mcast_egress", False),
    ("mcast_ingress", False),
    ("mcast_xdp", False),
    ("mcast_inject", False),
    ("mcast_sockets", False),
)
"""First what most interfaces need."""


def begin_loading(
    compiled: BpfObject, max_interfaces: int = MAX_INTERFACES, store: Store | None = None
) -> Kernel:
    """Creates the maps, and has all programs loaded while its caller does something else.

    `store`: maps that are there already are taken from it. FastPathError, saying what to do, if the
    kernel does not let us.
    """
    entries = sizes(max_interfaces)
    kept = store.maps(sized(compiled.maps, entries)) if store is not None else None
    kernel = Kernel(compiled, entries=entries, kept=kept)
    kernel.load_ahead(*lanes(len(os.sched_getaffinity(0))))
    return kernel


def sizes(max_interfaces: int) -> dict[str, int]:
    """Of the maps whose memory follows the number of interfaces, in entries.

    Most of it are the counters: 904 bytes for each interface and CPU.
    """
    return {
        "counters": max_interfaces,
        "paces": max_interfaces,
        "policies": abi.MCAST_PLACES + max_interfaces,
        "elsewhere": max_interfaces,
        "queriers": max(4096, KNOWN_QUERIERS * max_interfaces),
    }


def lanes(processors: int) -> list[tuple[ProgramKey, ...]]:
    """What is loaded at the same time; a processor is left to those who wait for it."""
    count = min(max(processors - 1, 1), 2)
    return [IN_ORDER[first::count] for first in range(count)]
