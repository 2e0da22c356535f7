"""Whatever bytes come from clients and files: an answer or an error, never a surprise."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import h11
import pytest
from fuzz.parsers import fuzz
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcastd.gmp.family import IGMP
from mcastd.gmp.time import Instant, seconds
from mcastd.service import drop_in
from mcastd.service.callers import Caller
from mcastd.service.changes import ChangeError, membership_of
from mcastd.service.config import ConfigFileError, load
from mcastd.service.connections import Connection, TooLongError
from mcastd.service.control import Control
from mcastd.service.exposition import path_of, refusal
from mcastd.service.faults import Fault
from mcastd.service.known_queriers import QUERIERS_FILE, KnownQueriers
from mcastd.service.memberships import STATE_FILE, OwnedMemberships
from mcastd.service.rendering import OPENMETRICS, TEXT, form_of
from mcastd.service.requests import PARAMETERS, RequestError, checked, parsed
from support.fakes import IdleAgent

TEXTS = st.text(st.characters(codec=None), max_size=40) | st.sampled_from(
    ["", "eth0", "239.1.1.1", "ff1e::1", "igmp", "host", "\0", "\x1b[2J", "x" * 5000, "\ud800"]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, 3, -1, 2**64, 10**400])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
METHODS = st.sampled_from([*PARAMETERS, "nothing"]) | TEXTS
NAMES = st.sampled_from(sorted({name for each in PARAMETERS.values() for name in each})) | TEXTS
JSON_BYTES = st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode())
DEEP = st.integers(1, 20_000).flatmap(
    lambda count: st.sampled_from([b"[", b'{"a":', b'[{"a":']).map(lambda piece: piece * count)
)

QUICKLY = settings(deadline=None, suppress_health_check=list(HealthCheck))


@QUICKLY
@given(JSON_BYTES | DEEP)
def test_a_line_is_a_request_or_refused(line: bytes) -> None:
    with suppress(RequestError):
        method, parameters = parsed(line)
        assert isinstance(method, str)
        assert isinstance(parameters, dict)


@QUICKLY
@given(METHODS, st.dictionaries(NAMES, VALUES, max_size=6))
def test_parameters_are_fit_or_refused_in_one_line(method: str, given_: dict[str, Any]) -> None:
    fit, error = None, ""
    try:
        fit = checked(method, given_)
    except RequestError as refused:
        error = str(refused)
    assert error.isprintable()
    assert len(error) < 2000
    for name, value in (fit or {}).items():
        assert PARAMETERS[method][name].fits(value)


@QUICKLY
@given(st.dictionaries(st.sampled_from(sorted(PARAMETERS["join"])), VALUES | TEXTS))
def test_a_membership_is_one_or_refused(given_: dict[str, Any]) -> None:
    with suppress(RequestError, ChangeError):
        fit = checked("join", {"name": "eth0", "group": "239.1.1.1", **given_})
        if "name" in fit:
            membership = membership_of(Caller(0, 1, "x"), fit)
            assert membership.filter is not None


REQUESTS = st.tuples(METHODS, st.dictionaries(NAMES, VALUES, max_size=4)).map(
    lambda each: json.dumps({"method": each[0], "parameters": each[1]}).encode()
)


@QUICKLY
@given(st.lists(REQUESTS | JSON_BYTES.map(lambda line: line.replace(b"\n", b"")), max_size=5))
def test_each_line_of_a_client_has_an_answer(lines: list[bytes]) -> None:
    """By the server itself, over a socket: no fault is counted, and every answer is JSON."""
    lines = [each for each in lines if each and b'"watch"' not in each]
    agent = IdleAgent("not now")
    answers = asyncio.run(conversation(agent, b"".join(each + b"\n" for each in lines)))

    assert len(answers) == len(lines)
    assert all({"result"} == each.keys() or {"error"} == each.keys() for each in answers)
    # Nothing is known of an agent without interfaces but its status, which this one lacks.
    assert agent.faults.counts[Fault.CONNECTION] == sum(
        each.get("error", {}).get("code") == "failed" for each in answers
    )


async def conversation(agent: IdleAgent, said: bytes) -> list[dict[str, Any]]:
    control = Control(agent)  # type: ignore[arg-type]
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        here.setblocking(False)
        connection = Connection(there)
        assert control.admit(connection, set()) is True
        serving = asyncio.ensure_future(control.serve(connection))
        reading = asyncio.ensure_future(all_of(here))
        await asyncio.get_running_loop().sock_sendall(here, said)
        here.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(serving, 30)
        there.close()
        heard = await asyncio.wait_for(reading, 30)
    return [json.loads(each) for each in heard.splitlines()]


async def all_of(sock: socket.socket) -> bytes:
    heard = bytearray()
    while piece := await asyncio.get_running_loop().sock_recv(sock, 1 << 16):
        heard += piece
    return bytes(heard)


@QUICKLY
@given(st.lists(st.binary(max_size=30), max_size=8), st.integers(1, 60))
def test_lines_are_cut_where_they_end_and_nowhere_else(pieces: list[bytes], most: int) -> None:
    said = b"".join(pieces)

    async def lines() -> list[bytes]:
        here, there = socket.socketpair(socket.AF_UNIX)
        with here, there:
            here.sendall(said)
            here.shutdown(socket.SHUT_WR)
            connection = Connection(there)
            found = []
            while line := await connection.line(most):
                found.append(line)
            return found

    expected = said.splitlines(keepends=True) if b"\r" not in said else None
    run: Coroutine[Any, Any, list[bytes]] = lines()
    try:
        found = asyncio.run(run)
    except TooLongError:
        assert max(len(each) for each in said.split(b"\n")) >= most
        return
    assert b"".join(found) == said
    assert all(len(each.rstrip(b"\n")) <= most for each in found)
    if expected is not None and not set(said) & set(b"\x0b\x0c\x1c\x1d\x1e\x85"):
        assert found == expected


HEADERS = st.lists(
    st.tuples(st.binary(min_size=1, max_size=20), st.binary(max_size=60)), max_size=6
)


@QUICKLY
@given(
    st.sampled_from([b"GET", b"HEAD", b"POST", b"get", b"\0"]) | st.binary(max_size=10),
    st.sampled_from([b"/metrics", b"/", b"*", b"http://x/metrics", b"http://[::1"])
    | st.binary(max_size=60),
    HEADERS,
)
def test_a_request_over_http_is_one_or_refused(
    method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    lines = [method + b" " + target + b" HTTP/1.1", *(a + b": " + b for a, b in headers)]
    protocol = h11.Connection(h11.SERVER)
    with suppress(h11.RemoteProtocolError):
        protocol.receive_data(b"\r\n".join([*lines, b"", b""]))
        event = protocol.next_event()
        if isinstance(event, h11.Request):
            refused = refusal(event)
            assert refused is None or 400 <= refused[0] < 500
            assert isinstance(path_of(event.target), bytes)


@QUICKLY
@given(TEXTS | st.lists(TEXTS).map(",".join) | st.lists(TEXTS).map(";".join))
def test_any_accept_header_chooses_a_form(accept: str) -> None:
    assert form_of(accept) in (TEXT, OPENMETRICS)


def test_openmetrics_is_for_who_asks_for_it() -> None:
    assert form_of("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5") == (
        OPENMETRICS
    )
    assert form_of("application/openmetrics-text;q=0") == TEXT
    assert form_of("text/plain; version=x") == TEXT


def test_what_is_nearly_right_is_answered_or_refused_too() -> None:
    """A second of each target of `make fuzz`."""
    assert fuzz(1.0, random.randrange(1 << 32))


# Files.


def toml_of(value: Any) -> str:
    """A value as TOML writes it, or nearly."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(k)} = {toml_of(v)}" for k, v in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_of, value)) + "]"
    return "nan" if value is None else json.dumps(value)


KEYS = st.sampled_from(
    [
        "metrics.listen", "metrics.per_group", "metrics.clients", "control.socket",
        "control.group", "control.clients", "defaults.mode", "defaults.robustness",
        "defaults.query_interval", "defaults.ssm_ranges", "defaults.query_limit",
        "interface.eth0.mode", "interface.eth0.membership", "interface.eth0.igmp_max_version",
        "interface.eth0.require_router_alert", "interface", "metrics", "other",
    ]
)  # fmt: skip
DOCUMENTS = st.lists(st.tuples(KEYS, VALUES), max_size=3).map(
    lambda pairs: "\n".join(f"{key} = {toml_of(value)}" for key, value in pairs).encode(
        errors="surrogatepass"
    )
)


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@QUICKLY
@given(
    content=DOCUMENTS
    | st.binary(max_size=200)
    | DEEP.map(lambda deep: b"a = " + deep)
    | st.sampled_from(
        [b"a = 0x" + b"f" * 10_000, b"[interface.eth0]\nrobustness = 0x" + b"f" * 9999]
    )
)
def test_a_configuration_is_one_or_refused_in_one_line(directory: Path, content: bytes) -> None:
    path = directory / "mcastd.toml"
    path.write_bytes(content)
    error = f"{path}: "
    try:
        load(path)
    except ConfigFileError as refused:
        error = str(refused)
    assert error.startswith(f"{path}: ")
    assert error.isprintable()
    assert len(error) < 3000


@QUICKLY
@given(content=DOCUMENTS | st.binary(max_size=200) | DEEP.map(lambda deep: b"a = " + deep))
def test_a_drop_in_that_is_spoilt_is_no_more_than_an_error(directory: Path, content: bytes) -> None:
    main = directory / "mcastd.toml"
    path = drop_in.place(main)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with suppress(OSError):
        drop_in.write(main, "eth0", {"igmp_max_version": 2})
    path.unlink()


MEMBERSHIP = {
    "interface": "eth0", "group": "239.1.1.1", "mode": "exclude", "sources": [],
    "application": "api:x", "uid": 0, "pid": 1, "since": 0.0, "held": False,
}  # fmt: skip
STATES = st.dictionaries(st.sampled_from(sorted(MEMBERSHIP)), VALUES, max_size=3).map(
    lambda changes: json.dumps({"boot": "x", "memberships": [MEMBERSHIP | changes]}).encode()
)


@QUICKLY
@given(content=STATES | JSON_BYTES | DEEP, change=JSON_BYTES | DEEP)
def test_a_state_file_is_believed_or_put_aside(
    directory: Path, content: bytes, change: bytes
) -> None:
    for name in (STATE_FILE, QUERIERS_FILE):
        path = directory / name
        path.write_bytes(content + b"\n" + change + b"\n")
        told: list[str] = []
        if name == STATE_FILE:
            owned = OwnedMemberships(directory, told.append)
            assert all(each.filter for each in owned)
        else:
            at = Instant(seconds(1000))
            known = KnownQueriers(directory, at, told.append)
            assert all(until > at for _, until in known.earlier("eth0", IGMP, at))
        assert bool(told) is not path.exists()
        for each in directory.glob("*.[jb]*"):
            each.unlink()
