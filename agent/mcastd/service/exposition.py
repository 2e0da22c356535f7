"""Serves /metrics over HTTP with h11, in the agent's own event loop."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import h11

from mcastd import manager
from mcastd.service.agent import Agent
from mcastd.service.config import Address
from mcastd.service.connections import Connection, Door, SlowError
from mcastd.service.control_socket import bound
from mcastd.service.faults import Fault
from mcastd.service.health import PAGES, Page
from mcastd.service.rendering import CONTENT_TYPES, Renderings, form_of

if TYPE_CHECKING:
    from mcastd.service.web_config import WebConfig

REQUEST_SECONDS = 5.0
"""From the connection to the end of the request's head, however it comes."""

RENDER_SECONDS = 10.0
ANSWER_SECONDS = 15.0
"""For a client to take all of it."""

LINGER_SECONDS = 1.0
LINGER_PIECES = 64
"""For a client to read why it was refused, while it still sends."""

LONGEST_REQUEST = 16 * 1024
LONGEST_TARGET = 2048

MAKE_ROOM_AFTER = 0.1
"""Seconds: who has asked for nothing by then may be ended for somebody else."""

PLAIN = "text/plain; charset=utf-8"


class Client(Protocol):
    """A `Connection`, or what is inside one."""

    @property
    def socket(self) -> socket.socket: ...

    async def receive(self) -> bytes: ...

    async def send(self, content: bytes) -> None: ...


class MetricsServer:
    """GET /metrics, and the pages of health.py, over HTTP/1.1, on the agent's own loop, one request
    a connection.
    """

    def __init__(
        self, agent: Agent, renderings: Renderings, web_config: WebConfig | None = None
    ) -> None:
        """`web_config`: says whether it is inside TLS, and who may ask."""
        self._agent = agent
        self._renderings = renderings
        self._web_config = web_config
        self._door = Door("metrics", self, agent.faults)
        agent.doors.append(self._door)

    async def start(self, address: Address) -> None:
        """OSError if the address is taken or not ours. ControlError, likewise, for a path.

        A socket of the service manager's, by the name of "metrics", is listened at instead.
        """
        handed_over = manager.handed_over().get("metrics")
        if handed_over is not None:
            self._door.open(socket.socket(fileno=handed_over))
            return
        if address.is_path:
            self._door.open(bound(address.host, None, "metrics.listen"))
            return
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address.host, address.port))
            self._door.open(sock)
        except OSError:
            sock.close()
            raise

    async def stop(self) -> None:
        self._renderings.close()
        await self._door.close()

    # Who comes in.

    def is_privileged(self, sock: socket.socket) -> bool:
        """Nobody: it cannot be told."""
        return False

    def admit(self, connection: Connection, others: set[Connection]) -> bool | bytes:
        return True

    def has_room(self, others: set[Connection]) -> bool:
        """Who has not asked yet makes room, the longest silent first; others wait to be let in."""
        if len(others) < self._agent.settings.metrics_clients:
            return True
        late = asyncio.get_running_loop().time() - MAKE_ROOM_AFTER
        silent = [each for each in others if each.is_waiting and each.since < late]
        if silent:
            self._door.end(min(silent, key=lambda each: each.since), "idle")
        return False

    async def serve(self, connection: Connection) -> None:
        context = self._web_config.context() if self._web_config is not None else None
        if context is None:
            await self._answer(connection, connection)
            return
        from mcastd.service.secured import Secured  # noqa: PLC0415 (most listen without TLS)

        secured = Secured(connection, context)
        async with asyncio.timeout(REQUEST_SECONDS):
            await secured.begin()
        assert self._web_config is not None
        if not self._web_config.admits(secured.certificate):
            await refuse(secured, 403, "this certificate is none of those that may ask")
        else:
            await self._answer(connection, secured)
        await secured.end()

    async def _answer(self, outside: Connection, connection: Client) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                request = await requested(connection)
        except h11.RemoteProtocolError as error:
            await refuse(connection, error.error_status_hint, "this is no request of HTTP/1.1")
            return
        if request is None:
            return
        outside.is_waiting = False
        why = refusal(request)
        if why is not None:
            await refuse(connection, *why)
            return
        page = PAGES.get(path_of(request.target))
        if page is not None:
            await self._show(page(self._agent), request, connection)
            return
        await self._tell(request, connection)

    async def _show(self, page: Page, request: h11.Request, connection: Client) -> None:
        body = page.text.encode(errors="backslashreplace")
        answer = head(page.status, page.content_type, len(body))
        await connection.send(answer if request.method == b"HEAD" else answer + body)

    async def _tell(self, request: h11.Request, connection: Client) -> None:
        accepted = ",".join(
            value.decode("latin-1") for name, value in request.headers if name == b"accept"
        )
        form = form_of(accepted)
        try:
            async with asyncio.timeout(RENDER_SECONDS):
                pieces = await self._renderings.get(form)
        except TimeoutError:
            await refuse(connection, 503, "the metrics are not ready; ask again")
            return
        except Exception as error:
            self._agent.faults.tell_error(Fault.CONNECTION, "a rendering of the metrics", error)
            await refuse(connection, 500, "the metrics cannot be told; the agent's log says why")
            return
        await connection.send(head(200, CONTENT_TYPES[form], sum(map(len, pieces))))
        if request.method == b"HEAD":
            return
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                for piece in pieces:
                    await connection.send(piece)
                    await asyncio.sleep(0)
        except TimeoutError:
            raise SlowError from None


async def requested(connection: Client) -> h11.Request | None:
    """The request's head; None if the client goes before it is whole. h11.RemoteProtocolError."""
    protocol, received = parser(), bytearray()
    while True:
        try:
            event = protocol.next_event()
        except h11.RemoteProtocolError:
            return without_host(bytes(received))
        if isinstance(event, h11.Request):
            return event
        if event is not h11.NEED_DATA:
            return None
        piece = await connection.receive()
        received += piece
        protocol.receive_data(piece)


def parser() -> h11.Connection:
    return h11.Connection(h11.SERVER, max_incomplete_event_size=LONGEST_REQUEST)


def without_host(received: bytes) -> h11.Request | None:
    """A request that is one but for the Host, which HTTP/1.1 demands and nothing here needs: who
    types one by hand is answered. h11.RemoteProtocolError.
    """
    protocol = parser()
    named = b"" if b"\nhost:" in received.lower() else b"Host: -\r\n"
    first, separator, rest = received.partition(b"\r\n")
    protocol.receive_data(first + separator + named + rest)
    event = protocol.next_event()
    return event if isinstance(event, h11.Request) else None


def refusal(request: h11.Request) -> tuple[int, str] | None:
    """The status and the text, if it is not to be answered with the metrics."""
    if len(request.target) > LONGEST_TARGET:
        return 414, "the target is too long"
    if request.method not in (b"GET", b"HEAD"):
        return 405, "GET and HEAD only"
    path = path_of(request.target)
    if path != b"/metrics" and path not in PAGES:
        return 404, "The metrics are at /metrics"
    return None


def path_of(target: bytes) -> bytes:
    """Without the query, and without the host that a proxy's request names."""
    scheme, separator, rest = target.partition(b"://")
    if separator and scheme.lower() in (b"http", b"https"):
        target = b"/" + rest.partition(b"/")[2]
    return target.partition(b"?")[0]


REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}


def head(status: int, content_type: str, length: int) -> bytes:
    allow = "Allow: GET, HEAD\r\n" if status == 405 else ""
    return (
        f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}\r\n{allow}"
        f"Content-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    ).encode()


async def refuse(connection: Client, status: int, text: str) -> None:
    """Says why, and takes a little of what is still sent: else the client would not read it."""
    body = text.encode() + b"\n"
    await connection.send(head(status, PLAIN, len(body)) + body)
    with suppress(OSError):
        connection.socket.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(LINGER_SECONDS):
            for _ in range(LINGER_PIECES):
                if not await connection.receive():
                    break
