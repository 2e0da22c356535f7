"""Answers at the control socket for the agents of all namespaces together.

In what is told of another namespace each thing has a "namespace"; what has none is the agent's own.
What could not be had of a namespace stands beside the result: {"result": [...], "lacking": {"blue":
"did not answer within 5 s"}}.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, contextmanager
from itertools import islice

from mcastd.service.agent import Agent
from mcastd.service.answers import AT_ONCE
from mcastd.service.bus import Choice, Watcher, encoded
from mcastd.service.connections import Connection
from mcastd.service.control import Client, Control
from mcastd.service.doctor import Evidence, Finding
from mcastd.service.documents import Answer, Document, Own
from mcastd.service.namespaces.inside import joined, parted
from mcastd.service.namespaces.peers import (
    ANSWER_SECONDS,
    RUNNING,
    Peer,
    Peers,
    answered,
    document,
    request,
)
from mcastd.service.namespaces.reloading import Reloading
from mcastd.service.requests import Parameters, RequestError

LISTS = frozenset({"querier", "groups", "counters", "doctor", "streams", "pairs", "recording"})

REMEDIES = {
    "waiting": "create it, or remove it from the configuration: ip netns list",
    "starting": "wait a moment: mcastd serves it as soon as its agent is ready",
    "ended": "mcastd restarts it by itself; the log says why it ended",
    "refused": "fix that; mcastd then serves it by itself",
}
"""What to do about a namespace that is not served."""


class GatheringControl(Control):
    """Answers for the agents in all namespaces."""

    def __init__(self, agent: Agent, peers: Peers, reloading: Reloading) -> None:
        super().__init__(agent)
        self._peers, self._reloading = peers, reloading

    async def _carry_out(self, method: str, parameters: Parameters, client: Client) -> None:
        namespace, name = parted(parameters.get("name") or "")
        if namespace and method != "watch":
            peer = self._peers.get(namespace)
            client.connection.is_ordering = method in self._changes
            try:
                await self._pass_on(peer, method, named(parameters, name), client)
            finally:
                client.connection.is_ordering = False
        elif method in LISTS and "name" not in parameters:
            await self._tell_list(method, parameters, client)
        else:
            await super()._carry_out(method, parameters, client)

    async def _result(self, method: str, parameters: Parameters, client: Client) -> Answer:
        result = await super()._result(method, parameters, client)
        if method == "status" and isinstance(result, dict):
            return await self._with_peers(result, client)
        if method == "reload" and isinstance(result, dict):
            names, problems = await self._reloading.done()
            if problems:
                raise RequestError("bad_configuration", "; ".join(problems))
            return add_names(result, names)
        return result

    # One namespace.

    async def _pass_on(
        self, peer: Peer, method: str, parameters: Parameters, client: Client
    ) -> None:
        if method in LISTS:
            answer = ListAnswer(client.connection)
            try:
                await add(answer, self._peers.listed(peer, client.caller, method, parameters))
            except RequestError:
                if answer.has_begun:
                    raise ConnectionAbortedError from None  # half a list is no answer
                raise
            await answer.end({})
        elif parameters.get("hold"):
            await self._tell(await self._held(peer, method, parameters, client), client)
        else:
            result = await self._peers.ask(peer, client.caller, method, parameters)
            await self._tell(result, client)

    async def _held(
        self, peer: Peer, method: str, parameters: Parameters, client: Client
    ) -> Answer:
        """What ends with the client's connection ends with one to the peer, and the other way."""
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(self._peers.asking(peer, client.caller))
            await connection.send(request(method, parameters))
            result = document(await answered(peer, connection, ANSWER_SECONDS))
            kept = stack.pop_all()
        task = asyncio.get_running_loop().create_task(self._end_with(kept, connection, client))

        def end() -> None:
            task.cancel()

        client.ends.append(end)
        return result

    async def _end_with(self, kept: AsyncExitStack, theirs: Connection, client: Client) -> None:
        async with kept:
            await theirs.receive()
            self.door.end(client.connection, "failed")

    # All namespaces.

    async def _tell_list(self, method: str, parameters: Parameters, client: Client) -> None:
        own = await super()._result(method, parameters, client)
        answer, lacking = ListAnswer(client.connection), {}
        async for items in self._in_turns(iter(items_of(own)), client):
            await answer.add(items)
        for peer in self._peers:
            if peer.state == "waiting":
                continue
            try:
                asked = self._peers.listed(peer, client.caller, method, parameters, ANSWER_SECONDS)
                await add(answer, asked)
            except RequestError as error:
                lacking[peer.name] = str(error).removeprefix(f"{peer.name}: ")
        if method == "doctor":
            await answer.add(json.dumps(self._findings())[1:-1].encode())
        await answer.end(lacking)

    async def _in_turns(self, items: Iterator[Document], client: Client) -> AsyncIterator[bytes]:
        while True:
            async with self._turnstile.for_answer(client.connection):
                some = list(islice(items, AT_ONCE))
                made = json.dumps(some)[1:-1].encode()
            if not some:
                return
            yield made

    def _findings(self) -> list[Document]:
        """Of namespaces that are not served, and of those whose agent had to be started anew."""
        found: list[Document] = []
        for peer in self._peers:
            text, remedy = None, ""
            if peer.state != RUNNING:
                text = peer.problem or {"waiting": "there is no such namespace now"}.get(peer.state)
                remedy = REMEDIES.get(peer.state, "")
            if text is not None:
                made = Finding(
                    "namespace_not_served",
                    text,
                    remedy,
                    why="mcastd can neither receive nor send in it",
                    evidence=(Evidence(f"state: {peer.state}", "mcastctl status"),),
                )
                found.append({"namespace": peer.name, **made.as_object()})
        return found

    async def _with_peers(self, own: Own, client: Client) -> Own:
        """The status of all. What concerns a namespace as a whole stands in "namespaces"."""
        peers = list(self._peers)
        running = [each for each in peers if each.state == RUNNING]
        asked = (
            self._peers.ask(each, client.caller, "status", {}, ANSWER_SECONDS) for each in running
        )
        answers = await asyncio.gather(*asked, return_exceptions=True)
        told = {each.name: answer for each, answer in zip(running, answers, strict=True)}
        own["namespaces"] = []
        for peer in peers:
            about = peer.as_object()
            own["namespaces"].append(about)
            answer = told.get(peer.name)
            if isinstance(answer, RequestError):
                about["problem"] = str(answer).removeprefix(f"{peer.name}: ")
            elif isinstance(answer, BaseException):
                raise answer
            elif answer is not None:
                add_status(own, about, answer)
        return own

    # Events.

    @contextmanager
    def _watching(self, parameters: Parameters, client: Client) -> Iterator[Watcher]:
        namespace, name = parted(parameters.get("interface") or "")
        if namespace:
            wanted = parameters.copy()
            wanted.pop("interface", None)
            if name:
                wanted["interface"] = name
            self._peers.get(namespace)
            watcher = Watcher(Choice(wanted.get("type"), wanted.get("interface")))
            with self._peers.watched(watcher, wanted, client.caller, namespace):
                yield watcher
        elif "interface" in parameters:
            with super()._watching(parameters, client) as watcher:
                yield watcher
        else:
            with (
                super()._watching(parameters, client) as watcher,
                self._peers.watched(watcher, parameters, client.caller),
            ):
                yield watcher


def named(parameters: Parameters, name: str) -> Parameters:
    """The same request, about an interface by its name within a namespace; "": about none."""
    made = parameters.copy()
    made.pop("name", None)
    if name:
        made["name"] = name
    return made


def items_of(own: Answer) -> Iterable[Document]:
    """Of what is told as a list."""
    assert not isinstance(own, Mapping)
    return own


def add_names(own: Own, names: list[str]) -> Own:
    own["interfaces"] += names
    return own


def add_status(own: Own, about: Own, answer: Own) -> None:
    """Adds a namespace's status to the agent's own, and to what is told about the namespace."""
    name = about["name"]
    own["interfaces"] += [{"namespace": name, **each} for each in answer["interfaces"]]
    own["missing"] += [joined(name, each) for each in answer["missing"]]
    about |= {key: answer[key] for key in ("uptime", "faults", "clients")}
    about["not_kept"] = answer["state"]["problem"]


class ListAnswer:
    """A list that is told as it comes; nothing is told before there is something, or the end."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._before = b'{"result": ['

    @property
    def has_begun(self) -> bool:
        return self._before == b", "

    async def add(self, items: bytes) -> None:
        """Items as they stand between the brackets."""
        if items:
            await self._connection.send(self._before + items)
            self._before = b", "

    async def end(self, lacking: Mapping[str, str]) -> None:
        """`lacking`: of which namespaces there is nothing, and why."""
        head = b"" if self.has_begun else self._before
        tail = encoded({"lacking": dict(lacking)})[1:] if lacking else b"}\n"
        await self._connection.send(head + b"]" + (b", " if lacking else b"") + tail)


async def add(answer: ListAnswer, asked: AsyncGenerator[bytes, None]) -> None:
    """Adds a peer's list. RequestError."""
    async with aclosing(asked) as parts:
        async for items in parts:
            await answer.add(items)
