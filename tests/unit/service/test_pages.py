"""/metrics and the pages beside it, over HTTP on a path: an agent that is played answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from mcastd.service.config import Address
from mcastd.service.exposition import MetricsServer
from mcastd.service.metrics import AgentCollector
from mcastd.service.rendering import Renderings
from support.played_agent import Played, a_link
from support.stepped import play

OPENMETRICS = "Accept: application/openmetrics-text\r\n"

ASKED = [
    ("GET /metrics", "", 200, "# HELP mcastd_messages_total"),
    ("GET /metrics?name=value", "", 200, "# HELP mcastd_messages_total"),
    ("GET /metrics", OPENMETRICS, 200, "# HELP mcastd_messages IGMP"),
    ("HEAD /metrics", "", 200, ""),
    ("GET /-/healthy", "", 200, ""),
    ("GET /-/ready", "", 200, ""),
    ("GET /", "", 200, ""),
    ("GET /elsewhere", "", 404, ""),
    ("POST /metrics", "Content-Length: 0\r\n", 405, ""),
]


async def answers(played: Played, path: Path, requests: list[bytes]) -> list[bytes]:
    server = MetricsServer(played.agent, Renderings(AgentCollector(played.agent).collect))
    await server.start(Address(f"{path}", 0))
    try:
        found = []
        for request in requests:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(request)
            found.append(await reader.read())
            writer.close()
            await writer.wait_closed()
        return found
    finally:
        await server.stop()


def told(patch: pytest.MonkeyPatch, path: Path, *requests: bytes) -> list[bytes]:
    async def story() -> list[bytes]:
        played = Played({"play0": {}})
        try:
            await played.link(a_link("play0"))
            return await answers(played, path, list(requests))
        finally:
            played.close()

    return play(patch, story)


def test_each_page_is_answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    requests = [
        f"{line} HTTP/1.1\r\nHost: here\r\n{more}\r\n".encode() for line, more, _, _ in ASKED
    ]

    found = told(monkeypatch, tmp_path / "metrics.sock", *requests)

    for (line, _, status, begin), answer in zip(ASKED, found, strict=True):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode()), (line, head)
        assert body.decode().startswith(begin), line
        assert line.startswith("GET") or not body or status != 200


def test_openmetrics_ends_with_its_mark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    request = f"GET /metrics HTTP/1.1\r\nHost: here\r\n{OPENMETRICS}\r\n".encode()
    (answer,) = told(monkeypatch, tmp_path / "metrics.sock", request)
    assert answer.endswith(b"# EOF\n")


@pytest.mark.parametrize("request_", [b"nonsense\r\n\r\n", b"GET /metrics\r\n\r\n", b"\0" * 100])
def test_what_is_no_request_is_refused_and_others_are_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request_: bytes
) -> None:
    good = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n"
    refused, served = told(monkeypatch, tmp_path / "metrics.sock", request_, good)
    assert refused.startswith(b"HTTP/1.1 4") or not refused
    assert served.startswith(b"HTTP/1.1 200 ")
