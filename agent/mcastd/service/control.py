"""Serves the control socket: one JSON object a line, each way.

-> {"method": "status", "parameters": {}}
<- {"result": ...}            or {"error": {"code": "unknown_method", "text": "..."}}
-> {"method": "watch", "parameters": {"type": "query"}}
<- {"event": "message", ...}  line after line, until the client goes

What a client may cost is bounded: requests.py says what is a request, connections.py what it may
keep waiting, and each piece of work for clients has a turn of the loop of its own.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from inspect import isawaitable

from mcastd import manager
from mcastd.printable import brief
from mcastd.service import (
    changes,
    configuration_views,
    counter_views,
    recorder,
    stream_views,
    views,
)
from mcastd.service.agent import Agent
from mcastd.service.answers import error_line, pieces_of
from mcastd.service.audit import Audit
from mcastd.service.bus import Choice, Watcher, encoded
from mcastd.service.callers import Caller, caller_of, may_change
from mcastd.service.connections import Connection, Door, SlowError, TooLongError, Turnstile
from mcastd.service.control_socket import bound
from mcastd.service.doctor import Doctor
from mcastd.service.documents import Answer, Own
from mcastd.service.faults import Fault, said
from mcastd.service.gradual import Gradual
from mcastd.service.interface import called
from mcastd.service.owned import Owned
from mcastd.service.requests import Parameters, RequestError, checked, parsed

log = logging.getLogger("mcastd")

LONGEST_QUESTION = 16 * 1024
"""Bytes of a request of who may only ask."""

LONGEST_REQUEST = 1024 * 1024
"""A filter of some twenty thousand sources."""

LONG_AT_ONCE = 8
"""So many of the long ones may be on their way at the same time."""

FOR_ADMINS = frozenset({"configuration"})
"""Questions that are not for everybody who may ask: files may be readable for root alone."""

IDLE_SECONDS = 60.0
WATCH_SECONDS = 600.0
"""For an event: who watches may look at what he has; what he misses meanwhile he is told."""

LONG_SECONDS = 10.0
"""For the rest of a long request."""

Method = Callable[..., Answer | Gradual[Answer] | Awaitable[Gradual[Answer]]]
Change = Callable[[Agent, Caller, Parameters], Own]

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
    """A connection, who is behind it, the memberships that end with it, and how to end what others
    hold for it."""

    def __init__(self, connection: Connection, caller: Caller) -> None:
        self.connection = connection
        self.caller = caller
        self.held: list[Owned] = []
        self.ends: list[Callable[[], None]] = []


class Control:
    """Answers requests about an agent, which it never blocks."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self.door = Door("control", self, agent.faults)
        agent.doors.append(self.door)
        self._clients: set[Client] = set()
        agent.changed.append(self._changed_meanwhile)
        self._turnstile = Turnstile()
        self._audit = Audit()
        self._long = asyncio.Semaphore(LONG_AT_ONCE)
        self._methods: dict[str, Method] = {
            "status": views.status,
            "querier": views.querier,
            "groups": views.groups,
            "counters": counter_views.counters,
            "streams": stream_views.streams,
            "pairs": stream_views.pairs,
            "doctor": Doctor(agent).examine,
            "recording": lambda agent, name=None: recorder.objects(agent.teller.recorder, name),
            "configuration": configuration_views.configuration,
        }
        self._changes: dict[str, Change] = {
            "join": changes.join,
            "leave": changes.leave,
            "mode": changes.mode,
            "version": changes.version,
        }

    async def start(self, path: str, group: str | None) -> None:
        """Listens at `path`, readable for `group`. ControlError if another agent does already.

        A socket of the service manager's, by the name of "control", is listened at instead.
        """
        handed_over = manager.handed_over().get("control")
        given = None if handed_over is None else socket.socket(fileno=handed_over)
        self.door.open(given or bound(path, group))

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
        """So many of a user, and so many in all; root's are counted apart: it can get in.

        Who closed his connection before this one came is not counted.
        """
        uid = caller_of(connection.socket).uid
        if not self._fits(uid, others) and not self._fits(uid, others - self.door.end_gone()):
            return TOO_MANY
        connection.uid = uid
        return True

    def _fits(self, uid: int, others: set[Connection]) -> bool:
        settings = self._agent.settings
        users = [each.uid for each in others]
        if is_root(uid):
            return sum(map(is_root, users)) < settings.clients
        return (
            sum(not is_root(each) for each in users) < settings.clients
            and users.count(uid) < settings.clients_per_user
        )

    async def serve(self, connection: Connection) -> None:
        """Answers one request after the other, and ends what was held by the connection."""
        client = Client(connection, self.caller(connection))
        self._clients.add(client)
        try:
            while line := await self._line(client):
                connection.is_waiting = False
                await self._answer(line, client)
        except TooLongError:
            text = f"a request has at most {LONGEST_REQUEST} bytes, {LONGEST_QUESTION} of who may"
            error = RequestError("too_long", f"{text} only ask")
            await connection.send(error_line(error))
        finally:
            self._clients.discard(client)
            for membership in client.held:
                self._end(membership, client.caller)
            for end in client.ends:
                end()

    def caller(self, connection: Connection) -> Caller:
        """Who is behind a connection. OSError if the kernel does not say."""
        return caller_of(connection.socket)

    async def _line(self, client: Client) -> bytes:
        """The next request; long ones only of who may change something, and a few at a time."""
        async with asyncio.timeout(None if client.held or client.ends else IDLE_SECONDS):
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
                method, given = parsed(line)
                parameters = checked(method, given)
            await self._carry_out(method, parameters, client)
        except (RequestError, changes.ChangeError) as error:
            await client.connection.send(error_line(error))
        except (ConnectionError, TimeoutError, SlowError):
            raise  # nobody is there to be told
        except Exception as error:
            self._agent.faults.tell_error(Fault.CONNECTION, "a request", error)
            await client.connection.send(error_line(RequestError("failed", said(error))))

    async def _carry_out(self, method: str, parameters: Parameters, client: Client) -> None:
        """Does what is asked, and tells the result."""
        if method == "watch":
            await self._watch(parameters, client)
        else:
            await self._tell(await self._result(method, parameters, client), client)

    async def _result(self, method: str, parameters: Parameters, client: Client) -> Answer:
        if method in self._changes or method == "reload":
            return await self._order(method, parameters, client)
        if method in FOR_ADMINS and not await self._may_change(client.caller):
            raise RequestError(
                "not_permitted", f"{method}: root and members of control.admin_group may ask for it"
            )
        async with self._turnstile.for_answer(client.connection):
            result = self._call(method, parameters)
        if isawaitable(result):
            result = await result
        return await self._gradually(result, client) if isinstance(result, Gradual) else result

    async def _tell(self, result: Answer, client: Client) -> None:
        pieces = pieces_of(result)
        while True:
            async with self._turnstile.for_answer(client.connection):
                piece = next(pieces, None)
            if piece is None:
                return
            await client.connection.send(piece)

    async def _gradually(self, made: Gradual[Answer], client: Client) -> Answer:
        """The answer, a step at a time."""
        more = True
        while more:
            async with self._turnstile.for_answer(client.connection):
                try:
                    more = made.step()
                except ValueError as error:
                    raise RequestError("bad_parameter", str(error)) from None
        return made.answer

    async def _may_change(self, caller: Caller) -> bool:
        """Beside the loop, unless it is root: the users of others may be kept far away."""
        group = self._agent.settings.admin_group
        return caller.is_root or await asyncio.to_thread(may_change, caller, group)

    async def _order(self, method: str, parameters: Parameters, client: Client) -> Own:
        client.connection.is_ordering = True
        try:
            return await self._change(method, parameters, client)
        finally:
            client.connection.is_ordering = False

    async def _change(self, method: str, parameters: Parameters, client: Client) -> Own:
        try:
            result = await self._changed(method, parameters, client)
        except (RequestError, changes.ChangeError) as error:
            self._audit.refused(client.caller, method, parameters, str(error))
            raise
        if not parameters.get("dry_run"):
            self._audit.changed(client.caller, method, parameters)
        return result

    async def _changed(self, method: str, parameters: Parameters, client: Client) -> Own:
        if not await self._may_change(client.caller):
            raise RequestError(
                "not_permitted", f"{method}: root and members of control.admin_group may change"
            )
        async with self._turnstile:
            if method == "reload":
                return changes.reload(self._agent, parameters)
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

    def _changed_meanwhile(self, changed: Mapping[Owned, Owned]) -> None:
        """What is held ends with its connection, however it and its device are called then."""
        for client in self._clients:
            client.held = [changed.get(each, each) for each in client.held]

    def _end(self, membership: Owned, caller: Caller) -> None:
        """The connection that held it is gone."""
        changes.end(self._agent, membership)
        ended = {"name": membership.interface, "group": membership.group}
        self._audit.changed(caller, "leave", ended | {"because": "its client is gone"})

    def _not_run(self, name: object) -> str:
        run = ", ".join(self._agent.interfaces) or "none"
        shown = name if isinstance(name, str) and name.isprintable() else brief(name)
        return f"{shown}: not run by this agent ({run})"

    def _call(
        self, method: str, parameters: Parameters
    ) -> Answer | Gradual[Answer] | Awaitable[Gradual[Answer]]:
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

    async def _watch(self, parameters: Parameters, client: Client) -> None:
        """Sends events until the client closes its end, or says more than it should."""
        gone = asyncio.ensure_future(closed(client.connection))
        try:
            with self._watching(parameters, client) as watcher:
                await send_events(watcher, gone, client.connection)
        finally:
            gone.cancel()

    @contextmanager
    def _watching(self, parameters: Parameters, _client: Client) -> Iterator[Watcher]:
        if "interface" in parameters:
            parameters["interface"] = called(self._agent.interfaces, parameters["interface"])
        choice = Choice(parameters.get("type"), parameters.get("interface"))
        with self._agent.teller.bus.watching(choice) as watcher:
            yield watcher


async def send_events(watcher: Watcher, gone: asyncio.Future[None], connection: Connection) -> None:
    while True:
        line = asyncio.ensure_future(watcher.get())
        try:
            await asyncio.wait((line, gone), return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                return
            await connection.send(line.result(), WATCH_SECONDS)
            await asyncio.sleep(0)  # a quick reader would keep the loop from its turns
        finally:
            line.cancel()


def is_root(uid: int) -> bool:
    return Caller(uid, 0, None).is_root


async def closed(connection: Connection) -> None:
    """Waits until the client closes its end, or says more than it should."""
    with suppress(ConnectionError):
        await connection.receive()
