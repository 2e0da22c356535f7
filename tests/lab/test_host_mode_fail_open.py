"""Host mode fails open: whatever happens to the agent, the kernel speaks and no group is lost."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from mcastd.client import AgentError, Client, NotThereError
from mcastd_lab import Member, RunningAgent
from mcastd_lab.agent import AgentError as NotStartedError
from support.host_lab import (
    ANY,
    Filter,
    HostLab,
    eventually,
    family,
    host_lab,
    nothing_is_held_back,
    only,
)
from support.host_lab import cycle as queries_pass
from support.manager import Manager
from support.waiting import stretched

pytestmark = pytest.mark.lab

SPEAKS_WITHIN = 3.0
"""Seconds until the kernel must speak again."""

MEMBERSHIP_SECONDS = 8.0
"""In the two seconds in which nobody speaks the answers to two queries can be lost: one asked
before and one meanwhile, because the querier of the lab asks every two seconds. It must have the
patience for that; to one that asks every 125 s no more than one answer is lost.
"""

STOPPED_SECONDS = float(os.environ.get("MCASTD_LAB_STOPPED_SECONDS", "6"))

WANTED: dict[str, Filter] = {
    "239.1.1.1": ANY,
    "232.1.1.1": only("10.0.0.2", "10.0.0.3"),
    "ff1e::1:1": ANY,
    "ff3e::1:1": only("2001:db8::2"),
}


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab(stretched(MEMBERSHIP_SECONDS)) as made:
        yield made


@pytest.fixture
def member(net: HostLab) -> Member:
    """Sockets that ask for all that is WANTED."""
    made = net.member()
    made.join("239.1.1.1")
    made.join("ff1e::1:1")
    for source in ("10.0.0.2", "10.0.0.3"):
        made.join_source("232.1.1.1", source)
    made.join_source("ff3e::1:1", "2001:db8::2")
    return made


@contextmanager
def kept(net: HostLab, wanted: Mapping[str, Filter]) -> Iterator[None]:
    """The querier's view of these groups has no gap meanwhile."""
    net.expect(dict(wanted))
    ended, gaps = threading.Event(), []

    def look() -> None:
        while not ended.is_set():
            lacking = net.lacking(wanted)
            if lacking:
                gaps.append((time.monotonic(), lacking))
            ended.wait(0.1)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert gaps == []


def kernel_speaks(net: HostLab, since: float) -> float:
    """Seconds from `since` until what a socket joins is told by the kernel: many try."""
    trial = net.member()
    started = len(net.sniffer.seen())
    for number in range(1, 200):
        trial.join(f"239.77.0.{number}")
        deadline = time.monotonic() + stretched(0.05)
        while time.monotonic() < deadline:
            for each in net.sniffer.seen()[started:]:
                if any(group.startswith("239.77.") for _, group, _ in each.records):
                    trial.close()
                    return each.at - since
            time.sleep(0.005)
    pytest.fail("the kernel does not speak")


def cycle(net: HostLab) -> None:
    """Until two more general queries of both families have been answered."""
    since = time.monotonic()
    eventually("answers", lambda: all(answers(net, each, since) > 1 for each in ("igmp", "mld")))


def answers(net: HostLab, protocol: str, since: float) -> int:
    """Reports with current-state records."""
    spoken = net.sniffer.spoken(since, protocol)
    return sum(any(type_.startswith("IS_") for type_, _, _ in e.records) for e in spoken)


def measured(record: pytest.FixtureRequest, seconds: float) -> None:
    """Keeps the time with the test's report, and judges it."""
    record.node.user_properties.append(("kernel_speaks_after_seconds", round(seconds, 3)))
    print(f"the kernel spoke after {seconds:.3f} s")
    assert seconds < SPEAKS_WITHIN


def test_kill(net: HostLab, member: Member, request: pytest.FixtureRequest) -> None:
    agent = net.agent()
    with kept(net, WANTED):
        agent.process.kill()
        measured(request, kernel_speaks(net, time.monotonic()))
        agent.process.wait()
        cycle(net)


def test_stop_and_continue(net: HostLab, member: Member, request: pytest.FixtureRequest) -> None:
    agent = net.agent()
    with kept(net, WANTED):
        stopped = time.monotonic()
        agent.process.send_signal(signal.SIGSTOP)
        measured(request, kernel_speaks(net, stopped))
        member.join("239.1.1.7")
        eventually("the kernel's join", lambda: "239.1.1.7" in net.held())
        time.sleep(max(0.0, STOPPED_SECONDS - (time.monotonic() - stopped)))
        agent.process.send_signal(signal.SIGCONT)
        continued = time.monotonic()
        eventually("the new group", lambda: agent.ask("groups", name="eth0", group="239.1.1.7"))
        assert time.monotonic() - continued < SPEAKS_WITHIN
        net.expect(WANTED | {"239.1.1.7": ANY})
        with nothing_is_held_back(agent):
            cycle(net)
        net.expect(WANTED | {"239.1.1.7": ANY})
    assert net.kernel_version() == "V3"


def test_what_was_left_while_it_was_stopped(net: HostLab, member: Member) -> None:
    agent = net.agent()
    net.expect(WANTED)
    agent.process.send_signal(signal.SIGSTOP)
    kernel_speaks(net, time.monotonic())
    member.leave("239.1.1.1")
    left = {group: each for group, each in WANTED.items() if group != "239.1.1.1"}
    net.expect(left)
    agent.process.send_signal(signal.SIGCONT)
    eventually("forgotten", lambda: not agent.ask("groups", name="eth0", group="239.1.1.1"))
    with nothing_is_held_back(agent):
        cycle(net)
    net.expect(left)


def test_memory_exhaustion(net: HostLab, member: Member, request: pytest.FixtureRequest) -> None:
    """Whether it ends the agent or only the request that it befell."""
    agent = net.agent()
    with kept(net, WANTED):
        pages = int(Path(f"/proc/{agent.process.pid}/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + (2 << 20)
        resource.prlimit(agent.process.pid, resource.RLIMIT_AS, (limit, limit))
        fill(agent)
        measured(request, kernel_speaks(net, time.monotonic()))
        cycle(net)


def fill(agent: RunningAgent) -> None:
    """Asks for so much that it has no memory left for it."""
    sources = [f"10.{i // 62500}.{i // 250 % 250}.{i % 250 + 1}" for i in range(4000)]
    try:
        with Client(str(agent.control)) as client:
            for number in range(1000):
                group = f"232.7.{number // 250}.{number % 250 + 1}"
                client.join("eth0", group, sources=sources, hold=True)
    except (NotThereError, AgentError):
        pass


@pytest.mark.parametrize("way", ["upgrade", "crash"])
def test_restart_without_a_leave_or_a_join(net: HostLab, member: Member, way: str) -> None:
    """What the agent itself had joined is taken up again as it was; the file's and the API's."""
    settings = net.lab.directory / "mcastd.toml"
    settings.write_text(
        '[[interface.eth0.membership]]\ngroup = "239.2.2.2"\n'
        '[[interface.eth0.membership]]\ngroup = "ff1e::2:2"\n'
    )
    agent = net.agent("-c", settings)
    with Client(str(agent.control)) as client:
        client.join("eth0", "232.2.2.2", sources=["10.0.0.9"], name="player")
        client.join("eth0", "ff3e::2:2", sources=["2001:db8::9"], name="player")
    own = {
        "239.2.2.2": ANY,
        "ff1e::2:2": ANY,
        "232.2.2.2": only("10.0.0.9"),
        "ff3e::2:2": only("2001:db8::9"),
    }
    net.expect(WANTED | own)
    with nothing_is_held_back(agent):
        cycle(net)
    with kept(net, WANTED | own):
        since = time.monotonic()
        agent.close() if way == "upgrade" else agent.kill()
        second = net.agent("-c", settings)
        eventually(
            "its answer",
            lambda: any(t == "IS_IN" for t, _ in net.sniffer.records("232.2.2.2", since)),
        )
        cycle(net)
    told = {group: [t for t, _ in net.sniffer.records(group, since)] for group in own}
    assert {t for types in told.values() for t in types} <= {"IS_IN", "IS_EX"}
    assert all(told.values())
    asked = second.ask("groups", name="eth0", group="232.2.2.2")[0]["applications"]
    assert [each["name"] for each in asked] == ["api:player"]


def test_reload_with_a_bad_file(net: HostLab, member: Member) -> None:
    settings = net.lab.directory / "mcastd.toml"
    settings.write_text('[interface.eth0]\nmode = "host"\n')
    agent = net.agent("-c", settings, mode="")
    net.expect(WANTED)
    settings.write_text('[interface.eth0]\nmode = "neither"\n')
    with kept(net, WANTED), nothing_is_held_back(agent):
        agent.reload()
        eventually("it is said", lambda: "the running configuration stays" in agent.log())
        cycle(net)
    assert agent.ask("status")["interfaces"][0]["mode"] == "host"
    settings.write_text('[interface.eth0]\nmode = "observe"\n')
    with kept(net, WANTED):
        agent.reload()
        eventually("given back", lambda: agent.ask("status")["interfaces"][0]["mode"] == "observe")
        cycle(net)


def test_a_compiler_that_crashes(
    net: HostLab, member: Member, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The agent says so in a line and ends; the kernel is left alone."""
    (tmp_path / "bcc.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    with kept(net, WANTED), monkeypatch.context() as changed:
        changed.setenv("MCASTD_CACHE", str(tmp_path / "cache"))
        changed.setenv("PYTHONPATH", str(tmp_path))
        with pytest.raises(NotStartedError, match="bcc did not compile the programs"):
            net.agent()
        cycle(net)
    agent = net.agent()
    assert family(agent)["version"] == 3
    net.expect(WANTED)


ANSWERED_WITHIN = stretched(1.5)
"""After the query, or when there is an agent again."""

QUERIES = int(os.environ.get("MCASTD_LAB_RESTART_QUERIES", "8"))


@pytest.mark.parametrize("cap", [3, 2])
def test_every_query_is_answered_while_agents_come_and_go(
    net: HostLab, member: Member, cap: int
) -> None:
    """A querier that asks every second, and a service manager that keeps what is attached."""
    net.switch.ip("link", "set", "br0", "type", "bridge", "mcast_query_interval", "100",
                  "mcast_query_response_interval", "50")  # fmt: skip
    settings = net.lab.directory / "mcastd.toml"
    settings.write_text(
        f'[interface.eth0]\nmode = "host"\nigmp_max_version = {cap}\n'
        '[[interface.eth0.membership]]\ngroup = "239.2.2.2"\n'
        '[[interface.eth0.membership]]\ngroup = "ff1e::2:2"\n'
    )
    manager = net.lab.keep(Manager(net.lab.directory))
    groups = {"239.1.1.1", "ff1e::1:1", "239.2.2.2", "ff1e::2:2"}
    agent = net.agent("-c", settings, mode="", wrapper=manager.wrapper)
    eventually("its groups", lambda: groups <= net.held().keys())
    queries_pass(net)
    since = time.monotonic()
    ready = []
    while len([each for each in net.sniffer.queries(since) if each.protocol == "igmp"]) < QUERIES:
        agent.close()
        agent = net.agent("-c", settings, mode="", wrapper=manager.wrapper)
        ready.append(time.monotonic())
        assert groups <= net.held().keys()
    queries_pass(net)
    worst = 0.0
    for group in groups:
        protocol = "mld" if ":" in group else "igmp"
        asked = [each.at for each in net.sniffer.queries(since) if each.protocol == protocol]
        told = [
            each.at
            for each in net.sniffer.spoken(since, protocol)
            if group in (each.group, *(about for _, about, _ in each.records))
        ]
        for at in (each for each in asked if each < ready[-1]):
            first = next((each for each in told if each > at), None)
            assert first is not None, (group, at - since, [each - since for each in told])
            worst = max(worst, first - at)
            there = next(each for each in ready if each > at)
            assert first < max(at, there) + ANSWERED_WITHIN, (group, at - since, first - at)
    print(f"{len(asked)} queries, {len(ready)} restarts, the latest answer after {worst:.2f} s")
