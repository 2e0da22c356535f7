"""Talks to the agents of other namespaces for the first agent.

A peer has no socket of its own: for each question the first agent makes a pair of sockets and hands
it one end, with the word who asks.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import cast

from mcastd.service.bus import Watcher, encoded
from mcastd.service.callers import Caller
from mcastd.service.connections import Connection, SlowError, TooLongError
from mcastd.service.documents import JsonObject, Own, Unread
from mcastd.service.faults import Fault, Faults, said
from mcastd.service.namespaces import channel
from mcastd.service.requests import Parameters, RequestError

log = logging.getLogger("mcastd")

LONGEST_LINE = 64 << 20
"""Bytes of a part of an answer."""

ANSWER_SECONDS = 5.0
"""For a peer to begin its answer to a question that is put to all; others are told meanwhile."""

NAMED_SECONDS = 30.0
"""To a question that is put to it alone, and between the parts of an answer."""

RUNNING = "running"


class UnavailableError(RequestError):
    """A namespace cannot answer now; the text says of which, and why."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__("unavailable", f"{name}: {why}")
        self.why = why


@dataclass
class Peer:
    """A namespace that is named: `state` is waiting, starting, running, ended or refused; "named"
    until the keeper has told more.
    """

    name: str
    path: str | None = None
    state: str = "named"
    problem: str | None = None
    pid: int | None = None
    starts: int = 0
    since: float = field(default_factory=time.time)
    doors: socket.socket | None = None

    def close(self) -> None:
        if self.doors is not None:
            self.doors.close()
            self.doors = None

    def as_object(self) -> JsonObject:
        return {
            "name": self.name,
            "path": self.path,
            "state": self.state,
            "problem": self.problem,
            "pid": self.pid,
            "starts": self.starts,
            "since": self.since,
        }


class Watching:
    """Who watches, and what of which namespace: None for all."""

    def __init__(
        self, watcher: Watcher, parameters: Parameters, caller: Caller, only: str | None
    ) -> None:
        self.watcher, self.parameters, self.caller = watcher, parameters, caller
        self.only = only
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def wants(self, name: str) -> bool:
        return self.only in (None, name)


class Peers:
    """All namespaces that are named, as the keeper tells of them, by their names."""

    def __init__(self, keeper: socket.socket, faults: Faults, lost: Callable[[], None]) -> None:
        self._keeper, self._faults, self._lost = keeper, faults, lost
        self._by_name: dict[str, Peer] = {}
        self._watching: set[Watching] = set()
        keeper.setblocking(False)
        asyncio.get_running_loop().add_reader(keeper, self._told)

    def __iter__(self) -> Iterator[Peer]:
        return iter(sorted(self._by_name.values(), key=lambda each: each.name))

    def running(self) -> list[Peer]:
        return [each for each in self if each.state == RUNNING]

    def get(self, name: str) -> Peer:
        """One that is named. RequestError."""
        peer = self._by_name.get(name)
        if peer is None:
            known = ", ".join(each.name for each in self) or "none"
            raise RequestError(
                "unknown_namespace", f"{name}: not a namespace of this agent ({known})"
            )
        return peer

    def reread(self) -> None:
        """Has the keeper read the configuration anew, too."""
        with suppress(OSError):  # that it has ended is told elsewhere
            channel.send(self._keeper, {"read": True})

    def close(self) -> None:
        """All peers, and the keeper, end."""
        asyncio.get_running_loop().remove_reader(self._keeper)
        self._keeper.close()
        for peer in self._by_name.values():
            peer.close()

    # What the keeper tells.

    def _told(self) -> None:
        try:
            received = channel.receive(self._keeper)
        except BlockingIOError:
            return
        except OSError:
            received = None
        if received is None:
            asyncio.get_running_loop().remove_reader(self._keeper)
            self._lost()
            return
        news, doors = received
        name = news["namespace"]
        if news["state"] == "gone":
            peer = self._by_name.pop(name, None) or Peer(name)
            self._change(peer, "gone", None)
            return
        peer = self._by_name.setdefault(name, Peer(name))
        peer.path, peer.pid, peer.starts = news["path"], news["pid"], news["starts"]
        if doors is not None:
            peer.close()
            doors.setblocking(False)
            peer.doors = doors
        self._change(peer, news["state"], news["problem"])

    def _change(self, peer: Peer, state: str, problem: str | None) -> None:
        is_news = (state, problem) != (peer.state, peer.problem)
        peer.state, peer.problem = state, problem
        if state != RUNNING:
            peer.close()
        if is_news:
            peer.since = time.time()
            self._say(peer)
        if state == RUNNING:
            for watching in self._watching:
                self._feed(watching, peer)

    def _say(self, peer: Peer) -> None:
        if peer.state == "ended":
            text = f"namespace {peer.name}: {peer.problem}; it is tried again"
            self._faults.tell(Fault.NAMESPACE, text, about=peer.name)
        elif peer.state == "refused":
            log.warning("namespace %s: %s", peer.name, peer.problem)
        elif peer.state == "waiting":
            log.info("namespace %s: there is no such namespace now", peer.name)
        else:
            log.info("namespace %s: %s", peer.name, peer.state)
        told: JsonObject = {"event": "namespace", "ts": time.time(), "namespace": peer.name}
        told["state"] = peer.state
        event = encoded(told | ({"problem": peer.problem} if peer.problem else {}))
        for watching in self._watching:
            wanted = watching.parameters.get("type") in (None, "namespace")
            if wanted and watching.wants(peer.name):
                if watching.watcher.has_taken(1):
                    watching.watcher.lose()
                else:
                    watching.watcher.put(event)

    # What peers are asked.

    @asynccontextmanager
    async def connected(self, peer: Peer, message: JsonObject) -> AsyncIterator[Connection]:
        """A connection to a peer, which gets its other end with the message. UnavailableError."""
        if peer.doors is None:
            raise UnavailableError(peer.name, peer.problem or f"is not running ({peer.state})")
        connection = None
        try:
            ours, its = socket.socketpair()
            connection = Connection(ours)
            with its:
                channel.send(peer.doors, message, its)
            yield connection
        except (OSError, SlowError, TooLongError) as error:
            raise UnavailableError(peer.name, f"does not answer: {said(error)}") from None
        finally:
            if connection is not None:
                connection.close()

    def asking(self, peer: Peer, caller: Caller) -> AbstractAsyncContextManager[Connection]:
        """As `connected`, for requests of somebody's."""
        who = {"uid": caller.uid, "pid": caller.pid, "name": caller.name, "task": caller.task}
        return self.connected(peer, {"caller": who})

    async def ask(
        self, peer: Peer, caller: Caller, method: str, parameters: Parameters,
        within: float = NAMED_SECONDS,
    ) -> Own:  # fmt: skip
        """The result of a request. RequestError, also if there is none in time."""
        async with self.asking(peer, caller) as connection:
            await connection.send(request(method, parameters))
            return document(await answered(peer, connection, within))

    async def listed(
        self, peer: Peer, caller: Caller, method: str, parameters: Parameters,
        within: float = NAMED_SECONDS,
    ) -> AsyncGenerator[bytes, None]:  # fmt: skip
        """A list's items, some at a time, as they stand between the brackets. RequestError."""
        async with self.asking(peer, caller) as connection:
            await connection.send(request(method, parameters))
            while True:
                line = await line_of(peer, connection, within)
                if not line.startswith(b"["):
                    result_of(peer, line)
                    return
                yield line[1:-2]
                within = NAMED_SECONDS

    # Who watches.

    @contextmanager
    def watched(
        self,
        watcher: Watcher,
        parameters: Parameters,
        caller: Caller,
        only: str | None = None,
    ) -> Iterator[None]:
        """Has a watcher get the events of peers, too, also of those that come."""
        watching = Watching(watcher, parameters, caller, only)
        self._watching.add(watching)
        try:
            for peer in self.running():
                self._feed(watching, peer)
            yield
        finally:
            self._watching.discard(watching)
            for task in watching.tasks.values():
                task.cancel()

    def _feed(self, watching: Watching, peer: Peer) -> None:
        before = watching.tasks.get(peer.name)
        if watching.wants(peer.name) and (before is None or before.done()):
            task = asyncio.get_running_loop().create_task(self._carry(watching, peer))
            watching.tasks[peer.name] = task

    async def _carry(self, watching: Watching, peer: Peer) -> None:
        """One peer's events, until it ends."""
        with suppress(UnavailableError):
            async with self.asking(peer, watching.caller) as connection:
                await connection.send(request("watch", watching.parameters))
                while line := await connection.line(LONGEST_LINE):
                    if line.startswith(b'{"error"'):
                        return
                    await watching.watcher.room()
                    watching.watcher.put(line)


def request(method: str, parameters: Unread) -> bytes:
    return encoded({"method": method, "parameters": cast(JsonObject, dict(parameters))})


async def line_of(peer: Peer, connection: Connection, within: float) -> bytes:
    """UnavailableError if none comes in time."""
    try:
        async with asyncio.timeout(within):
            line = await connection.line(LONGEST_LINE)
    except TimeoutError:
        raise UnavailableError(peer.name, f"did not answer within {within:.0f} s") from None
    if not line.endswith(b"\n"):
        raise UnavailableError(peer.name, "has ended")
    return line


async def answered(peer: Peer, connection: Connection, within: float) -> Own:
    return result_of(peer, await line_of(peer, connection, within))


def result_of(peer: Peer, line: bytes) -> Own:
    """RequestError with what the peer says, if it refuses."""
    answer: Own = json.loads(line)
    if "error" in answer:
        error = answer["error"]
        raise RequestError(error["code"], f"{peer.name}: {error['text']}")
    return answer


def document(answer: Own) -> Own:
    """What it brings, of a method whose answer is no list."""
    result: Own = answer["result"]
    return result


def ourselves() -> Caller:
    """The first agent, when it asks of its own accord."""
    return Caller(os.geteuid(), os.getpid(), "mcastd")
