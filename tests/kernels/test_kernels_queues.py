"""Counters over the queues of a NIC, which are several CPUs' (in `make kernels` only)."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from threading import Event
from typing import NamedTuple

import pytest
from mcastd_lab import Lab
from support import supported
from support.flood import all_frames
from support.machines import Kernel, Machine
from support.machines.guest_tests import run_tests
from support.machines.kernel import key
from support.nics import ADDRESS
from support.queue_flood import FRAMES_FILE, QUEUES, flood, multiqueue_tap, qemu_arguments, write

pytestmark = pytest.mark.kernels

MOST_FRAMES = 5_000_000
MOST_SECONDS = 600.0
"""Without KVM a machine takes some ten thousand frames a second."""


class Variant(NamedTuple):
    """Of a NIC; `seconds`: how long it is flooded, at most. `runs_xdp`: on what comes in."""

    name: str
    seconds: float
    properties: str = ""
    mtu: int = 1500
    runs_xdp: bool = True


VARIANTS = (
    Variant(f"{QUEUES} queues", MOST_SECONDS),
    Variant(f"{QUEUES} queues, mrg_rxbuf=off", MOST_SECONDS / 10, "mrg_rxbuf=off", runs_xdp=False),
    Variant(f"{QUEUES} queues, MTU 9000", MOST_SECONDS / 10, mtu=9000),
)
JUMBO_SINCE = (6, 3)
"""From when on virtio_net runs XDP with frames of several buffers; before, traffic control does."""

GUEST_SECONDS = 2400.0

MAC, LINK_LOCAL = "52:54:00:12:35:01", "fe80::5054:ff:fe12:3501"
TEST = "tests/lab/test_drivers_queues.py"


@pytest.mark.parametrize("variant", VARIANTS, ids=[each.name for each in VARIANTS])
def test_five_million_frames_over_four_queues_are_counted_exactly(
    kernel: Kernel, variant: Variant, follow: Callable[[str], None] | None
) -> None:
    """Or as many as there is time for."""
    fits = variant.mtu == 1500 or key(kernel.release)[:2] >= JUMBO_SINCE
    native = variant.runs_xdp and fits
    frames = all_frames(ip_address(ADDRESS).packed, ip_address(LINK_LOCAL).packed)
    with Lab() as lab:
        outside = lab.namespace("outside")
        multiqueue_tap(outside)
        machine = Machine(kernel, cpus=QUEUES, arguments=qemu_arguments(variant.properties))
        with outside.entered():  # QEMU opens the tap in the namespace of the thread that starts it
            machine.__enter__()
        try:
            machine.run(["modprobe", "virtio_net"])
            asked = {"mtu": variant.mtu, "native": native, "mac": MAC}
            write(machine.directory / FRAMES_FILE, json.dumps(asked))
            ended = Event()
            with ThreadPoolExecutor(1) as pool:
                sending = pool.submit(
                    flood,
                    outside,
                    machine.directory,
                    frames,
                    most=MOST_FRAMES,
                    seconds=variant.seconds,
                    ended=ended,
                )
                try:
                    found = run_tests(machine, [TEST], seconds=GUEST_SECONDS, follow=follow)
                finally:
                    ended.set()
                sending.result()
        finally:
            machine.close()
    assert found.fine, str(found)
    said = found.properties
    row = {"driver": f"virtio_net, {variant.name}", "kernel": kernel.series}
    row |= {"in": said["queues in"], "out": said["queues out"], "modes": "observe"}
    tried = (
        f"{said['queues frames']} frames over {QUEUES} queues and CPUs, counted exactly by type "
        f"and reason; queries taken: {said['queues queries']}"
    )
    supported.record("drivers", row | {"tried": tried})
