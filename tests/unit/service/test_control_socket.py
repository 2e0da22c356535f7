"""The control socket's place is never taken from anybody else, whatever stands there."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from mcastd.service.control_socket import ControlError, bound


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def listening(stack: ExitStack, path: Path, backlog: int = 1) -> socket.socket:
    sock = stack.enter_context(socket.socket(socket.AF_UNIX))
    sock.bind(str(path))
    sock.listen(backlog)
    return sock


def test_nothing_but_a_dead_socket_is_removed(tmp_path: Path, stack: ExitStack) -> None:
    (tmp_path / "file").write_text("precious")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nothing")
    listening(stack, tmp_path / "live")
    (tmp_path / "link to live").symlink_to("live")
    before = {each: os.lstat(each).st_ino for each in tmp_path.iterdir()}

    for path, inode in before.items():
        with pytest.raises(ControlError, match=r"left alone|another mcastd listens"):
            bound(str(path), None)
        assert os.lstat(path).st_ino == inode, path

    assert (tmp_path / "file").read_text() == "precious"


def test_a_socket_whose_listener_is_too_busy_is_alive(place: Path, stack: ExitStack) -> None:
    """Its queue is full: to connect would wait for ever."""
    listening(stack, place, 0)
    for _ in range(3):
        waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
        waiting.setblocking(False)
        waiting.connect_ex(str(place))
    with pytest.raises(ControlError, match="another mcastd listens"):
        bound(str(place), None)


def test_a_socket_of_another_kind_is_not_ours(place: Path, stack: ExitStack) -> None:
    other = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    other.bind(str(place))
    with pytest.raises(ControlError, match="another mcastd listens"):
        bound(str(place), None)


@pytest.mark.parametrize("path", ["a\0b", "x" * 200, "", "/proc/nothing/here"])
def test_a_place_that_cannot_be_is_told(path: str) -> None:
    with pytest.raises(ControlError):
        bound(path, None)


def test_a_group_with_a_name_that_cannot_be_is_told(place: Path) -> None:
    with pytest.raises(ControlError, match="there is no such group"):
        bound(str(place), "a\0b")
