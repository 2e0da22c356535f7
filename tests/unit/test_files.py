"""Whatever stands where a file is expected: one error, at once, and bounded."""

from __future__ import annotations

import os
import socket
import stat
import threading
from pathlib import Path

import pytest
from mcastd import files


@pytest.fixture
def strange(tmp_path: Path) -> dict[str, Path]:
    """What is no regular file, by what it is called."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "socket"))
    return {
        "a FIFO": tmp_path / "fifo",
        "a socket": tmp_path / "socket",
        "a device": Path("/dev/zero"),
        "Is a directory": tmp_path / "directory",
        "embedded null byte": Path("a\0b"),
    }


def test_what_is_no_regular_file_is_refused_at_once(strange: dict[str, Path]) -> None:
    for called, path in strange.items():
        with pytest.raises(OSError, match=called):
            files.read(path)


def test_a_file_has_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 1000)
    assert files.read(path, 1000) == b"x" * 1000
    with pytest.raises(OSError, match="larger than 999 bytes"):
        files.read(path, 999)


def test_a_stream_may_be_a_fifo_that_somebody_writes_to(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with files.open_stream(path) as stream:
        assert stream.read() == b"", "nobody writes: it ends at once"
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = threading.Thread(target=lambda: path.write_bytes(b"packets"))
    writer.start()
    with path.open("wb") as held, files.open_stream(path) as stream:
        writer.join()
        os.close(reading)
        held.close()
        assert stream.read() == b"packets"


def test_a_stream_is_no_device_and_no_directory(strange: dict[str, Path]) -> None:
    for called in ("a device", "a socket", "Is a directory"):
        with pytest.raises(OSError, match=called):
            files.open_stream(strange[called])


def opened(path: Path) -> None:
    os.close(files.open_trusted_directory(path))


def test_a_directory_of_ours_below_a_sticky_one_is_trusted(tmp_path: Path) -> None:
    inner = tmp_path / "sticky" / "ours"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o1777)
    opened(inner)


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_directory_that_others_may_write_to_is_not(tmp_path: Path, mode: int) -> None:
    inner = tmp_path / "open"
    inner.mkdir()
    inner.chmod(mode)
    with pytest.raises(PermissionError, match="others than its owner"):
        opened(inner)


def test_nor_is_one_that_somebody_could_put_in_its_place(tmp_path: Path) -> None:
    inner = tmp_path / "open" / "ours"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o777)
    with pytest.raises(PermissionError, match="others than its owner"):
        opened(inner)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: to give a directory to somebody else")
def test_nor_is_one_that_belongs_to_somebody_else(tmp_path: Path) -> None:
    inner = tmp_path / "theirs" / "inner"
    inner.mkdir(parents=True)
    os.chown(inner.parent, 65534, 65534)
    with pytest.raises(PermissionError, match="it belongs to user 65534"):
        opened(inner)


def test_a_link_leads_to_what_is_judged(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    opened(tmp_path / "link")
    (tmp_path / "real").chmod(0o777)
    with pytest.raises(PermissionError):
        opened(tmp_path / "link")


def test_below_a_directory_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("")
    (tmp_path / "link").symlink_to("target")
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="levels of symbolic links"):
            files.open_regular(Path("link"), directory=directory)
    finally:
        os.close(directory)


def test_what_replaces_a_file_is_whole_and_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a" / "file"
    files.replace(path, b"new", mode=0o644)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
