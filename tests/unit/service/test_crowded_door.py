"""A door where something is short: who may change something gets in, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from mcastd.service.connections import Connection, Door, SlowError
from mcastd.service.faults import Faults
from support.fakes import OpenGuest
from support.stepped import play


class Listening:
    """A listening socket of which a test says what the kernel refuses, one after the other."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind("")  # a name of the kernel's choice
        self.refusals: list[int] = []

    def accept(self) -> tuple[socket.socket, Any]:
        if self.refusals:
            number = self.refusals.pop(0)
            raise OSError(number, errno.errorcode[number])
        return self._socket.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class Guest(OpenGuest):
    """Says hello, and then what `then` does; `privileged`: whether all are."""

    privileged = room = True
    then: Callable[[Connection], Awaitable[object]]

    def is_privileged(self, sock: socket.socket) -> bool:
        return self.privileged

    def has_room(self, others: set[Connection]) -> bool:
        return self.room

    async def serve(self, connection: Connection) -> None:
        await connection.send(b"hello")
        await self.then(connection)


class Scene:
    def __init__(self) -> None:
        self.guest, self.faults, self.listening = Guest(), Faults(), Listening()
        self.guest.then = Connection.receive
        self.door = Door("control", self.guest, self.faults)
        self.door.open(cast(socket.socket, self.listening))

    @contextmanager
    def client(self) -> Iterator[socket.socket]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(self.listening.getsockname())
            sock.setblocking(False)
            yield sock

    def told(self) -> dict[str, Any]:
        return {kind: each["count"] for kind, each in self.faults.as_object().items()}


async def heard(client: socket.socket) -> bytes:
    """The clock is a stepped one, which goes on where nothing comes."""
    try:
        async with asyncio.timeout(5):
            return await asyncio.get_running_loop().sock_recv(client, 100)
    except TimeoutError:
        return b"nothing"


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def run(story: Callable[[Scene], Awaitable[None]]) -> None:
        async def whole() -> None:
            scene = Scene()
            try:
                await story(scene)
            finally:
                await scene.door.close()

        play(monkeypatch, whole)

    return run


@pytest.mark.parametrize("missing", [errno.EMFILE, errno.ENFILE])
@pytest.mark.parametrize("privileged", [True, False])
def test_without_descriptors_the_privileged_get_in_and_others_are_sent_away(
    tell: Callable[..., None], missing: int, privileged: bool
) -> None:
    async def story(scene: Scene) -> None:
        scene.guest.privileged = privileged
        scene.listening.refusals = [missing]
        with scene.client() as client:
            assert await heard(client) == (b"hello" if privileged else b"")
        assert scene.door.closed["refused"] == (not privileged)
        assert scene.told() == {"descriptors": 1}
        with scene.client() as another:
            assert await heard(another) == b"hello"

    tell(story)


@pytest.mark.parametrize(
    "refusals",
    [
        pytest.param([errno.EMFILE, errno.EMFILE], id="not even by the spare one"),
        pytest.param([errno.ENOMEM], id="no memory"),
        pytest.param([errno.ECONNABORTED], id="gone again before its turn"),
    ],
)
def test_who_cannot_be_let_in_now_is_let_in_when_it_can(
    tell: Callable[..., None], refusals: list[int]
) -> None:
    async def story(scene: Scene) -> None:
        scene.listening.refusals = refusals
        with scene.client() as client:
            assert await heard(client) == b"hello"

    tell(story)


def test_who_comes_when_all_places_are_taken_waits_for_one(tell: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        scene.guest.room = False
        with scene.client() as client:
            assert await heard(client) == b"nothing"
            scene.guest.room = True
            assert await heard(client) == b"hello"
        assert scene.told() == {}

    tell(story)


@pytest.mark.parametrize(
    ("error", "reason", "faults"),
    [
        (TimeoutError(), "idle", {}),
        (SlowError(), "slow", {}),
        (ConnectionResetError(), None, {}),
        (ValueError("a bug"), "failed", {"connection": 1}),
    ],
)
def test_what_goes_wrong_with_a_client_ends_its_connection_and_no_other(
    tell: Callable[..., None], error: Exception, reason: str | None, faults: dict[str, int]
) -> None:
    async def story(scene: Scene) -> None:
        async def fails(connection: Connection) -> None:
            if len(scene.door._tasks) > 1:
                raise error
            await connection.receive()

        scene.guest.then = fails
        with scene.client() as first:
            assert await heard(first) == b"hello"
            await asyncio.sleep(0.1)
            with scene.client() as second:
                assert await heard(second) == b"hello"
                assert await heard(second) == b""
            assert scene.door.clients == 1
        wanted = dict.fromkeys(Door.REASONS, 0) | ({reason: 1} if reason else {})
        assert scene.door.closed == wanted
        assert scene.told() == faults

    tell(story)


def test_who_does_not_take_what_it_asked_for_is_ended_as_slow(tell: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        async def floods(connection: Connection) -> None:
            await connection.send(bytes(16 << 20))

        scene.guest.then = floods
        with scene.client():
            await asyncio.sleep(60)
        assert scene.door.closed["slow"] == 1

    tell(story)
