"""What the agent answers: golden/answers.json on its control socket, golden/metrics.txt on HTTP.

Two interfaces with a past are played. MCASTD_GOLDEN=write takes over what they make.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import mcastd
import pytest
from mcastd.fastpath.counters import RINGS, ZERO, Counters
from mcastd.gmp.time import Instant
from mcastd.service import coexistence
from mcastd.service.control import Control
from mcastd.service.doctor import examining
from mcastd.service.doctor.sights import Sights
from mcastd.service.host_history import Reading
from mcastd.service.metrics import AgentCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from support.golden import GOLDEN
from support.played_agent import INDEX, Played, a_link, packed
from support.queries import igmp_query, igmp_report, mld_query
from support.stepped import play

ANSWERS, METRICS = GOLDEN / "answers.json", GOLDEN / "metrics.txt"

JOIN = {"name": "play0", "group": "232.1.1.1", "sources": ["10.0.0.1", "10.0.0.2"], "as": "player"}
LEAVE = {"name": "play0", "group": "232.1.1.1", "as": "player"}

REQUESTS: list[tuple[str, dict[str, Any]]] = [
    ("status", {}),
    ("querier", {}),
    ("querier", {"name": "play0"}),
    ("groups", {}),
    ("groups", {"name": "play0", "group": "232.1.1.1"}),
    ("groups", {"group": "239.9.9.9"}),
    ("counters", {"name": "play0"}),
    ("streams", {}),
    ("doctor", {}),
    ("doctor", {"name": "play0", "group": "239.9.9.9"}),
    ("version", {"name": "play0", "protocol": "igmp", "version": 2, "dry_run": True}),
    ("version", {"name": "play0", "protocol": "igmp", "version": 2}),
    ("status", {}),
    ("version", {"name": "play1", "protocol": "igmp", "version": 2}),
    ("version", {"name": "play0", "protocol": "igmp", "version": 9}),
    ("version", {"name": "play0", "protocol": "ospf", "version": 2}),
    ("join", JOIN),
    ("join", {**JOIN, "group": "239.1.2.3", "sources": [], "hold": True}),
    ("join", {**JOIN, "name": "play1"}),
    ("join", {**JOIN, "group": "10.1.1.1"}),
    ("join", {**JOIN, "group": "nonsense"}),
    ("leave", {**LEAVE, "sources": ["10.0.0.2"]}),
    ("leave", LEAVE),
    ("leave", LEAVE),
    ("mode", {"name": "play1", "mode": "host"}),
    ("mode", {"name": "play1", "mode": "router"}),
    ("mode", {"name": "play9", "mode": "host"}),
    ("reload", {}),
    ("nonsense", {}),
    ("status", {"nonsense": 1}),
]
"""In this order: some change what the next see."""


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the machine that is played nobody else speaks IGMP, and nothing else is to be seen."""
    monkeypatch.setattr(coexistence, "read", lambda _path: "")
    seen = Sights(Reading(Instant(0), {}, {}))
    monkeypatch.setattr(examining, "look", lambda _wanted: seen)


async def a_past(played: Played) -> None:
    """Queriers of two versions, groups of the kernel and of the agent, a flood, a link down."""
    await played.link(a_link("play0"))
    await played.link(a_link("play1", INDEX + 1, is_running=False))
    await played.address("192.0.2.10")
    await played.address("fe80::10")
    await played.joins(packed("239.1.2.3"))
    await played.joins(packed("232.1.1.1"), packed("10.0.0.1"), include=True)
    await played.joins(packed("ff15::1"), packed("2001:db8::1"), packed("2001:db8::2"))
    await played.hears(igmp_query(3, "192.0.2.1"))
    await played.hears(mld_query(2, "fe80::1"))
    await played.settle(125)
    await played.hears(igmp_query(3, "192.0.2.1"))
    await played.hears(igmp_query(2, "192.0.2.2"))
    await played.hears(igmp_report(2, "192.0.2.11", "239.1.2.3"), ring="report")
    await played.settle(20)
    counted = ZERO._replace(events=(7, 5, 3), held_back=(1, 2), consumed=(3, 4), passing=(5, 6))
    played.fast_path.counted["play0"] = lost(counted, "query", 100)
    await played.settle(2)


def lost(counters: Counters, ring: str, count: int) -> Counters:
    """So many events of a ring beyond its limit."""
    rings = [(0, count) if each == ring else (0, 0) for each in RINGS]
    return counters._replace(lost=tuple(rings))


class Asker:
    """A client of the control socket, by a pair of sockets."""

    def __init__(self, control: Control) -> None:
        self._near, far = socket.socketpair()
        self._near.setblocking(False)
        control.door.bring(far)

    async def ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        request = {"method": method, "parameters": parameters}
        await loop.sock_sendall(self._near, json.dumps(request).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += await loop.sock_recv(self._near, 1 << 20)
        found: dict[str, Any] = json.loads(answer)
        return found

    def close(self) -> None:
        self._near.close()


def story(told: Callable[[Played], Coroutine[Any, Any, Any]]) -> Callable[[], Any]:
    async def played_story() -> Any:
        played = Played({"play0": {"mode": "host"}, "play1": {}, "play2": {}}, per_group=2)
        try:
            await a_past(played)
            return await told(played)
        finally:
            played.close()

    return played_story


async def answers(played: Played) -> list[str]:
    control = Control(played.agent)
    asker = Asker(control)
    try:
        lines = []
        for method, parameters in REQUESTS:
            answer = await asker.ask(method, dict(parameters))
            lines.append(json.dumps({"asked": [method, parameters], **cleaned(answer)}) + "\n")
            await played.settle()
        return lines
    finally:
        asker.close()
        await control.stop()


def cleaned(value: Any, key: str = "") -> Any:
    """Without what is this machine's or this process's own."""
    if isinstance(value, dict):
        return {name: cleaned(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [cleaned(each, key) for each in value]
    if key in ("pid", "uid") and value in (os.getpid(), os.getuid()):
        return f"own {key}"
    if isinstance(value, float):
        return round(value, 1)
    return "X.Y" if key == "version" and value == mcastd.__version__ else value


async def metrics(played: Played) -> str:
    class Agent(Collector):
        collect = AgentCollector(played.agent).collect

    text = generate_latest(Agent()).decode()
    text = re.sub(r"(?m)^mcastd_build_info\{.*$", "mcastd_build_info{...} 1.0", text)
    return re.sub(r"\d\.\d{4,}(e\+\d+)?", lambda found: f"{float(found[0]):.5g}", text)


def compare(path: Path, made: str) -> None:
    if os.environ.get("MCASTD_GOLDEN") == "write":
        path.write_text(made)
    assert made.splitlines() == path.read_text().splitlines()


def test_each_answer_is_the_same_document_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    compare(ANSWERS, "".join(play(monkeypatch, story(answers))))


def test_the_metrics_are_the_same_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    compare(METRICS, play(monkeypatch, story(metrics)))
