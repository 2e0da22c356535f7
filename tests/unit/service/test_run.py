"""`mcastd run`, from its start to its end, on a played machine; sockets and signals are real."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from mcastd.client import AgentError, Client
from mcastd.fastpath.fast_path import FastPath
from mcastd.net.links import Snapshot
from mcastd.net.rtnetlink import Change, LinkChanged
from mcastd.service import run as running
from mcastd.service.agent import Agent
from mcastd.service.config import Address, ConfigFileError, Settings
from mcastd.service.control_socket import is_answered
from mcastd.service.mode import Mode
from mcastd.service.run import run
from mcastd.service.serving import StartError, shown
from support.fake_fast_path import FakeFastPath
from support.played_agent import INDEX, PlayedMachine, a_link, settings_for


class PlayedWatcher:
    """The kernel's links: those that are there, and changes as a test puts them."""

    def __init__(self) -> None:
        self.links = (LinkChanged(a_link("play0")),)
        self.batches: asyncio.Queue[list[Change] | OSError] = asyncio.Queue()
        self.is_closed = False

    async def snapshot(self) -> Snapshot:
        return Snapshot(self.links, ())

    async def changes(self) -> AsyncIterator[list[Change]]:
        while True:
            batch = await self.batches.get()
            if isinstance(batch, OSError):
                raise batch
            yield batch
            self.batches.task_done()

    def close(self) -> None:
        self.is_closed = True


class Stage:
    """One run; `told`: what the service manager heard. `reread` is what a reload finds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self.socket = str(path / "control.sock")
        self.settings = self.made({"play0": {}})
        self.reread: Callable[[], Settings] = lambda: self.settings
        self.fast_path = FakeFastPath()
        self.machine = PlayedMachine()
        self.told: list[str] = []
        self.kept: list[str] = []
        self._news = asyncio.Event()
        monkeypatch.setattr(running, "Agent", partial(Agent, machine=self.machine))
        monkeypatch.setattr(running, "LinkWatcher", self._watcher)
        monkeypatch.setattr(running, "notify", self._notify)
        monkeypatch.setattr(running, "notify_at_last", self._notify)
        monkeypatch.setattr(running, "drop_capabilities", lambda: self.kept.append("dropped"))
        monkeypatch.setenv("STATE_DIRECTORY", str(path / "state"))
        (path / "state").mkdir()

    def made(self, sections: dict[str, dict[str, Any]], **fields: Any) -> Settings:
        return settings_for(sections, **{"socket": self.socket, "metrics": None} | fields)

    def _watcher(self) -> PlayedWatcher:
        self.watcher = PlayedWatcher()
        return self.watcher

    def _reread(self) -> Settings:
        return self.reread()

    def _notify(self, state: str) -> bool:
        self.told.append(state.partition("=")[0])
        self._news.set()
        return True

    async def until(self, word: str, count: int = 1) -> None:
        """The service manager has heard it so often."""
        async with asyncio.timeout(60):
            while self.told.count(word) < count:
                self._news.clear()
                await self._news.wait()

    async def ask(self, method: str, **parameters: Any) -> Any:
        def asked() -> Any:
            with Client(self.socket) as client:
                return client.call(method, **parameters)

        return await asyncio.to_thread(asked)

    def play(self, story: Callable[[], Awaitable[None]]) -> None:
        """Runs the agent until the story is over; what ends it is raised."""

        async def whole() -> None:
            fast_path = cast(FastPath, self.fast_path)
            task = asyncio.create_task(run(self.settings, fast_path, self._reread))
            ready = asyncio.create_task(self.until("READY"))
            await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                ready.cancel()
                return task.result()
            await story()
            async with asyncio.timeout(60):
                await task

        try:
            asyncio.run(whole())
        finally:
            self.machine.wire.close()
            self.is_over()

    def is_over(self) -> None:
        """All that was taken is given back."""
        assert self.fast_path.is_closed
        assert self.watcher.is_closed
        assert not any(each.is_attached() for each in self.fast_path.attached.values())
        assert not is_answered(self.socket)
        assert "STOPPING" in self.told


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Stage:
    return Stage(monkeypatch, tmp_path)


def end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def never() -> None:
    raise AssertionError("it was ready")


def test_it_is_ready_with_its_interfaces_and_ends_by_a_signal(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.settings = stage.made({"play0": {}, "play1": {}})

    async def story() -> None:
        assert stage.kept == ["dropped"]
        status = await stage.ask("status")
        assert [each["name"] for each in status["interfaces"]] == ["play0"]
        assert status["missing"] == ["play1"]
        stage.watcher.batches.put_nowait([LinkChanged(a_link("play1", INDEX + 1))])
        await stage.watcher.batches.join()
        assert (await stage.ask("status"))["missing"] == []
        end()

    caplog.set_level("INFO", "mcastd")
    stage.play(story)
    assert "play1: there is no such interface now; it is attached when it appears" in caplog.text
    assert "ready: play0" in caplog.text


def test_a_reload_takes_over_what_the_files_say(stage: Stage) -> None:
    async def story() -> None:
        stage.settings = stage.made({"play0": {"mode": "host"}})
        os.kill(os.getpid(), signal.SIGHUP)
        await stage.until("READY", 2)
        assert stage.told.count("RELOADING") == 1
        assert (await stage.ask("status"))["interfaces"][0]["mode"] == "host"

        stage.settings = stage.made({})
        await stage.ask("reload")
        assert (await stage.ask("status"))["interfaces"] == []
        end()

    stage.play(story)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConfigFileError("/etc/mcastd.toml", "no such key"), "/etc/mcastd.toml: no such key"),
        (OSError(28, "No space left"), "not all of it could be put in force: No space left"),
    ],
)
def test_a_reload_that_fails_says_why_and_what_runs_goes_on(
    stage: Stage, caplog: pytest.LogCaptureFixture, error: Exception, text: str
) -> None:
    def refused() -> Settings:
        raise error

    async def story() -> None:
        stage.reread = refused
        with pytest.raises(AgentError, match=text):
            await stage.ask("reload")
        assert stage.told.count("READY") == 2, "or systemd waits for it"
        assert len((await stage.ask("status"))["interfaces"]) == 1
        end()

    stage.play(story)
    assert text in caplog.text


def test_a_reload_names_what_was_set_by_hand_and_what_needs_a_new_start(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        await stage.ask("mode", name="play0", mode="host")
        stage.settings = stage.made({"play0": {}}, max_interfaces=7)
        await stage.ask("reload")
        end()

    stage.play(story)
    assert "play0: mode = host was set by hand and stays (observe in the files" in caplog.text
    assert "agent.max_interfaces takes effect when mcastd is restarted" in caplog.text


def test_undo_lets_the_files_count_again(stage: Stage) -> None:
    async def story() -> None:
        await stage.ask("mode", name="play0", mode="host")
        await stage.ask("reload", undo=True)
        (interface,) = (await stage.ask("status"))["interfaces"]
        assert interface["mode"] == Mode.OBSERVE.value
        end()

    stage.play(story)


def test_a_port_that_is_taken_refuses_the_start_and_says_what_to_do(stage: Stage) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        stage.settings = stage.made({"play0": {}}, metrics=Address("127.0.0.1", port))
        with pytest.raises(StartError, match=rf"metrics on 127\.0\.0\.1:{port}: .*in use.*choose"):
            stage.play(never)
    assert stage.kept == []


def test_a_web_configuration_that_is_no_good_refuses_the_start(
    stage: Stage, tmp_path: Path
) -> None:
    stage.settings = stage.made(
        {"play0": {}}, metrics=Address("127.0.0.1"), web_config=str(tmp_path / "none.yml")
    )
    with pytest.raises(StartError, match=r"metrics\.web_config: "):
        stage.play(never)


def test_metrics_are_served_until_the_end(stage: Stage, tmp_path: Path) -> None:
    path = str(tmp_path / "metrics.sock")
    stage.settings = stage.made({"play0": {}}, metrics=Address(path))

    async def story() -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = await reader.read()
        writer.close()
        assert text.startswith(b"HTTP/1.1 200")
        assert b'interface="play0"' in text
        end()

    stage.play(story)
    assert not is_answered(path)


def test_an_end_of_what_the_kernel_tells_of_links_is_the_agents_end(stage: Stage) -> None:
    async def story() -> None:
        stage.watcher.batches.put_nowait(OSError(5, "netlink is gone"))

    with pytest.raises(OSError, match="netlink is gone"):
        stage.play(story)


def test_a_bug_in_the_core_is_the_agents_end_and_is_told(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        stage.play(story)
    assert any(each.levelname == "CRITICAL" for each in caplog.records)


def test_a_shortage_is_told_and_the_agent_goes_on(stage: Stage) -> None:
    def short() -> None:
        raise OSError(12, "Cannot allocate memory")

    async def story() -> None:
        asyncio.get_running_loop().call_soon(short)
        await asyncio.sleep(0)
        faults = (await stage.ask("status"))["faults"]
        assert [each["count"] for each in faults.values()] == [1]
        end()

    stage.play(story)


def test_the_service_manager_hears_that_the_loop_turns(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")

    async def story() -> None:
        await stage.until("WATCHDOG", 3)
        end()

    stage.play(story)


def test_addresses_are_shown_as_the_settings_have_them() -> None:
    for text in ("127.0.0.1:9", "[::1]:9", "unix:/run/x"):
        host, _, port = text.removeprefix("unix:").rpartition(":")
        address = Address(text[5:]) if "unix" in text else Address(host.strip("[]"), int(port))
        assert shown(address) == text
