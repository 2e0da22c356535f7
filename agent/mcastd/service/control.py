"""The control socket: one JSON object a line each way.

-> {"method": "status", "parameters": {}}
<- {"result": ...}            or {"error": {"code": "unknown_method", "text": "..."}}
-> {"method": "watch", "parameters": {"type": "query"}}
<- {"event": "message", ...}  line after line, until the client goes
"""

from __future__ import annotations

import asyncio
import grp
import json
import logging
import os
import pwd
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from mcastd.service import changes, doctor, views
from mcastd.service.agent import Agent
from mcastd.service.bus import Choice, Watcher, encoded
from mcastd.service.changes import Caller
from mcastd.service.interface import called
from mcastd.service.owned import Owned

log = logging.getLogger("mcastd")

LONGEST_REQUEST = 1024 * 1024
"""A filter of some twenty thousand sources."""
IDLE_SECONDS = 60.0

AT_ONCE = 128
"""Of a long answer, in one turn of the loop: a few milliseconds."""

Method = Callable[..., Any]
Change = Callable[[Agent, Caller, Mapping[str, Any]], Any]


class ControlError(Exception):
    """The socket cannot be had; one line for the operator."""


class RequestError(Exception):
    """A request that cannot be answered, by a code that programs understand."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Control:
    """Answers requests about an agent, which it never blocks."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._server: asyncio.Server | None = None
        self._methods: dict[str, tuple[Method, frozenset[str]]] = {
            "status": (views.status, frozenset()),
            "querier": (views.querier, frozenset({"name"})),
            "groups": (views.groups, frozenset({"name", "group"})),
            "counters": (views.counters, frozenset({"name"})),
            "doctor": (doctor.examine, frozenset({"name", "group"})),
        }
        self._changes: dict[str, Change] = {
            "join": changes.join,
            "leave": changes.leave,
            "mode": changes.mode,
            "version": changes.version,
        }

    async def start(self, path: str, group: str | None) -> None:
        """Listens at `path`, readable for `group`. ControlError if another agent does already."""
        sock = bound(path, group)
        self._server = await asyncio.start_unix_server(
            self._serve, sock=sock, limit=LONGEST_REQUEST
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held: list[Owned] = []
        try:
            while True:
                line = await asyncio.wait_for(reader.readline(), None if held else IDLE_SECONDS)
                if not line:
                    break
                await self._answer(line, reader, writer, held)
        except (TimeoutError, ConnectionError):
            pass  # a client that says nothing, or goes: nobody is there to be told
        except ValueError:
            text = f"a request has at most {LONGEST_REQUEST} bytes"
            writer.write(encoded({"error": {"code": "too_long", "text": text}}))
        finally:
            writer.close()
            for membership in held:
                changes.end(self._agent, membership)

    async def _answer(
        self,
        line: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        held: list[Owned],
    ) -> None:
        try:
            method, parameters = parsed(line)
            if method == "watch":
                if isinstance(parameters.get("interface"), str):
                    parameters["interface"] = called(
                        self._agent.interfaces, parameters["interface"]
                    )
                await self._watch(parameters, reader, writer)
                return
            if method in self._changes or method == "reload":
                caller = caller_of(writer.get_extra_info("socket"))
                result = self._change(method, caller, parameters, held)
            else:
                result = self._call(method, parameters)
            pieces = pieces_of(result)
        except (RequestError, changes.ChangeError) as error:
            pieces = iter([encoded({"error": {"code": error.code, "text": str(error)}})])
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)  # a quick reader would keep the loop from its turns

    def _change(
        self, method: str, caller: Caller, parameters: dict[str, Any], held: list[Owned]
    ) -> Any:
        if not may_change(caller, self._agent.settings.admin_group):
            raise RequestError(
                "not_permitted", f"{method}: root and members of control.admin_group may change"
            )
        if method == "reload":
            return changes.reload(self._agent)
        name = parameters.get("name")
        if isinstance(name, str):
            name = parameters["name"] = called(self._agent.interfaces, name)
        if not isinstance(name, str) or name not in self._agent.interfaces:
            raise RequestError("unknown_interface", self._not_run(name))
        try:
            result = self._changes[method](self._agent, caller, parameters)
        except OSError as error:
            raise RequestError("refused", f"{method}: {error.strerror or error}") from None
        if method == "join" and parameters.get("hold"):
            held += [
                each
                for each in self._agent.owned
                if (each.interface, each.group, each.application)
                == (name, result["group"], result["application"])
            ]
        return result

    def _not_run(self, name: object) -> str:
        run = ", ".join(self._agent.interfaces) or "none"
        return f"{name}: not run by this agent ({run})"

    def _call(self, method: str, parameters: dict[str, Any]) -> Any:
        found = self._methods.get(method)
        if found is None:
            known = ", ".join([*self._methods, *self._changes, "reload", "watch"])
            raise RequestError("unknown_method", f"{method!r}: no such method; {known}")
        call, names = found
        for name, value in parameters.items():
            if name not in names or not isinstance(value, str | None):
                raise RequestError("bad_parameter", f"{name} = {value!r}: not a parameter")
        interface = parameters.get("name")
        if interface is not None:
            interface = parameters["name"] = called(self._agent.interfaces, interface)
            if interface not in self._agent.interfaces:
                raise RequestError("unknown_interface", self._not_run(interface))
        try:
            return call(self._agent, **parameters)
        except ValueError as error:
            raise RequestError("bad_parameter", str(error)) from None

    async def _watch(
        self,
        parameters: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Sends events until the client closes its end."""
        choice = chosen(parameters)
        gone = asyncio.ensure_future(closed(reader))
        with self._agent.teller.bus.watching(choice) as watcher:
            try:
                await self._send_events(watcher, gone, writer)
            finally:
                gone.cancel()

    async def _send_events(
        self,
        watcher: Watcher,
        gone: asyncio.Future[None],
        writer: asyncio.StreamWriter,
    ) -> None:
        while True:
            line = asyncio.ensure_future(watcher.get())
            both: set[asyncio.Future[Any]] = {line, gone}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                line.cancel()
                return
            writer.write(line.result())
            await writer.drain()


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


async def closed(reader: asyncio.StreamReader) -> None:
    """Waits until the client closes its end, or says more than it should."""
    with suppress(ConnectionError):
        await reader.read(1)


def caller_of(sock: Any) -> Caller:
    """Who is at the other end, as the kernel says."""
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", credentials)
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        name = f"uid {uid}"
    return Caller(uid, pid, name)


def may_change(caller: Caller, admin_group: str | None) -> bool:
    """Root, the agent's own user, and the members of the group."""
    if caller.uid in (0, os.geteuid()):
        return True
    try:
        user = pwd.getpwuid(caller.uid)
        gid = grp.getgrnam(admin_group or "").gr_gid
    except KeyError:
        return False
    return gid in os.getgrouplist(user.pw_name, user.pw_gid)


def chosen(parameters: Mapping[str, Any]) -> Choice:
    """What a watcher asks for; RequestError for what it cannot."""
    for name, value in parameters.items():
        if name not in ("type", "interface") or not isinstance(value, str | None):
            raise RequestError("bad_parameter", f"{name} = {value!r}: not a parameter")
    return Choice(**parameters)


def parsed(line: bytes) -> tuple[str, dict[str, Any]]:
    try:
        request = json.loads(line)
        method, parameters = request["method"], request.get("parameters") or {}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RequestError(
            "bad_request", 'a request is {"method": ..., "parameters": {}}'
        ) from None
    if not isinstance(method, str) or not isinstance(parameters, dict):
        raise RequestError("bad_request", 'a request is {"method": ..., "parameters": {}}')
    return method, parameters


def bound(path: str, group: str | None) -> socket.socket:
    """A listening socket at `path`, whose mode is 0660 and whose group may read; ControlError."""
    if is_answered(path):
        raise ControlError(f"{path}: another mcastd listens there")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        Path(path).unlink(missing_ok=True)
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        previous = os.umask(0o117)
        try:
            sock.bind(path)
        finally:
            os.umask(previous)
        if group is not None:
            os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except KeyError:
        sock.close()
        raise ControlError(f"control.group = {group!r}: there is no such group") from None
    except OSError as error:
        sock.close()
        raise ControlError(f"{path}: {error.strerror}") from None
    return sock


def is_answered(path: str) -> bool:
    """Whether somebody listens at the socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(path) == 0
