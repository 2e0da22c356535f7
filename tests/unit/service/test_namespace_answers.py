"""One answer of the agents in several namespaces, whatever becomes of one of them meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcastd.client import AgentError, Client, NotThereError
from mcastd.service.faults import Faults
from mcastd.service.namespaces import channel
from mcastd.service.namespaces.gathering import GatheringControl
from mcastd.service.namespaces.peers import Peers
from mcastd.service.namespaces.reloading import Reloading
from support.fakes import IdleAgent
from support.waiting import eventually


class FakePeer:
    """A peer that answers each request with the same bytes, and ends the connection."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.callers: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []
        self.mains, self._doors = channel.pair()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while (received := channel.receive(self._doors)) is not None:
            message, sock = received
            assert sock is not None
            self.callers.append(message["caller"])
            with sock, sock.makefile("rb") as stream:
                self.requests.append(json.loads(stream.readline()))
                sock.sendall(self.answer)

    def close(self) -> None:
        self.mains.close()
        self._thread.join()
        self._doors.close()


class Site:
    """The first agent's control socket, on a loop in a thread of its own, and a keeper's end."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.loop = asyncio.new_event_loop()
        self.lost = threading.Event()
        self.faults: Faults
        self.peers: list[FakePeer] = []
        self._main, self.keeper = channel.pair()
        self._control = self.loop.run_until_complete(self._start())
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()

    async def _start(self) -> GatheringControl:
        agent = IdleAgent()
        self.faults = agent.faults
        self.known = Peers(self._main, agent.faults, self.lost.set)
        control = GatheringControl(agent, self.known, Reloading(self.known))  # type: ignore[arg-type]
        await control.start(self.path, None)
        return control

    def tell(self, name: str, state: str, **more: object) -> None:
        """As the keeper does."""
        news = {"namespace": name, "state": state, "path": None, "problem": None}
        channel.send(self.keeper, news | {"pid": 7, "starts": 1} | more)
        eventually(lambda: any(e.name == name and e.state == state for e in self.known))

    def run(self, name: str, answer: bytes) -> FakePeer:
        peer = FakePeer(answer)
        self.peers.append(peer)
        news = {"namespace": name, "state": "running", "path": None, "problem": None}
        channel.send(self.keeper, news | {"pid": 7, "starts": 1}, peer.mains)
        peer.mains.close()
        eventually(lambda: any(e.name == name and e.state == "running" for e in self.known))
        return peer

    async def _stop(self) -> None:
        await self._control.stop()
        self.known.close()
        await asyncio.sleep(0)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self.loop).result(20)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()
        self.keeper.close()
        for peer in self.peers:
            peer.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "control.sock")
    yield made
    made.close()


END = b'{"result": null}\n'


def test_lists_are_joined_and_the_caller_is_told(site: Site) -> None:
    blue = site.run("blue", b'[{"n": 1}, {"n": 2}]\n[{"n": 3}]\n' + END)
    site.run("red", END)
    site.run("yellow", b'[{"n": 4}]\n' + END)

    with Client(site.path) as client:
        assert client.call("groups", group="239.1.1.1") == [{"n": n} for n in (1, 2, 3, 4)]
        assert client.lacking == {}
    assert blue.requests == [{"method": "groups", "parameters": {"group": "239.1.1.1"}}]
    assert (blue.callers[0]["uid"], blue.callers[0]["pid"]) == (os.geteuid(), os.getpid())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "has ended"),
        (b'[{"n": 1}]\n', "has ended"),
        (b'[{"n": 1}]\n[{"n": 2}, {"n', "has ended"),
        (b'{"error": {"code": "failed", "text": "no memory"}}\n', "no memory"),
    ],
)
def test_a_peer_that_fails_in_its_answer_spoils_no_others(
    site: Site, answer: bytes, why: str
) -> None:
    site.run("blue", answer)
    site.run("red", b'[{"n": 9}]\n' + END)

    with Client(site.path) as client:
        assert client.call("groups")[-1] == {"n": 9}
        assert client.lacking == {"blue": why}
        assert client.call("groups", name="red/") == [{"n": 9}]
        assert client.lacking == {}


def test_half_a_list_of_the_one_that_was_named_is_no_answer(site: Site) -> None:
    site.run("blue", b'[{"n": 1}]\n')
    with Client(site.path) as client, pytest.raises(NotThereError):
        client.call("groups", name="blue/eth0")


def test_what_a_peer_refuses_is_told_with_its_name(site: Site) -> None:
    site.run("blue", b'{"error": {"code": "observed", "text": "eth0 is observed"}}\n')
    with Client(site.path) as client:
        for method in ("groups", "join", "mode"):
            with pytest.raises(AgentError, match=r"^blue: eth0 is observed$") as caught:
                client.call(method, name="blue/eth0")
            assert caught.value.code == "observed"


def test_namespaces_that_do_not_run_are_told_as_what_they_are(site: Site) -> None:
    site.tell("gone soon", "waiting")
    site.tell("ill", "ended", problem="its agent was ended by SIGKILL")

    with Client(site.path) as client:
        assert client.call("querier") == []
        assert client.lacking == {"ill": "its agent was ended by SIGKILL"}
        for name, code, text in (
            ("gone soon/eth0", "unavailable", r"gone soon: is not running \(waiting\)"),
            ("ill/eth0", "unavailable", "ill: its agent was ended by SIGKILL"),
            ("other/eth0", "unknown_namespace", r"other: not a namespace .* \(gone soon, ill\)"),
        ):
            with pytest.raises(AgentError, match=text) as caught:
                client.call("groups", name=name)
            assert caught.value.code == code


def test_who_watches_is_told_what_becomes_of_namespaces_and_of_peers_that_come(
    site: Site,
) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(site.path)
        sock.sendall(b'{"method": "watch"}\n')
        eventually(lambda: bool(site.known._watching))
        with sock.makefile("rb") as stream:
            site.tell("blue", "waiting")
            seen = json.loads(stream.readline())
            site.run("blue", b'{"namespace": "blue", "event": "joined"}\n')
            more = [json.loads(stream.readline()) for _ in range(2)]

    assert (seen["event"], seen["namespace"], seen["state"]) == ("namespace", "blue", "waiting")
    assert {each["event"] for each in more} == {"namespace", "joined"}


def test_that_the_keeper_has_ended_is_noticed(site: Site) -> None:
    site.keeper.shutdown(socket.SHUT_RDWR)
    eventually(site.lost.is_set)
