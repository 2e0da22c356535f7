"""/metrics over HTTP. Only this module and the collector know prometheus_client."""

from __future__ import annotations

import asyncio
import logging
import time

from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import CollectorRegistry

from mcastd.service.agent import Agent
from mcastd.service.config import Address
from mcastd.service.metrics import AgentCollector

log = logging.getLogger("mcastd")

REQUEST_SECONDS = 5.0
LONGEST_REQUEST = 16 * 1024


class MetricsServer:
    """GET /metrics over HTTP/1.1, on the agent's own loop, one request a connection."""

    def __init__(self, agent: Agent) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(AgentCollector(agent))
        self._server: asyncio.Server | None = None

    async def start(self, address: Address) -> None:
        """OSError if the address is taken or not ours."""
        self._server = await asyncio.start_server(
            self._serve, address.host, address.port, limit=LONGEST_REQUEST
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_SECONDS)
            writer.write(self._response(head.decode("latin-1")))
            await asyncio.wait_for(writer.drain(), REQUEST_SECONDS)
        except (
            TimeoutError,
            ConnectionError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
        ):
            pass  # whoever asks so does not get an answer
        finally:
            writer.close()

    def _response(self, head: str) -> bytes:
        request, *lines = head.split("\r\n")
        method, _, rest = request.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method not in ("GET", "HEAD"):
            return response("405 Method Not Allowed", "text/plain", b"GET only\n")
        if path != "/metrics":
            return response("404 Not Found", "text/plain", b"The metrics are at /metrics\n")
        accepted = next(
            (line.partition(":")[2] for line in lines if line.lower().startswith("accept:")), ""
        )
        encode, content_type = choose_encoder(accepted)
        started = time.monotonic()
        body = encode(self._registry)
        log.debug("scrape took %.1f ms", (time.monotonic() - started) * 1e3)
        return response("200 OK", content_type, b"" if method == "HEAD" else body)


def response(status: str, content_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
