"""Who scrapes the metrics gets an answer, or the reason why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from mcastd.service.agent import Agent
from mcastd.service.config import Address, Settings
from mcastd.service.exposition import MetricsServer
from mcastd.service.rendering import Renderings
from support.fakes import IdleAgent
from support.stepped import play

ASKED = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class Rendered:
    """What is rendered: pieces, an error, or nothing for ever."""

    def __init__(self) -> None:
        self.outcome: list[bytes] | Exception | None = [b"mcastd_x 1\n", b"mcastd_y 2\n"]

    async def get(self, form: str) -> list[bytes]:
        if self.outcome is None:
            await asyncio.Event().wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        assert self.outcome is not None
        return self.outcome

    def close(self) -> None: ...


class Scene:
    def __init__(self, path: Path) -> None:
        self.path = str(path / "metrics.sock")
        self.agent = IdleAgent()
        self.agent.settings = Settings(metrics_clients=2)
        self.rendered = Rendered()
        self.server = MetricsServer(cast(Agent, self.agent), cast(Renderings, self.rendered))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self.path)

    async def ask(self, question: bytes = ASKED) -> bytes:
        reader, writer = await self.connect()
        try:
            writer.write(question)
            return await reader.read()
        finally:
            writer.close()


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    def run(story: Callable[[Scene], Awaitable[None]]) -> None:
        async def whole() -> None:
            scene = Scene(tmp_path)
            await scene.server.start(Address(scene.path))
            try:
                await story(scene)
            finally:
                await scene.server.stop()

        play(monkeypatch, whole)

    return run


def test_the_answer_has_all_pieces_and_head_has_none(tell: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        head, _, body = (await scene.ask()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert body == b"mcastd_x 1\nmcastd_y 2\n"
        only_head = await scene.ask(ASKED.replace(b"GET", b"HEAD"))
        assert only_head == head + b"\r\n\r\n"

    tell(story)


@pytest.mark.parametrize(
    ("outcome", "status", "says", "faults"),
    [
        (None, b"503", b"ask again", []),
        (ValueError("a bug"), b"500", b"the agent's log says why", ["connection"]),
    ],
)
def test_a_rendering_that_fails_is_told_as_that_and_the_next_is_served(
    tell: Callable[..., None], outcome: Any, status: bytes, says: bytes, faults: list[str]
) -> None:
    async def story(scene: Scene) -> None:
        served, scene.rendered.outcome = scene.rendered.outcome, outcome
        answer = await scene.ask()
        assert answer.startswith(b"HTTP/1.1 " + status)
        assert says in answer
        assert list(scene.agent.faults.as_object()) == faults
        scene.rendered.outcome = served
        assert (await scene.ask()).startswith(b"HTTP/1.1 200")

    tell(story)


def test_who_says_nothing_makes_room_for_who_asks(tell: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        silent = [await scene.connect() for _ in range(2)]
        await asyncio.sleep(0.01)
        assert (await scene.ask()).startswith(b"HTTP/1.1 200")
        (door,) = scene.agent.doors
        assert door.closed["idle"] >= 1
        for _, writer in silent:
            writer.close()

    tell(story)


def test_who_takes_nothing_of_a_long_answer_is_ended_as_slow(tell: Callable[..., None]) -> None:
    async def story(scene: Scene) -> None:
        scene.rendered.outcome = [bytes(1 << 20)] * 16
        _, writer = await scene.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(ASKED)
        await asyncio.sleep(120)
        (door,) = scene.agent.doors
        assert door.closed["slow"] == 1
        writer.close()

    tell(story)
