"""Where virtio_net takes an XDP program and never runs it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from mcastd.fastpath.virtio import GUEST_TSO4, GUEST_USO6, MRG_RXBUF, fills_chains_of_pages

LO = socket.if_nametoindex("lo")
BUS = "0000:00:03.0"


def features(*bits: int) -> str:
    return "".join("1" if bit in bits else "0" for bit in range(64)) + "\n"


def on_pci(sysfs: Path, *bits: int) -> Path:
    device = sysfs / "bus" / "pci" / "devices" / BUS / "virtio0"
    device.mkdir(parents=True)
    (device / "features").write_text(features(*bits))
    return sysfs


def in_class(sysfs: Path, *bits: int, index: int = LO) -> Path:
    device = sysfs / "class" / "net" / "lo" / "device"
    device.mkdir(parents=True)
    (device.parent / "ifindex").write_text(f"{index}\n")
    (device / "features").write_text(features(*bits))
    return sysfs


@pytest.mark.parametrize("make", [on_pci, in_class])
@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        ((), False),
        ((MRG_RXBUF,), False),
        ((MRG_RXBUF, GUEST_TSO4), False),
        ((GUEST_TSO4,), True),
        ((GUEST_USO6,), True),
    ],
)
def test_pages_are_chained_for_long_segments_without_mergeable_buffers(
    tmp_path: Path, make: Callable[..., Path], bits: tuple[int, ...], expected: bool
) -> None:
    assert fills_chains_of_pages(BUS, LO, make(tmp_path, *bits)) is expected


def test_what_sysfs_does_not_show_is_not_assumed(tmp_path: Path) -> None:
    assert not fills_chains_of_pages("", LO, in_class(tmp_path, GUEST_TSO4, index=LO + 7))
    assert not fills_chains_of_pages("../../..", LO, tmp_path / "nothing")
