"""Clients that close their end: nothing is worked off for them, and they take nobody's place."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack

import pytest
from mcastd.service.connections import Connection, Door, GoneError, Turnstile, gone
from mcastd.service.faults import Faults
from support.fakes import OpenGuest

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Callable[[], Pair]]:
    with ExitStack() as stack:

        def made() -> Pair:
            here, there = socket.socketpair(socket.AF_UNIX)
            return stack.enter_context(here), stack.enter_context(there)

        yield made


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await story()

    asyncio.run(whole())


def test_who_has_closed_is_gone_and_who_has_said_all_is_not(pair: Callable[[], Pair]) -> None:
    async def story() -> None:
        pairs = [pair() for _ in range(3)]
        connections = [Connection(here) for here, _ in pairs]
        pairs[0][1].sendall(b"not read yet")
        pairs[0][1].close()
        pairs[1][1].shutdown(socket.SHUT_WR)

        assert gone(connections) == {connections[0]}

    run(story)


def test_no_turn_is_spent_on_an_answer_for_nobody(pair: Callable[[], Pair]) -> None:
    async def story() -> None:
        turnstile, (here, there) = Turnstile(), pair()
        connection, worked = Connection(here), 0
        async with turnstile.for_answer(connection):
            worked += 1
        there.close()
        with pytest.raises(GoneError):
            async with turnstile.for_answer(connection):
                worked += 1
        async with turnstile:
            worked += 1
        assert worked == 2

    run(story)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0)


class Host(OpenGuest):
    """Serves everybody until it is told to stop."""

    def __init__(self) -> None:
        self.inside: list[Connection] = []

    async def serve(self, connection: Connection) -> None:
        self.inside.append(connection)
        await asyncio.Event().wait()


def test_a_door_ends_who_is_gone_but_not_what_was_ordered() -> None:
    async def story() -> None:
        host = Host()
        door = Door("control", host, Faults())
        listening = socket.socket(socket.AF_UNIX)
        listening.bind("")  # a name of the kernel's choice
        door.open(listening)
        clients = []
        for _ in range(3):
            client = socket.socket(socket.AF_UNIX)
            client.connect(listening.getsockname())
            clients.append(client)
            await until(lambda: len(host.inside) == len(clients))
        host.inside[1].is_ordering = True
        for client in clients[:2]:
            client.close()

        assert door.end_gone() == {host.inside[0]}
        await until(lambda: door.clients == 2)
        clients[2].close()
        await door.close()

    run(story)
