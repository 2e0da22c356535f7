"""Counters over the queues of a NIC, which are several CPUs' (in `make kernels` only)."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import pytest
from mcastd.lab import Lab
from support import supported
from support.flood import all_frames
from support.machines import Kernel, Machine
from support.machines.guest_tests import run_tests
from support.nics import ADDRESS
from support.queue_flood import FRAMES_FILE, QUEUES, flood, multiqueue_tap, qemu_arguments, write

pytestmark = pytest.mark.kernels

MOST_FRAMES = 5_000_000
MOST_SECONDS = 600.0
"""Without KVM a machine takes some ten thousand frames a second."""

MAC, LINK_LOCAL = "52:54:00:12:35:01", "fe80::5054:ff:fe12:3501"
TEST = "tests/lab/test_drivers_queues.py"


def test_five_million_frames_over_four_queues_are_counted_exactly(
    kernel: Kernel, follow: Callable[[str], None] | None
) -> None:
    frames = all_frames(ip_address(ADDRESS).packed, ip_address(LINK_LOCAL).packed)
    with Lab() as lab:
        outside = lab.namespace("outside")
        multiqueue_tap(outside)
        machine = Machine(kernel, cpus=QUEUES, arguments=qemu_arguments())
        with outside.entered():  # QEMU opens the tap in the namespace of the thread that starts it
            machine.__enter__()
        try:
            machine.run(["modprobe", "virtio_net"])
            asked = {"mtu": 1500, "hook": "xdp", "mac": MAC}
            write(machine.directory / FRAMES_FILE, json.dumps(asked))
            with ThreadPoolExecutor(1) as pool:
                sending = pool.submit(
                    flood, outside, machine.directory, frames, MOST_FRAMES, MOST_SECONDS
                )
                found = run_tests(machine, [TEST], seconds=2 * MOST_SECONDS, follow=follow)
                sending.result()
        finally:
            machine.close()
    assert found.fine, str(found)
    said = found.properties
    row = {"driver": f"virtio_net, {QUEUES} queues", "kernel": kernel.series, "in": "xdp-native"}
    tried = (
        f"{said['queues frames']} frames over {QUEUES} queues and CPUs, counted exactly by type "
        f"and reason; queries taken: {said['queues queries']}"
    )
    supported.record("drivers", row | {"out": "-", "modes": "observe", "tried": tried})
