"""The agent's own memberships: kept in one step, and believed only while routers know of them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from mcastd.service.memberships import STALE_SECONDS, STATE_FILE, OwnedMemberships
from mcastd.service.owned import CONFIG, Owned

PLAYER = Owned("eth0", "232.1.1.1", "include", ("10.0.0.2",), "api:player", 1000, 42, 5.0)
HELD = Owned("eth0", "239.1.1.1", "exclude", (), "api:cat", 0, 43, 5.0, held=True)
CONFIGURED = Owned("eth0", "ff1e::1", "exclude", (), CONFIG)


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    first = OwnedMemberships(tmp_path)
    for each in (PLAYER, HELD):
        first.put(each)
    first.configure([CONFIGURED])
    again = OwnedMemberships(tmp_path)
    assert list(again) == [PLAYER]
    assert set(again.kept) == {PLAYER, CONFIGURED}
    assert again.is_fresh


def test_what_is_dropped_does_not(tmp_path: Path) -> None:
    first = OwnedMemberships(tmp_path)
    first.put(PLAYER)
    first.drop(PLAYER)
    assert list(OwnedMemberships(tmp_path)) == []


def test_a_request_replaces_the_one_before(tmp_path: Path) -> None:
    owned = OwnedMemberships(tmp_path)
    owned.put(PLAYER)
    other = PLAYER._replace(sources=("10.0.0.3",))
    owned.put(other)
    assert list(owned) == [other]
    assert owned.get(*PLAYER.key) == other


def test_an_old_file_is_kept_and_told_anew(tmp_path: Path) -> None:
    OwnedMemberships(tmp_path).put(PLAYER)
    old = time.time() - STALE_SECONDS - 1
    os.utime(tmp_path / STATE_FILE, (old, old))
    again = OwnedMemberships(tmp_path)
    assert list(again) == [PLAYER]
    assert not again.is_fresh
    again.touch()
    assert OwnedMemberships(tmp_path).is_fresh


def test_after_another_boot_it_is_told_anew(tmp_path: Path) -> None:
    OwnedMemberships(tmp_path).put(PLAYER)
    path = tmp_path / STATE_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"boot": "another"}))
    assert not OwnedMemberships(tmp_path).is_fresh


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"memberships": [{}]}',
        '{"memberships": [{"interface": 1, "group": "239.1.1.1", "mode": "exclude",'
        ' "sources": [], "application": "a"}]}',
        '{"memberships": [{"interface": "e", "group": "10.1.1.1", "mode": "exclude",'
        ' "sources": [], "application": "a"}]}',
        '{"memberships": [{"interface": "e", "group": "239.1.1.1", "mode": "include",'
        ' "sources": [], "application": "a"}]}',
    ],
)
def test_a_spoilt_file_is_told_and_not_believed(tmp_path: Path, text: str) -> None:
    (tmp_path / STATE_FILE).write_text(text)
    owned = OwnedMemberships(tmp_path)
    assert list(owned) == []
    assert owned.problem is not None
    assert STATE_FILE in owned.problem
    assert (tmp_path / STATE_FILE).with_suffix(".bad").read_text() == text
    owned.put(PLAYER)
    assert list(OwnedMemberships(tmp_path)) == [PLAYER]


def test_without_a_directory_nothing_is_kept() -> None:
    owned = OwnedMemberships(None)
    owned.put(PLAYER)
    owned.touch()
    assert list(owned) == [PLAYER]
    assert not owned.is_fresh


def test_no_half_file_is_left(tmp_path: Path) -> None:
    owned = OwnedMemberships(tmp_path)
    for number in range(5):
        owned.put(PLAYER._replace(group=f"232.1.1.{number + 1}"))
    assert [each.name for each in tmp_path.iterdir()] == [STATE_FILE]


def test_a_change_is_a_line_and_no_new_file(tmp_path: Path) -> None:
    owned = OwnedMemberships(tmp_path)
    owned.put(PLAYER)
    before = (tmp_path / STATE_FILE).read_text()
    owned.put(HELD)
    owned.drop(HELD)
    owned.drop(PLAYER)
    added = (tmp_path / STATE_FILE).read_text().removeprefix(before)
    assert json.loads(added) == {"drop": list(PLAYER.key)}


def test_what_is_held_from_now_on_is_not_kept(tmp_path: Path) -> None:
    owned = OwnedMemberships(tmp_path)
    owned.put(PLAYER)
    owned.put(PLAYER._replace(held=True))
    assert list(OwnedMemberships(tmp_path)) == []


def test_a_directory_that_cannot_be_written_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    owned = OwnedMemberships(tmp_path / "file" / "state")
    for number in range(3):
        owned.put(PLAYER._replace(group=f"232.1.1.{number + 1}"))
    assert len(list(owned)) == 3
    assert owned.problem == f"{tmp_path}/file/state/{STATE_FILE}: not written: Not a directory"
    assert [each.getMessage() for each in caplog.records].count(owned.problem) == 1


def test_an_empty_store_is_one_nevertheless(tmp_path: Path) -> None:
    """`x or y` must not take another for one that has nothing yet."""
    owned = OwnedMemberships(tmp_path)
    assert owned.total == 0
    assert bool(owned)
    owned.put(PLAYER)
    assert owned.total == 1
