"""Runs the agent of a named namespace, to which the first agent passes clients."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from mcastd.service.agent import Agent
from mcastd.service.answers import AT_ONCE
from mcastd.service.callers import Caller
from mcastd.service.company import Alone, Fail
from mcastd.service.config import Settings
from mcastd.service.connections import Connection
from mcastd.service.control import Client, Control
from mcastd.service.documents import Answer, Document
from mcastd.service.faults import Fault
from mcastd.service.namespaces import channel

if TYPE_CHECKING:
    from mcastd.service.rendering import Renderings


class Within(Alone):
    """`doors`: how clients come. When it ends, the first agent has ended, and so does this one."""

    def __init__(self, name: str, doors: socket.socket) -> None:
        self._name, self._doors = name, doors

    def control(self, agent: Agent, fail: Fail) -> Control:
        return BroughtControl(agent, self._name, self._doors, self.renderings(agent), fail)

    def renderings(self, agent: Agent) -> Renderings:
        from mcastd.service.metrics import AgentCollector  # noqa: PLC0415
        from mcastd.service.namespaces.scraping import labelled  # noqa: PLC0415
        from mcastd.service.rendering import Renderings  # noqa: PLC0415

        collect = AgentCollector(agent).collect
        return Renderings(lambda: labelled(collect(), self._name))

    def configured(self, settings: Settings, *, undo: bool = False) -> None:
        """No namespace is within another."""


class BroughtControl(Control):
    """Answers as the agent of the namespace, which stands in all that it says.

    A list is told in several lines, each of them a list, and ends with {"result": null}.
    """

    def __init__(
        self, agent: Agent, name: str, doors: socket.socket, renderings: Renderings, fail: Fail
    ) -> None:
        super().__init__(agent)
        self._label = {"namespace": name}
        self._doors, self._renderings, self._fail = doors, renderings, fail
        self._callers: dict[socket.socket, Caller] = {}
        self._scrapes: set[asyncio.Task[None]] = set()
        agent.teller.bus.label = self._label

    async def start(self, path: str, group: str | None) -> None:
        """Has clients brought; the path is the first agent's."""
        self._doors.setblocking(False)
        asyncio.get_running_loop().add_reader(self._doors, self._come)

    async def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._doors)
        self._doors.close()
        self._renderings.close()
        for task in self._scrapes:
            task.cancel()
        await super().stop()

    # Who comes in.

    def _come(self) -> None:
        try:
            received = channel.receive(self._doors)
        except BlockingIOError:
            return
        except OSError as error:
            self._agent.faults.tell_error(Fault.DESCRIPTORS, "a question", error)
            return
        if received is None:
            asyncio.get_running_loop().remove_reader(self._doors)
            self._fail(None)
            return
        message, sock = received
        if sock is None:
            return  # there was no descriptor left for it
        if "scrape" in message:
            task = asyncio.get_running_loop().create_task(self._scraped(sock, message["scrape"]))
            self._scrapes.add(task)
            task.add_done_callback(self._scrapes.discard)
            return
        self._callers[sock] = Caller(**message["caller"])
        self.door.bring(sock)

    def admit(self, connection: Connection, others: set[Connection]) -> bool | bytes:
        """The first agent has seen to it."""
        return True

    def caller(self, connection: Connection) -> Caller:
        return self._callers.pop(connection.socket)

    # What is told.

    async def _tell(self, result: Answer, client: Client) -> None:
        if isinstance(result, Mapping):
            await super()._tell({**self._label, **result}, client)
            return
        items: Iterator[Document] = iter(result)
        while True:
            async with self._turnstile.for_answer(client.connection):
                some = [{**self._label, **each} for each in islice(items, AT_ONCE)]
                line = json.dumps(some or {"result": None}).encode() + b"\n"
            await client.connection.send(line)
            if not some:
                return

    async def _scraped(self, sock: socket.socket, form: str) -> None:
        """The metrics, and the end: what has none is not whole."""
        connection = Connection(sock)
        try:
            for piece in await self._renderings.get(form):
                await connection.send(piece)
            await connection.send(json.dumps({"end": True}).encode())
        except Exception as error:
            self._agent.faults.tell_error(Fault.CONNECTION, "the metrics", error)
        finally:
            connection.close()
