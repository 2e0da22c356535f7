"""The client class against the real control server, over a socket of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcastd.client import AgentError, Client, NotThereError
from mcastd.service.bus import Bus
from mcastd.service.config import Settings
from mcastd.service.connections import Door
from mcastd.service.control import LONGEST_REQUEST, Control
from mcastd.service.faults import Faults


class Idle:
    """An agent without an interface."""

    def __init__(self) -> None:
        self.settings = self.started_with = Settings()
        self.interfaces: dict[str, Any] = {}
        self.bus = Bus(lambda interest: None)
        self.owned: list[Any] = []
        self.faults = Faults()
        self.doors: list[Door] = []
        self.changed: list[Any] = []
        self.reload: Callable[[bool], str | None] = lambda undo: None


@pytest.fixture
def agent() -> Idle:
    return Idle()


@pytest.fixture
def path(agent: Idle, tmp_path: Path) -> Iterator[str]:
    """Where a control server answers, on a loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    control = Control(agent)  # type: ignore[arg-type]
    where = str(tmp_path / "control.sock")
    loop.run_until_complete(control.start(where, None))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield where
    asyncio.run_coroutine_threadsafe(control.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


def test_requests_are_answered_one_after_the_other(path: str) -> None:
    with Client(path) as client:
        assert client.call("groups") == []
        assert client.call("querier") == []


@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        ("nothing", {}, "unknown_method"),
        ("groups", {"other": "x"}, "bad_parameter"),
        ("doctor", {"group": "nonsense"}, "bad_parameter"),
        ("groups", {"name": 7}, "bad_parameter"),
        ("groups", {"name": "eth9"}, "unknown_interface"),
        ("join", {"name": "eth9", "group": "239.1.1.1"}, "unknown_interface"),
        ("mode", {}, "unknown_interface"),
    ],
)
def test_refusals_have_codes(path: str, method: str, parameters: dict[str, Any], code: str) -> None:
    with Client(path) as client:
        with pytest.raises(AgentError) as refused:
            client.call(method, **parameters)
        assert refused.value.code == code
        assert client.call("groups") == []


def test_a_reload_that_fails_is_told(path: str, agent: Idle) -> None:
    with Client(path) as client:
        assert client.call("reload") == {
            "interfaces": [], "by_hand": [], "undone": [], "needs_restart": []
        }  # fmt: skip
        agent.reload = lambda undo: "mcastd.toml: spoilt"
        with pytest.raises(AgentError, match="spoilt; the running configuration stays") as refused:
            client.call("reload")
    assert refused.value.code == "bad_configuration"


@pytest.mark.parametrize("line", [b"{}\n", b"[1]\n", b"nonsense\n", b'{"method": 3}\n'])
def test_what_is_no_request_is_told(path: str, line: bytes) -> None:
    assert answer(path, line)["error"]["code"] == "bad_request"


def test_a_request_that_is_too_long_is_told(path: str) -> None:
    assert answer(path, b"x" * (LONGEST_REQUEST + 10) + b"\n")["error"]["code"] == "too_long"


def answer(path: str, line: bytes) -> Any:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(10)
        sock.connect(path)
        sock.sendall(line)
        with sock.makefile("rb") as stream:
            return json.loads(stream.readline())


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match="is mcastd running"):
        Client(str(tmp_path / "none.sock"))


def test_an_agent_that_has_ended_is_told_of_however_the_process_takes_sigpipe(
    tmp_path: Path,
) -> None:
    """A command that asks again and again must not end without a word."""
    where = str(tmp_path / "control.sock")
    server = socket.socket(socket.AF_UNIX)
    server.bind(where)
    server.listen()
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        with Client(where) as client:
            connection, _ = server.accept()
            connection.close()
            server.close()
            for _ in range(2):
                with pytest.raises(NotThereError, match="has ended"):
                    client.call("status")
    finally:
        signal.signal(signal.SIGPIPE, before)
