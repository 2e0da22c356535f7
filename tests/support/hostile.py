"""Clients that mean no good, and connections that stay as they are."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from mcastd_lab import Namespace

from support.waiting import stretched

ADDRESS = ("127.0.0.1", 9776)

TIMEOUT = 120.0
"""Seconds for an answer: a slow machine may have a thousand others to answer first."""

NONSENSE: Sequence[bytes] = (
    b"\r\n\r\n",
    b"\0" * 64 + b"\r\n\r\n",
    b"\xff\xfe" * 40 + b"\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /metrics\r\n\r\n",
    b"GET /metrics HTTP/9.9\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n\r\n",
    b"get /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET  /metrics  HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\n: x\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost x\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://h/metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics?" + b"x" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20000 + b"\r\n\r\n",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
    b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /metrics HTTP/1.0\r\n\r\n",
)
"""Requests to the port of the metrics, from none to some that are only rare."""

ACCEPTED: Sequence[str] = (
    "text/plain; version=x", "text/plain;version=;;;=", "text/plain; version=1.0.0; escaping=x",
    "application/openmetrics-text; version=99", "application/openmetrics-text; version=x",
    "application/openmetrics-text;q=x", "application/openmetrics-text; escaping=allow-utf-8",
    "*/*;q=", ",,,", ";", "=", "\x01", "\xff", "x" * 4000, "," * 4000, "",
)  # fmt: skip
"""Values of the header Accept."""


def talk(sock: socket.socket, request: bytes, most: int = 64 << 20) -> bytes:
    """What is answered until the other end closes; b"" if it just does."""
    answer = bytearray()
    with sock, suppress(ConnectionError):
        sock.settimeout(stretched(TIMEOUT))
        sock.sendall(request)
        while len(answer) < most and (piece := sock.recv(1 << 16)):
            answer += piece
    return bytes(answer)


def http(namespace: Namespace, request: bytes) -> bytes:
    return talk(connected(namespace), request)


def status_of(answer: bytes) -> int:
    """Of an HTTP answer; 0 for none."""
    words = answer.split(b" ", 2)
    return int(words[1]) if words[0].startswith(b"HTTP/1.") and len(words) > 1 else 0


def connected(namespace: Namespace) -> socket.socket:
    """To the port of the metrics."""
    with namespace.entered():
        return socket.create_connection(ADDRESS, timeout=stretched(TIMEOUT))


def control(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(stretched(TIMEOUT))
    sock.connect(str(path))
    return sock


def answer_of(path: Path, line: bytes) -> dict[str, Any]:
    """The answer to one line; {} if the agent only closes."""
    with control(path) as sock, suppress(ConnectionError):
        sock.sendall(line)
        with sock.makefile("rb") as stream:
            answered = stream.readline()
        return dict(json.loads(answered)) if answered else {}
    return {}


@contextmanager
def idle(namespace: Namespace, count: int) -> Iterator[list[socket.socket]]:
    """So many connections to the metrics' port that say nothing."""
    with ExitStack() as stack:
        socks = []
        with namespace.entered():
            for _ in range(count):
                sock = stack.enter_context(socket.socket())
                sock.setblocking(False)
                with suppress(BlockingIOError, ConnectionError):
                    sock.connect(ADDRESS)
                socks.append(sock)
        yield socks


@contextmanager
def as_user(uid: int) -> Iterator[None]:
    """What this process connects meanwhile is that user's, as the kernel tells the other end."""
    os.setegid(uid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
