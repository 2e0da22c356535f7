"""Limits where several CPUs look at messages of one interface at the same time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from mcastd.fastpath.policies import Limit, Policy
from support.flood import igmp_frames
from support.kernel_features import linux
from support.kernel_programs import KernelPrograms
from support.waiting import STRETCH, stretched

pytestmark = pytest.mark.bpf

RATE, BURST = 1000, 100
REPORTS, RATE_LIMITED = 1, 1
"""Where counters have that ring and that cause."""

PATCHES_BADLY = STRETCH > 1 and linux(7)
"""The kernel rewrites its jump to XDP programs when a test run begins and when it ends. From 7 on,
with two processors of QEMU without KVM, one in eight runs meets a breakpoint that is gone already,
and the kernel panics in bpf_dispatcher_xdp_func: QEMU's processors keep what they fetched."""

RUNS = round(1_000_000 / STRETCH**2)
"""On each CPU: part of a second, or some."""

TICK_SECONDS = 0.02
"""Time is looked at in ticks of the system, at either end of the run."""

REPORT = next(each.frame for each in igmp_frames(bytes(4)) if each.counts_as == "igmp report 3")


@pytest.mark.skipif(PATCHES_BADLY, reason="QEMU without KVM: Linux 7 panics in its own patching")
def test_a_limit_is_that_of_all_cpus_together(
    fresh: KernelPrograms, record_property: Callable[[str, object], None]
) -> None:
    """A token may be taken by each CPU that looks at the same moment, so that what is let through
    is never more than as many times the limit as there are CPUs, and hardly ever so."""
    fresh.use(Policy(hand_over_reports=True, reports=Limit(RATE, BURST)))
    cpus = sorted(os.sched_getaffinity(0))[:4]

    def work(cpu: int) -> None:
        os.sched_setaffinity(0, {cpu})
        fresh.repeat("mcast_xdp", REPORT, RUNS)

    before, begun = fresh.counters(), time.monotonic()
    with ThreadPoolExecutor(len(cpus)) as pool:
        list(pool.map(work, cpus))
    seconds = time.monotonic() - begun
    after = fresh.counters()

    fresh.drain("report")
    refused = after.lost[REPORTS][RATE_LIMITED] - before.lost[REPORTS][RATE_LIMITED]
    taken = RUNS * len(cpus) - refused
    allowed = BURST + RATE * (seconds + TICK_SECONDS)
    assert taken >= BURST
    assert RATE * seconds / stretched(2) < taken <= len(cpus) * allowed
    record_property("limit over CPUs", f"{taken / allowed:.2f} of it on {len(cpus)} CPUs")
