"""The first agent and that of a namespace, in company; both are played, and nothing is entered."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, cast

import pytest
from mcastd.gmp.time import Instant
from mcastd.service import coexistence
from mcastd.service.company import LostError
from mcastd.service.doctor import examining
from mcastd.service.doctor.sights import Sights
from mcastd.service.host_history import Reading
from mcastd.service.namespaces import channel, first
from mcastd.service.namespaces.first import First
from mcastd.service.namespaces.settings import NamespaceSettings
from mcastd.service.namespaces.within import Within
from mcastd.service.rendering import TEXT
from support.played_agent import INDEX, Played, a_link, packed, settings_for
from support.queries import igmp_query
from support.stepped import play

BLUE = {"blue": cast(NamespaceSettings, settings_for({"play1": {}}))}


class EndedKeeper:
    """A process that has ended already."""

    def wait(self, timeout: float) -> int:
        return 0


class Asking:
    """A client at the first agent's socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, method: str, **parameters: Any) -> Any:
        question = {"method": method, "parameters": parameters}
        self._writer.write(json.dumps(question).encode() + b"\n")
        return await self.line()

    async def line(self) -> Any:
        line = await self._reader.readline()
        return json.loads(line) if line else None

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


class Company:
    """The first agent, which runs play0; that in blue runs play1 as soon as it is started."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.failures: list[Exception | None] = []
        self.ended: list[Exception | None] = []
        self.undone: list[bool] = []
        self.keeper, mains = channel.pair()
        self.mine = Played({"play0": {}})
        self.first = First(cast("Popen[bytes]", EndedKeeper()), mains)
        self.control = self.first.control(self.mine.agent, self.failures.append)
        self.renderings = self.first.renderings(self.mine.agent)
        self.mine.agent.reload = self._reload
        self.blue = Played({"play1": {}})
        self.blue.agent.reload = self._reload_blue
        self.refusal: str | None = None
        self._closing: list[Callable[[], object]] = []

    def _reload(self, undo: bool) -> str | None:
        settings = settings_for({"play0": {}})._replace(namespaces=BLUE)
        self.first.configured(settings, undo=undo)
        return None

    def _reload_blue(self, undo: bool) -> str | None:
        self.undone.append(undo)
        return self.refusal

    async def start(self) -> None:
        await self.control.start(self.path, None)
        await self.mine.link(a_link("play0"))
        await self.blue.link(a_link("play1", INDEX + 1))

    async def tell(self, name: str, state: str, *, doors: Any = None, **more: Any) -> None:
        """As the keeper does."""
        news = {"namespace": name, "state": state, "path": None, "problem": None}
        channel.send(self.keeper, news | {"pid": 7, "starts": 1} | more, doors)
        await asyncio.sleep(0.01)

    async def run_blue(self) -> None:
        self.doors, its = channel.pair()
        within = Within("blue", its)
        self.brought = within.control(self.blue.agent, self.ended.append)
        await self.brought.start("", None)
        await self.tell("blue", "running", doors=self.doors)

    async def run_silent(self, name: str = "red") -> socket.socket:
        """One that takes what comes, and says nothing."""
        doors, its = channel.pair()
        self._closing += [doors.close, its.close]
        await self.tell(name, "running", doors=doors)
        return its

    async def client(self) -> Asking:
        return Asking(*await asyncio.open_unix_connection(self.path))

    async def ask(self, method: str, **parameters: Any) -> Any:
        asking = await self.client()
        try:
            return await asking.ask(method, **parameters)
        finally:
            await asking.close()

    async def stop(self) -> None:
        await self.control.stop()
        if hasattr(self, "brought"):
            await self.brought.stop()
            self.doors.close()
        self.renderings.close()
        await self.first.close()
        for close in self._closing:
            close()
        self.mine.close()
        self.blue.close()
        self.keeper.close()


Story = Callable[[Company], Awaitable[None]]


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Story], None]:
    """Plays a story of both."""
    monkeypatch.setattr(coexistence, "read", lambda _path: "")
    seen = Sights(Reading(Instant(0), {}, {}))
    monkeypatch.setattr(examining, "look", lambda _wanted: seen)

    def run(story: Story) -> None:
        async def whole() -> None:
            company = Company(str(tmp_path / "control.sock"))
            try:
                await company.start()
                await story(company)
            finally:
                await company.stop()

        play(monkeypatch, whole)

    return run


def test_one_answer_has_what_is_of_both_each_with_its_namespace(
    tell: Callable[[Story], None],
) -> None:
    async def story(company: Company) -> None:
        await company.run_blue()
        await company.mine.joins(packed("239.1.1.1"))
        await company.blue.joins(packed("239.2.2.2"), index=INDEX + 1)

        groups = (await company.ask("groups"))["result"]
        assert {(e.get("namespace"), e["interface"], e["group"]) for e in groups} >= {
            (None, "play0", "239.1.1.1"),
            ("blue", "play1", "239.2.2.2"),
        }
        (only,) = (await company.ask("counters", name="blue/play1"))["result"]
        assert (only["namespace"], only["interface"]) == ("blue", "play1")
        assert (await company.ask("groups", name="blue/", group="239.1.1.1"))["result"] == []

        status = (await company.ask("status"))["result"]
        interfaces = [(e.get("namespace"), e["name"]) for e in status["interfaces"]]
        assert interfaces == [(None, "play0"), ("blue", "play1")]
        (about,) = status["namespaces"]
        assert (about["name"], about["state"], about["problem"]) == ("blue", "running", None)
        assert about["uptime"] >= 0

    tell(story)


def test_a_change_is_made_in_the_namespace_that_is_named(tell: Callable[[Story], None]) -> None:
    async def story(company: Company) -> None:
        await company.run_blue()
        told = await company.ask("mode", name="blue/play1", mode="host")
        assert told["result"]["namespace"] == "blue"
        assert company.blue.interface("play1").mode.value == "host"
        assert company.mine.interface("play0").mode.value == "observe"

        refused = await company.ask("mode", name="blue/play9", mode="host")
        assert refused["error"]["code"] == "unknown_interface"
        assert refused["error"]["text"].startswith("blue: ")

    tell(story)


JOIN = {"name": "blue/play1", "group": "239.3.3.3", "as": "player", "hold": True}


def test_what_is_held_in_a_namespace_ends_with_the_client(tell: Callable[[Story], None]) -> None:
    async def story(company: Company) -> None:
        await company.run_blue()
        await company.ask("mode", name="blue/play1", mode="host")
        asking = await company.client()
        assert "result" in await asking.ask("join", **JOIN)
        assert packed("239.3.3.3") in company.blue.interface("play1").groups()

        await asking.close()
        await company.blue.settle()
        assert packed("239.3.3.3") not in company.blue.interface("play1").groups()

    tell(story)


@pytest.mark.parametrize("named", ["play0", "blue/play1"])
def test_what_is_held_ends_with_the_client_also_on_a_device_that_was_renamed(
    tell: Callable[[Story], None], named: str
) -> None:
    async def story(company: Company) -> None:
        await company.run_blue()
        await company.ask("mode", name=named, mode="host")
        asking = await company.client()
        assert "result" in await asking.ask("join", **{**JOIN, "name": named})
        played = company.blue if "/" in named else company.mine
        (interface,) = played.agent.by_index.values()
        assert interface.index is not None
        await played.link(a_link("lan0", interface.index))

        await asking.close()
        await played.settle()
        assert packed("239.3.3.3") not in played.interface("lan0").groups()
        assert played.agent.owned.total == 0

    tell(story)


@pytest.mark.parametrize("named", ["play0", "blue/play1"])
def test_what_is_held_ends_with_the_client_also_without_some_of_its_sources(
    tell: Callable[[Story], None], named: str
) -> None:
    async def story(company: Company) -> None:
        await company.run_blue()
        await company.ask("mode", name=named, mode="host")
        asking = await company.client()
        sources = ["192.0.2.8", "192.0.2.9"]
        joining = {**JOIN, "name": named, "group": "232.1.1.1", "sources": sources}
        assert "result" in await asking.ask("join", **joining)
        leaving = {"name": named, "group": "232.1.1.1", "as": "player", "sources": sources[:1]}
        left = await company.ask("leave", **leaving)
        assert left["result"]["remaining"]["sources"] == sources[1:]

        await asking.close()
        played = company.blue if "/" in named else company.mine
        await played.settle()
        assert played.agent.owned.total == 0

    tell(story)


def test_who_holds_something_in_a_namespace_is_told_that_its_agent_ends(
    tell: Callable[[Story], None],
) -> None:
    async def story(company: Company) -> None:
        await company.run_blue()
        await company.ask("mode", name="blue/play1", mode="host")
        asking = await company.client()
        assert "result" in await asking.ask("join", **JOIN)
        await company.brought.door.close()
        assert await asking.line() is None
        await asking.close()

    tell(story)


def test_events_of_a_namespace_say_of_which(tell: Callable[[Story], None]) -> None:
    async def story(company: Company) -> None:
        await company.run_blue()
        of_all, of_one = await company.client(), await company.client()
        for asking, wanted in ((of_all, {}), (of_one, {"interface": "blue/play1"})):
            asking._writer.write(
                json.dumps({"method": "watch", "parameters": wanted}).encode() + b"\n"
            )
        await asyncio.sleep(0.1)
        await company.mine.link(a_link("play0", is_running=False))
        await company.blue.link(a_link("play1", INDEX + 1, is_running=False))

        seen = [await of_all.line() for _ in range(2)]
        assert [(e.get("namespace"), e["interface"]) for e in seen] == [
            (None, "play0"),
            ("blue", "play1"),
        ]
        assert await of_one.line() == seen[1]
        await of_all.close()
        await of_one.close()

    tell(story)


def test_a_namespace_that_says_nothing_keeps_no_other_from_answering(
    tell: Callable[[Story], None],
) -> None:
    async def story(company: Company) -> None:
        await company.run_blue()
        await company.run_silent()

        told = await company.ask("counters")
        assert [e["interface"] for e in told["result"]] == ["play0", "play1"]
        assert told["lacking"] == {"red": "did not answer within 5 s"}
        status = (await company.ask("status"))["result"]
        assert {e["name"]: e["problem"] for e in status["namespaces"]} == {
            "blue": None,
            "red": "did not answer within 5 s",
        }
        refused = await company.ask("counters", name="red/")
        assert refused["error"]["text"] == "red: did not answer within 30 s"

    tell(story)


def test_doctor_names_namespaces_that_are_not_served_and_what_to_do(
    tell: Callable[[Story], None],
) -> None:
    async def story(company: Company) -> None:
        await company.run_blue()
        await company.tell("ill", "ended", problem="its agent was ended by SIGKILL")
        await company.tell("closed", "refused", problem="no right to enter it")
        await company.tell("later", "waiting")

        told = await company.ask("doctor")
        found = {
            each["namespace"]: each
            for each in told["result"]
            if each["kind"] == "namespace_not_served"
        }
        assert {name: each["text"] for name, each in found.items()} == {
            "ill": "its agent was ended by SIGKILL",
            "closed": "no right to enter it",
            "later": "there is no such namespace now",
        }
        assert all(each["remedy"] for each in found.values())

        await company.tell("ill", "gone")
        status = (await company.ask("status"))["result"]
        assert [e["name"] for e in status["namespaces"]] == ["blue", "closed", "later"]

    tell(story)


def test_a_scrape_has_the_series_of_all_that_tell_theirs(tell: Callable[[Story], None]) -> None:
    async def story(company: Company) -> None:
        await company.run_blue()
        await company.run_silent()
        await company.mine.hears(igmp_query(3, "192.0.2.1"))

        text = b"".join(await company.renderings.get(TEXT)).decode()

        assert 'mcastd_namespace_up{namespace="blue"} 1.0' in text
        assert 'mcastd_namespace_up{namespace="red"} 1.0' in text
        series = [line for line in text.splitlines() if 'interface="play' in line]
        assert any('interface="play0"' in line for line in series)
        assert all(('namespace="blue"' in line) == ('"play1"' in line) for line in series)
        assert any('"play1"' in line for line in series)

    tell(story)


def test_a_reload_reaches_the_namespace_and_what_it_refuses_is_told(
    tell: Callable[[Story], None],
) -> None:
    async def story(company: Company) -> None:
        await company.run_blue()
        told = await company.ask("reload", undo=True)
        assert told["result"]["interfaces"] == ["play0", "blue/play1"]
        assert company.undone == [True]
        assert channel.receive(company.keeper) == ({"read": True}, None)

        company.refusal = "interface.play1.mode: no such mode"
        told = await company.ask("reload")
        assert told["error"]["code"] == "bad_configuration"
        assert told["error"]["text"].startswith("blue: interface.play1.mode: no such mode")

    tell(story)


def test_an_agent_in_a_namespace_ends_with_the_first(tell: Callable[[Story], None]) -> None:
    async def story(company: Company) -> None:
        await company.run_blue()
        channel.send(company.doors, {"caller": {"uid": 0, "pid": 1, "name": None}})
        await asyncio.sleep(0.01)
        assert company.ended == [], "a question without a socket is nobody's"

        company.doors.shutdown(socket.SHUT_RDWR)
        await company.tell("blue", "ended", problem="as the test wants")
        assert company.ended == [None]

    tell(story)


def test_the_first_ends_with_its_keeper(tell: Callable[[Story], None]) -> None:
    async def story(company: Company) -> None:
        company.keeper.shutdown(socket.SHUT_RDWR)
        await asyncio.sleep(0.01)
        (failure,) = company.failures
        assert isinstance(failure, LostError)
        assert "start mcastd anew" in str(failure)

    tell(story)


def test_a_keeper_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first, "END_SECONDS", 0.01)
    ours, its = channel.pair()
    with Popen([sys.executable, "-c", "input()"], stdin=PIPE) as keeper:
        asyncio.run(First(keeper, ours).close())
        assert keeper.returncode == -signal.SIGKILL
    its.close()
