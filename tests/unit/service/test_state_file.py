"""A snapshot and its changes: what a crash, a full disk or another's hand leave of them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from mcastd.service.state_file import MOST_CHANGES, StateFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def test_changes_follow_the_snapshot(path: Path) -> None:
    file = StateFile(path)
    assert not file.append({"no": "snapshot"})
    file.write({"a": 1}, 0)
    assert file.append(["b"])
    assert file.append(["c"])
    file.close()
    assert StateFile(path).read() == ({"a": 1}, [["b"], ["c"]])


def test_a_line_that_was_not_finished_is_left_out(path: Path) -> None:
    path.write_text('{"a": 1}\n["b"]\n["c"')
    assert StateFile(path).read() == ({"a": 1}, [["b"]])


def test_a_snapshot_alone_needs_no_end_of_line(path: Path) -> None:
    path.write_text('{"a": 1}')
    assert StateFile(path).read() == ({"a": 1}, [])


def test_after_as_many_changes_as_entries_it_is_time_for_a_snapshot(path: Path) -> None:
    file = StateFile(path)
    file.write({}, 10)
    assert [file.append(each) for each in range(MOST_CHANGES + 11)].count(False) == 1
    assert len(path.read_text().splitlines()) == 1 + MOST_CHANGES + 10
    file.write({}, 10)
    assert path.read_text() == "{}\n"
    assert file.append("more")
    file.close()


def test_a_file_that_somebody_removed_is_written_anew(path: Path) -> None:
    file = StateFile(path)
    file.write({}, 0)
    path.unlink()
    assert not file.append("lost")
    file.close()


def test_a_disk_that_is_full_leaves_no_half_line_between_others(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = StateFile(path)
    file.write({}, 0)
    with monkeypatch.context() as full:
        write = os.write
        full.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            file.append("change")
    assert not file.append("change"), "only a snapshot is sure to be whole"
    assert StateFile(path).read() == ({}, [])


def test_what_the_disk_refuses_later_is_told_at_the_next_change(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = StateFile(path)
    file.write({}, 0)

    def refuse(_fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", refuse)
    assert file.append("first")
    assert file._sync is not None
    file._sync.exception(timeout=10)
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        file.append("second")
    assert not file.append("third")


def test_a_snapshot_that_failed_is_not_added_to(path: Path) -> None:
    file = StateFile(path)
    file.write({}, 0)
    path.unlink()
    path.mkdir()
    with pytest.raises(OSError, match=os.strerror(errno.EISDIR)):
        file.write({}, 0)

    assert not file.append("lost")
    assert [each.name for each in path.parent.iterdir()] == [path.name], "no file is left behind"
