"""The control socket: one JSON object a line each way.

-> {"method": "status", "parameters": {}}
<- {"result": ...}            or {"error": {"code": "unknown_method", "text": "..."}}
-> {"method": "watch", "parameters": {"type": "query"}}
<- {"event": "message", ...}  line after line, until the client goes

What a client may cost is bounded: requests.py says what is a request, connections.py what it may
keep waiting, and each piece of work for clients has a turn of the loop of its own.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from mcastd.printable import brief, printable
from mcastd.service import changes, doctor, stream_views, views
from mcastd.service.agent import Agent
from mcastd.service.bus import Choice, Watcher, encoded
from mcastd.service.callers import Caller, caller_of, may_change
from mcastd.service.connections import Connection, Door, SlowError, TooLongError, Turnstile
from mcastd.service.control_socket import bound
from mcastd.service.faults import Fault, said
from mcastd.service.gradual import Gradual
from mcastd.service.interface import called
from mcastd.service.owned import Owned
from mcastd.service.requests import RequestError, checked, parsed

log = logging.getLogger("mcastd")

LONGEST_QUESTION = 16 * 1024
"""Bytes of a request of who may only ask."""

LONGEST_REQUEST = 1024 * 1024
"""A filter of some twenty thousand sources."""

LONG_AT_ONCE = 8
"""So many of the long ones may be on their way at the same time."""

IDLE_SECONDS = 60.0
WATCH_SECONDS = 600.0
"""For an event: who watches may look at what he has; what he misses meanwhile he is told."""

LONG_SECONDS = 10.0
"""For the rest of a long request."""

AT_ONCE = 128
"""Of a long answer, in one turn of the loop: a few milliseconds."""

Method = Callable[..., Any]
Change = Callable[[Agent, Caller, Mapping[str, Any]], Any]

TOO_MANY = encoded(
    {
        "error": {
            "code": "too_many_clients",
            "text": "too many connections; close some, or raise control.clients or "
            "control.clients_per_user",
        }
    }
)


class Client:
    """A connection, who is behind it, and what ends with it."""

    def __init__(self, connection: Connection, caller: Caller) -> None:
        self.connection = connection
        self.caller = caller
        self.held: list[Owned] = []


class Control:
    """Answers requests about an agent, which it never blocks."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.door = Door("control", self, agent.faults)
        agent.doors.append(self.door)
        self._turnstile = Turnstile()
        self._long = asyncio.Semaphore(LONG_AT_ONCE)
        self._users: dict[Connection, int] = {}
        self._methods: dict[str, Method] = {
            "status": views.status,
            "querier": views.querier,
            "groups": views.groups,
            "counters": views.counters,
            "streams": stream_views.streams,
            "doctor": doctor.examine,
        }
        self._changes: dict[str, Change] = {
            "join": changes.join,
            "leave": changes.leave,
            "mode": changes.mode,
            "version": changes.version,
        }

    async def start(self, path: str, group: str | None) -> None:
        """Listens at `path`, readable for `group`. ControlError if another agent does already."""
        self.door.open(bound(path, group))

    async def stop(self) -> None:
        await self.door.close()

    # Who comes in.

    def has_room(self, others: set[Connection]) -> bool:
        """Always: who is too much is told so at once."""
        return True

    def is_privileged(self, sock: socket.socket) -> bool:
        """Root and the agent's own user."""
        return caller_of(sock).is_root

    def admit(self, connection: Connection, others: set[Connection]) -> bool | bytes:
        """So many of a user, and so many in all; root's are counted apart: it can get in."""
        settings, caller = self._agent.settings, caller_of(connection.socket)
        users = [self._users[each] for each in others if each in self._users]
        if caller.is_root:
            fits = sum(map(is_root, users)) < settings.clients
        else:
            fits = (
                sum(not is_root(uid) for uid in users) < settings.clients
                and users.count(caller.uid) < settings.clients_per_user
            )
        if not fits:
            return TOO_MANY
        self._users[connection] = caller.uid
        return True

    async def serve(self, connection: Connection) -> None:
        """Answers one request after the other, and ends what was held by the connection."""
        client = Client(connection, caller_of(connection.socket))
        try:
            while line := await self._line(client):
                connection.is_waiting = False
                await self._answer(line, client)
        except TooLongError:
            text = f"a request has at most {LONGEST_REQUEST} bytes, {LONGEST_QUESTION} of who may"
            error = RequestError("too_long", f"{text} only ask")
            await connection.send(error_line(error))
        finally:
            del self._users[connection]
            for membership in client.held:
                changes.end(self._agent, membership)

    async def _line(self, client: Client) -> bytes:
        """The next request; long ones only of who may change something, and a few at a time."""
        async with asyncio.timeout(None if client.held else IDLE_SECONDS):
            with suppress(TooLongError):
                return await client.connection.line(LONGEST_QUESTION)
        if not await self._may_change(client.caller):
            raise TooLongError
        async with asyncio.timeout(LONG_SECONDS), self._long:
            return await client.connection.line(LONGEST_REQUEST)

    # Requests.

    async def _answer(self, line: bytes, client: Client) -> None:
        try:
            async with self._turnstile:
                method, parameters = parsed(line)
                parameters = checked(method, parameters)
            if method == "watch":
                if "interface" in parameters:
                    parameters["interface"] = called(
                        self._agent.interfaces, parameters["interface"]
                    )
                await self._watch(parameters, client)
                return
            if method in self._changes or method == "reload":
                result = await self._change(method, parameters, client)
            else:
                async with self._turnstile:
                    result = self._call(method, parameters)
                if isinstance(result, Gradual):
                    result = await self._gradually(result)
            await self._tell(pieces_of(result), client)
        except (RequestError, changes.ChangeError) as error:
            await client.connection.send(error_line(error))
        except (ConnectionError, TimeoutError, SlowError):
            raise  # nobody is there to be told
        except Exception as error:
            self._agent.faults.tell_error(Fault.CONNECTION, "a request", error)
            await client.connection.send(error_line(RequestError("failed", said(error))))

    async def _tell(self, pieces: Iterator[bytes], client: Client) -> None:
        while True:
            async with self._turnstile:
                piece = next(pieces, None)
            if piece is None:
                return
            await client.connection.send(piece)

    async def _gradually(self, made: Gradual[Any]) -> Any:
        """The answer, a step at a time."""
        more = True
        while more:
            async with self._turnstile:
                try:
                    more = made.step()
                except ValueError as error:
                    raise RequestError("bad_parameter", str(error)) from None
        return made.answer

    async def _may_change(self, caller: Caller) -> bool:
        """Beside the loop, unless it is root: the users of others may be kept far away."""
        group = self._agent.settings.admin_group
        return caller.is_root or await asyncio.to_thread(may_change, caller, group)

    async def _change(self, method: str, parameters: dict[str, Any], client: Client) -> Any:
        if not await self._may_change(client.caller):
            raise RequestError(
                "not_permitted", f"{method}: root and members of control.admin_group may change"
            )
        async with self._turnstile:
            if method == "reload":
                return changes.reload(self._agent)
            name = parameters["name"] = called(self._agent.interfaces, parameters.get("name", ""))
            if name not in self._agent.interfaces:
                raise RequestError("unknown_interface", self._not_run(name))
            try:
                result = self._changes[method](self._agent, client.caller, parameters)
            except OSError as error:
                raise RequestError("refused", f"{method}: {said(error)}") from None
        if method == "join" and parameters.get("hold"):
            membership = self._agent.owned.get(name, result["group"], result["application"])
            if membership is not None:
                client.held.append(membership)
        return result

    def _not_run(self, name: object) -> str:
        run = ", ".join(self._agent.interfaces) or "none"
        shown = name if isinstance(name, str) and name.isprintable() else brief(name)
        return f"{shown}: not run by this agent ({run})"

    def _call(self, method: str, parameters: dict[str, Any]) -> Any:
        interface = parameters.get("name")
        if interface is not None:
            interface = parameters["name"] = called(self._agent.interfaces, interface)
            if interface not in self._agent.interfaces:
                raise RequestError("unknown_interface", self._not_run(interface))
        try:
            return self._methods[method](self._agent, **parameters)
        except ValueError as error:
            raise RequestError("bad_parameter", str(error)) from None

    # Events.

    async def _watch(self, parameters: dict[str, Any], client: Client) -> None:
        """Sends events until the client closes its end, or says more than it should."""
        gone = asyncio.ensure_future(closed(client.connection))
        with self._agent.teller.bus.watching(Choice(**parameters)) as watcher:
            try:
                await send_events(watcher, gone, client.connection)
            finally:
                gone.cancel()


async def send_events(watcher: Watcher, gone: asyncio.Future[None], connection: Connection) -> None:
    while True:
        line = asyncio.ensure_future(watcher.get())
        try:
            both: set[asyncio.Future[Any]] = {line, gone}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return
            await connection.send(line.result(), WATCH_SECONDS)
            await asyncio.sleep(0)  # a quick reader would keep the loop from its turns
        finally:
            line.cancel()


def is_root(uid: int) -> bool:
    return Caller(uid, 0, None).is_root


def error_line(error: RequestError | changes.ChangeError) -> bytes:
    return encoded({"error": {"code": error.code, "text": printable(str(error))}})


def pieces_of(result: Any) -> Iterator[bytes]:
    """An answer as a line; one that comes bit by bit is never made as a whole."""
    if not isinstance(result, Iterator):
        yield encoded({"result": result})
        return
    before = b'{"result": ['
    while some := list(islice(result, AT_ONCE)):
        yield before + json.dumps(some)[1:-1].encode()
        before = b", "
    yield (b"" if before == b", " else before) + b"]}\n"


async def closed(connection: Connection) -> None:
    """Waits until the client closes its end, or says more than it should."""
    with suppress(ConnectionError):
        await connection.receive()
