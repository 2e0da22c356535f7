"""What was set by hand counts more than the files, and is named where it differs."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcastd.service.by_hand import KEYS, ByHand, Difference
from mcastd.service.config import load
from mcastd.service.interface_settings import InterfaceSettings
from mcastd.service.mode import Mode


@pytest.fixture
def files(tmp_path: Path) -> InterfaceSettings:
    path = tmp_path / "mcastd.toml"
    path.write_text("[interface.eth0]\n")
    return load(path).interfaces["eth0"]


CHANGED: dict[str, Mode | int] = {"mode": Mode.HOST, "igmp_max_version": 1, "mld_max_version": 1}


@pytest.mark.parametrize("key", KEYS)
def test_each_key_counts_more_than_the_files_until_it_is_undone(
    key: str, files: InterfaceSettings
) -> None:
    by_hand = ByHand()
    assert by_hand.applied("eth0", files) == files
    by_hand.set("eth0", key, CHANGED[key])

    (difference,) = by_hand.differences("eth0", files)
    assert (difference.key, difference.value) == (key, CHANGED[key])
    applied = by_hand.applied("eth0", files)
    assert applied != files
    assert list(by_hand.differences("eth0", applied)) == [], "the files say so, too"
    assert by_hand.applied("eth1", files) == files

    by_hand.undo()
    assert by_hand.applied("eth0", files) == files


def test_it_goes_with_a_device_that_is_renamed(files: InterfaceSettings) -> None:
    by_hand = ByHand()
    by_hand.set("eth0", "mode", Mode.HOST)
    by_hand.rename("eth0", "wan0")
    assert list(by_hand.differences("wan0", files)) == [
        Difference("wan0", "mode", Mode.HOST, Mode.OBSERVE)
    ]
    assert list(by_hand.differences("eth0", files)) == []
