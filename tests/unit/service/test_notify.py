"""What the service manager must hear reaches it, however much else it was sent before."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from mcastd.manager import drop, keep
from mcastd.service.system import notify, notify_at_last


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield sock


def messages(sock: socket.socket) -> Iterator[bytes]:
    while True:
        try:
            yield sock.recv(4096)
        except BlockingIOError:
            return


def test_a_full_queue_is_told_of(manager: socket.socket) -> None:
    while notify("FDSTORE=1"):
        pass
    assert not notify("READY=1")
    assert b"READY=1" not in list(messages(manager))


def test_it_is_ready_once_there_is_room(manager: socket.socket) -> None:
    async def told() -> bytes:
        while notify("FDSTORE=1"):
            pass
        notify_at_last("READY=1")
        list(messages(manager))
        manager.setblocking(True)
        return await asyncio.to_thread(manager.recv, 4096)

    assert asyncio.run(asyncio.wait_for(told(), 20)) == b"READY=1"


def test_a_manager_that_is_gone_is_its_own_affair(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    assert notify("READY=1")
    notify_at_last("READY=1")


def test_a_manager_that_does_not_read_keeps_nobody_waiting_who_may_not(
    manager: socket.socket,
) -> None:
    """The loop offers it descriptors now and then, and must turn meanwhile."""
    while notify("FDSTORE=1"):
        pass
    for offer in (partial(keep, "mcastd-1", manager.fileno()), partial(drop, "mcastd-1")):
        with pytest.raises(BlockingIOError):
            offer(patience=0.0)
