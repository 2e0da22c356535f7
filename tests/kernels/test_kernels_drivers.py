"""Drivers and kinds of interface, in one machine for each kernel, for docs/supported.md."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest
from support import supported
from support.held_rows import of_driver, of_kinds
from support.machines import Kernel, Machine, Nic
from support.machines.guest_tests import Outcome, run_tests

pytestmark = pytest.mark.kernels

MODELS = ("virtio-net-pci", "vmxnet3", "e1000e", "igb")
"""Two of each, on a wire of their own; QEMU has igb from version 8 on."""

SECONDS = 5400.0

Follow = Callable[[str], None] | None


@pytest.fixture(scope="module")
def machine_with_nics(kernel: Kernel) -> Iterator[Machine]:
    known = subprocess.run(
        ["qemu-system-x86_64", "-device", "help"], capture_output=True, text=True, check=False
    ).stdout
    models = [each for each in MODELS if f'name "{each}"' in known]
    nics = [Nic(model, wire) for wire, model in enumerate(models) for _ in range(2)]
    with Machine(kernel, nics=nics) as made:
        yield made


def recorded(found: Outcome, word: str) -> dict[str, str]:
    """What the tests in the machine recorded under names that begin with the word."""
    return {
        name.removeprefix(f"{word} "): value
        for name, value in found.properties.items()
        if name.startswith(f"{word} ")
    }


def test_drivers(machine_with_nics: Machine, follow: Follow) -> None:
    """What held is recorded, whatever else did not."""
    found = run_tests(machine_with_nics, ["tests/lab/test_drivers.py"], seconds=SECONDS,
                      follow=follow)  # fmt: skip
    passes = recorded(found, "filter")
    for driver, hooks in recorded(found, "driver").items():
        row = of_driver(machine_with_nics.kernel, driver, json.loads(hooks), found.held)
        if driver in passes:
            row["tried"] += f"; the NIC's filter lets through {passes[driver]}"
        supported.record("drivers", row)
    assert found.fine, str(found)


def test_kinds(machine_with_nics: Machine, follow: Follow) -> None:
    found = run_tests(machine_with_nics, ["tests/lab/test_kinds.py"], seconds=SECONDS,
                      follow=follow)  # fmt: skip
    for row in of_kinds(machine_with_nics.kernel, found.held):
        supported.record("kinds", row)
    assert found.fine, str(found)
