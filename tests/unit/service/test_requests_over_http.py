"""Requests for the metrics, as bytes, whole and in pieces."""

from __future__ import annotations

import asyncio
import socket

import h11
import pytest
from mcastd.service.connections import Connection
from mcastd.service.exposition import requested


def asked(*pieces: bytes) -> h11.Request | None:
    """What these bytes are understood as, if then the client closes its end."""

    async def ask() -> h11.Request | None:
        here, there = socket.socketpair()
        with here, there:
            for piece in pieces:
                here.sendall(piece)
            here.shutdown(socket.SHUT_WR)
            return await requested(Connection(there))

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "content",
    [
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.0\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nAccept: */*\r\n\r\n",
    ],
)
def test_a_request_is_understood_with_a_host_and_without(content: bytes) -> None:
    request = asked(content)
    assert request is not None
    assert (request.method, request.target) == (b"GET", b"/metrics")


@pytest.mark.parametrize(
    "content",
    [b"nonsense\r\n\r\n", b"GET /metrics HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"\0\r\n\r\n"],
)
def test_what_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        asked(content)


def test_half_a_request_is_none() -> None:
    assert asked(b"GET /metrics HTTP/1.1\r\nHo") is None
    assert asked() is None
