"""Whatever clients of either socket do, the agent goes on, answers others, and says what it saw."""

from __future__ import annotations

import json
import os
import resource
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from mcastd_lab import Lab, Namespace, RunningAgent
from support.host_lab import HostLab
from support.hostile import (
    ACCEPTED,
    NONSENSE,
    answer_of,
    as_user,
    connected,
    control,
    http,
    idle,
    status_of,
)
from support.lab import METRICS_TEXT, Cable, mcastctl, scrape
from support.starvation import Metronome
from support.waiting import eventually, stretched

pytestmark = pytest.mark.lab

NOBODY = 65534

HOSTILE_SECONDS = 240.0
"""For what comes about while clients keep the agent busy."""

SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: lab\r\n\r\n"
STATUS = b'{"method": "status"}\n'


def memory(agent: RunningAgent) -> float:
    """Resident, in mebibytes."""
    pages = int(Path(f"/proc/{agent.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def descriptors(agent: RunningAgent) -> int:
    return len(os.listdir(f"/proc/{agent.process.pid}/fd"))


def limit_descriptors(agent: RunningAgent, most: int) -> None:
    _, hard = resource.prlimit(agent.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(agent.process.pid, resource.RLIMIT_NOFILE, (most, hard))


@pytest.fixture
def watched(cable: Cable) -> Cable:
    cable.observe()
    return cable


def expect_well(cable: Cable) -> None:
    """It is there, answers on both sockets, and has no traceback in its log."""
    assert cable.agent.process.poll() is None, cable.agent.log()[-2000:]
    assert cable.agent.ask("status")["interfaces"]
    eventually(lambda: scrape(cable.host).text.endswith("\n"))
    assert "Traceback" not in cable.agent.log()


def test_no_request_to_the_metrics_ends_the_agent(watched: Cable) -> None:
    for request in NONSENSE:
        status = status_of(http(watched.host, request))
        assert status == 0 or 200 <= status < 600, request[:80]

    expect_well(watched)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        (b"DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET /metrics?" + b"x" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 40000, 431),
    ],
)
def test_what_cannot_be_answered_is_refused_by_its_number(
    watched: Cable, request_: bytes, status: int
) -> None:
    assert status_of(http(watched.host, request_)) == status


def test_an_accept_header_that_is_not_understood_gets_plain_text(watched: Cable) -> None:
    for accepted in ACCEPTED:
        head = f"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accepted}\r\n\r\n"
        answer = http(watched.host, head.encode("latin-1"))
        assert status_of(answer) in (200, 400), accepted
        assert status_of(answer) == 400 or b"mcastd_build_info" in answer
    expect_well(watched)


def test_a_head_is_answered_without_a_body(watched: Cable) -> None:
    answer = http(watched.host, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (status_of(head), body) == (200, b"")
    assert b"Content-Length: " in head


DEEP = [b"[" * 5000, b'{"a":' * 5000, b'{"method": "join", "parameters": ' + b"[" * 100_000]
STRANGE = [
    *DEEP,
    b'{"method": "status", "parameters": {"a": ' + b"9" * 10_000 + b"}}",
    b'{"method": "join", "parameters": {"name": "eth0", "group": NaN}}',
    b'{"method": "join", "parameters": {"name": "eth0", "group": "239.1.1.1", "sources": 5}}',
    b'{"method": "join", "parameters": {"name": "eth0", "group": ["239.1.1.1"]}}',
    b'{"method": "groups", "parameters": {"name": "\\ud800", "group": "\\u0000"}}',
    b'{"method": "join", "parameters": {"name": "eth0", "as": "\\u001b]0;x\\u0007"}}',
    b'{"method": "status", "method": "join"}',
    b'{"method": "version", "parameters": {"name": "eth0", "protocol": "igmp", "version": 1e400}}',
    b'{"method": "mode", "parameters": {"name": "eth0", "mode": {"a": [[[[1]]]]}}}',
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("line", STRANGE, ids=range(len(STRANGE)))
def test_no_request_to_the_control_socket_ends_the_agent(watched: Cable, line: bytes) -> None:
    answer = answer_of(watched.agent.control, line + b"\n")

    assert answer["error"]["code"] in (
        "bad_request", "bad_parameter", "observed", "unknown_interface", "too_long",
    )  # fmt: skip
    assert answer["error"]["text"].isprintable()
    expect_well(watched)


def test_a_reading_user_cannot_send_long_requests_and_root_can(watched: Cable) -> None:
    watched.agent.control.chmod(0o666)
    watched.lab.directory.chmod(0o755)
    long = b'{"method": "status", "parameters": {}' + b" " * 100_000 + b"}\n"

    assert "result" in answer_of(watched.agent.control, long)
    with as_user(NOBODY):
        assert answer_of(watched.agent.control, long).get("error", {}).get("code") == "too_long"


@pytest.mark.parametrize("which", ["control", "metrics"])
def test_connections_that_say_nothing_keep_nobody_out(watched: Cable, which: str) -> None:
    before = memory(watched.agent)
    watched.agent.control.chmod(0o666)
    watched.lab.directory.chmod(0o755)
    path = watched.agent.control

    with Many(path, 1100) if which == "control" else idle(watched.host, 1100):
        eventually(lambda: watched.agent.ask("status")["clients"][which] > 0)
        assert mcastctl(watched.agent, "status").returncode == 0
        eventually(lambda: status_of(http(watched.host, SCRAPE)) == 200)
        assert descriptors(watched.agent) < 500
    assert memory(watched.agent) < before + 30
    expect_well(watched)


class Many:
    """Connections of nobody to a socket: the kernel tells the agent whose they are."""

    def __init__(self, path: Path, count: int) -> None:
        self.socks: list[socket.socket] = []
        with as_user(NOBODY):
            for _ in range(count):
                sock = socket.socket(socket.AF_UNIX)
                sock.settimeout(stretched(20))
                try:
                    sock.connect(str(path))
                except OSError:
                    sock.close()
                    continue
                self.socks.append(sock)

    def __enter__(self) -> Many:
        return self

    def __exit__(self, *exception: object) -> None:
        for sock in self.socks:
            sock.close()


def test_a_user_has_so_many_connections_and_is_told(lab: Lab, tmp_path: Path) -> None:
    cable = Cable(lab)
    config = tmp_path / "mcastd.toml"
    config.write_text("[control]\nclients_per_user = 3\n[interface.eth0]\n")
    agent = cable.observe("-c", config)
    agent.control.chmod(0o666)
    cable.lab.directory.chmod(0o755)

    with Many(agent.control, 3):
        eventually(lambda: agent.ask("status")["clients"]["control"] == 4)
        with as_user(NOBODY):
            told = answer_of(agent.control, STATUS)
    assert told["error"]["code"] == "too_many_clients"
    assert scrape(cable.host).value("mcastd_clients_closed_total", reason="refused") == 1


def test_without_descriptors_root_gets_in_and_it_is_told(watched: Cable) -> None:
    agent = watched.agent
    limit_descriptors(agent, descriptors(agent) + 4)
    agent.control.chmod(0o666)
    watched.lab.directory.chmod(0o755)

    with Many(agent.control, 40):
        assert mcastctl(agent, "status").returncode == 0
        found = mcastctl(agent, "doctor")
    assert "descriptors" in found.stdout
    limit_descriptors(agent, 1024)
    eventually(lambda: scrape(watched.host).value("mcastd_faults_total", of="descriptors") > 0)
    expect_well(watched)


def test_half_sent_requests_cost_little_and_end(watched: Cable) -> None:
    """A thousand of each kind, as large as they may become."""
    before = memory(watched.agent)
    half = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 15_000
    question = b'{"method": "' + b"x" * (1 << 20)
    watched.agent.control.chmod(0o666)
    watched.lab.directory.chmod(0o755)

    with idle(watched.host, 1000) as metrics, Many(watched.agent.control, 1000) as many:
        for sock, content in [
            *((each, half) for each in metrics),
            *((each, question) for each in many.socks),
        ]:
            sock.setblocking(False)
            with suppress(OSError):
                sock.send(content)
        eventually(lambda: status_of(http(watched.host, SCRAPE)) == 200)
        assert memory(watched.agent) < before + 60
    expect_well(watched)


def test_a_client_that_does_not_read_is_ended(watched: Cable) -> None:
    """What waits for it stays in the kernel, and is given back."""
    before = memory(watched.agent)
    socks = []
    for _ in range(50):
        sock = connected(watched.host)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(SCRAPE)
        socks.append(sock)
    asking = control(watched.agent.control)
    asking.setblocking(False)
    try:
        while True:
            asking.send(STATUS)
    except BlockingIOError:
        pass
    eventually(
        lambda: scrape(watched.host).value(
            "mcastd_clients_closed_total", socket="control", reason="slow"
        ),
        within=HOSTILE_SECONDS,
    )
    assert memory(watched.agent) < before + 30
    for sock in [*socks, asking]:
        sock.close()
    expect_well(watched)


def lapses(agent: RunningAgent) -> int:
    return agent.log().count("heartbeat lapsed")


def expect_no_lapse(agent: RunningAgent, story: Callable[[], None]) -> None:
    """What happens in it is not what stops the agent's heartbeat."""
    for _ in range(3):
        before = lapses(agent)
        with Metronome() as metronome:
            story()
        if lapses(agent) == before:
            return
        assert metronome.was_starved, agent.log()[-2000:]
    pytest.skip(f"this machine let processes wait for {metronome.worst:.1f} s")


@pytest.fixture
def speaking(lab: Lab) -> tuple[HostLab, RunningAgent]:
    made = HostLab(lab, 5.0)
    agent = lab.agent(made.host, "-i", "eth0", "--mode", "host", "--metrics", METRICS_TEXT)
    return made, agent


def scraped(namespace: Namespace) -> bytes:
    """Who is slow to ask makes room for others, and asks again."""
    return eventually(lambda: http(namespace, SCRAPE), within=HOSTILE_SECONDS)


def test_a_thousand_scrapes_at_once_do_not_stop_the_heartbeat(
    speaking: tuple[HostLab, RunningAgent],
) -> None:
    made, agent = speaking

    def story() -> None:
        with ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda _: scraped(made.host), range(1000)))
        assert sum(status_of(each) == 200 for each in answers) == 1000

    expect_no_lapse(agent, story)


def test_four_hundred_clients_do_not_stop_the_heartbeat(
    speaking: tuple[HostLab, RunningAgent],
) -> None:
    """Each asks for all there is, as fast as it is answered; whoever comes after them is let in."""
    _, agent = speaking

    def story() -> None:
        assert ask_as_fast_as_answered(agent, 256) > 256
        assert agent.ask("status")["interfaces"][0]["mode"] == "host"

    expect_no_lapse(agent, story)


def ask_as_fast_as_answered(agent: RunningAgent, clients: int) -> int:
    """How many questions were put; those that are pending in the end are left behind."""
    requests = [
        json.dumps({"method": method}).encode() + b"\n"
        for method in ("status", "doctor", "counters", "groups")
    ]
    with ExitStack() as stack:
        socks = [stack.enter_context(control(agent.control)) for _ in range(clients)]
        until = time.monotonic() + 8
        sent = 0
        for sock in socks:
            sock.setblocking(False)
        while time.monotonic() < until:
            for number, sock in enumerate(socks):
                try:
                    sock.send(requests[number % 4])
                    sent += 1
                except OSError:
                    pass
                with suppress(OSError):
                    sock.recv(1 << 20)
    return sent


def test_escapes_in_names_never_reach_the_terminal(watched: Cable) -> None:
    """An application's name is its own choice, and so is what an error repeats."""
    agent = watched.agent
    shown = mcastctl(agent, "groups", "\x1b]0;owned\x07", "239.1.1.1")
    assert shown.returncode == 2
    assert "\x1b" not in shown.stderr + shown.stdout
    assert "\\x1b]0;owned\\x07" in shown.stderr
    assert "\x1b" not in answer_of(agent.control, b'{"method": "\\u001b[2J"}\n')["error"]["text"]
    assert "\x1b" not in agent.log()
