"""The keeper of namespaces without rights: real processes, in namespaces that are only named.

Entering one is what takes a right: the processes here stay where they are.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from mcastd.net import namespaces
from mcastd.net.namespaces import Identity
from mcastd.service import system
from mcastd.service.config import ConfigFileError, Settings
from mcastd.service.namespaces import channel, child, inside, keeper
from mcastd.service.namespaces.child import NO_RIGHT, NOT_THERE, Birth, entered
from mcastd.service.namespaces.finding import Found
from mcastd.service.namespaces.inside import Place
from mcastd.service.namespaces.keeper import Keeper, how

WITHIN = 30.0
"""Seconds: for a busy machine."""

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")

Run = Callable[[Place, socket.socket], int]


def serves(place: Place, doors: socket.socket) -> int:
    """Says that it is ready, and tells the first client its name."""
    system.notify("READY=1")
    while (received := channel.receive(doors)) is not None:
        _, client = received
        assert client is not None
        client.sendall(place.name.encode())
        client.close()
    return 0


def fails(_place: Place, _doors: socket.socket) -> int:
    child.say_problem("its port\nis taken")
    return 3


def ends(_place: Place, _doors: socket.socket) -> int:
    return 3


def is_refused(_place: Place, _doors: socket.socket) -> int:
    child.say_problem(NO_RIGHT, for_good=True)
    return NOT_THERE


def is_killed(_place: Place, _doors: socket.socket) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def hangs(_place: Place, _doors: socket.socket) -> int:
    """Neither ready nor to be ended by asking."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()


def falls_silent(_place: Place, _doors: socket.socket) -> int:
    system.notify("READY=1")
    while True:
        signal.pause()


class House:
    """A keeper, the first agent's end of its channel, and the names that are there.

    `there`: by name, what it stands for; each namespace is told apart by a number.
    """

    def __init__(self, run: Run) -> None:
        self.there: dict[str, int | None] = {}
        self.problems: dict[str, str] = {}
        self.news: list[dict[str, Any]] = []
        self._unread: list[dict[str, Any]] = []
        self.passed: list[socket.socket] = []
        self.settings = Settings()
        self.is_spoilt = False
        self.reads = 0
        self.main, theirs = channel.pair()
        self.main.setblocking(False)
        self._run = run
        self.keeper = Keeper(theirs, self._read, self._ran)

    def _ran(self, place: Place, doors: socket.socket) -> int:
        """In the new process, which must not keep the first agent's end open."""
        self.main.close()
        for each in self.passed:
            each.close()
        return self._run(place, doors)

    def _read(self) -> Settings:
        self.reads += 1
        if self.is_spoilt:
            raise ConfigFileError("mcastd.toml", "no such key")
        return self.settings

    def found(self, _named: object) -> dict[str, Found]:
        return {name: self._found(name) for name in self.there}

    def _found(self, name: str) -> Found:
        number = self.there[name]
        identity = None if number is None else Identity(0, number)
        path = namespaces.OWN.encode()
        return Found(Place(name), path, identity, self.problems.get(name))

    def until(self, name: str, state: str, **more: object) -> dict[str, Any]:
        """Lets the keeper turn until it tells that. What it told."""
        wanted = {"namespace": name, "state": state} | more
        late = time.monotonic() + WITHIN
        while time.monotonic() < late:
            self._take()
            for each in self._unread:
                if wanted.items() <= each.items():
                    self._unread.remove(each)
                    return each
            self.keeper.turn()
        raise AssertionError(f"{wanted} was not told, but {self.news}")

    def running(self, name: str, number: int = 1) -> int:
        """The namespace is there, and its agent runs: the process."""
        self.there[name] = number
        pid: int = self.until(name, "running")["pid"]
        return pid

    def _take(self) -> None:
        with suppress(BlockingIOError):
            while received := channel.receive(self.main):
                news, passed = received
                self.news.append(news)
                self._unread.append(news)
                self.passed += [passed] if passed else []

    def close(self) -> None:
        """As when the first agent has ended."""
        if self.main.fileno() < 0:
            return
        self.main.close()
        self.keeper.keep()
        for each in self.passed:
            each.close()


@pytest.fixture
def house_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Run], House]]:
    made: list[House] = []

    def opened(_path: bytes, _identity: Identity) -> int:
        return os.open(namespaces.OWN, os.O_RDONLY | os.O_CLOEXEC)

    def make(run: Run) -> House:
        house = House(run)
        monkeypatch.setattr(keeper, "found", house.found)
        made.append(house)
        return house

    monkeypatch.setattr(gc, "freeze", lambda: None)
    monkeypatch.setattr(keeper, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(keeper, "FIRST_DELAY", 0.01)
    monkeypatch.setattr(namespaces, "opened", opened)
    monkeypatch.setattr(namespaces, "enter", lambda _there: None)
    monkeypatch.setattr(system, "drop_capabilities", lambda _kept: None)
    yield make
    for house in made:
        house.close()


def is_alive(pid: int) -> bool:
    """Whether there is such a process, also one that was not waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_namespace_has_its_agent_as_long_as_it_is_there(
    house_of: Callable[[Run], House],
) -> None:
    house = house_of(serves)
    house.there["blue"] = None
    assert house.until("blue", "waiting")["pid"] is None

    house.there["blue"] = 1
    pid = house.until("blue", "running", problem=None, starts=1)["pid"]
    (doors,) = house.passed
    ours, theirs = socket.socketpair()
    channel.send(doors, {"caller": {}}, theirs)
    theirs.close()
    with ours:
        ours.settimeout(WITHIN)
        assert ours.recv(64) == b"blue"

    house.there["blue"] = None
    assert house.until("blue", "waiting")["pid"] is None
    assert not is_alive(pid)


def test_another_namespace_of_the_same_name_has_an_agent_of_its_own(
    house_of: Callable[[Run], House],
) -> None:
    house = house_of(serves)
    first = house.running("blue")
    house.there["blue"] = 2
    second = house.until("blue", "running", starts=2)
    assert second["pid"] != first
    assert not is_alive(first)


def test_a_name_that_is_no_longer_there_is_told_as_gone(house_of: Callable[[Run], House]) -> None:
    house = house_of(serves)
    pid = house.running("blue")
    del house.there["blue"]
    house.until("blue", "gone")
    assert not is_alive(pid)


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        (fails, "its port is taken"),
        (ends, "its agent ended with exit code 3"),
        (is_killed, "its agent was ended by SIGKILL"),
    ],
)
def test_one_that_has_ended_is_started_again_and_says_why(
    house_of: Callable[[Run], House], run: Run, problem: str
) -> None:
    house = house_of(run)
    house.there["blue"] = 1
    house.until("blue", "ended", problem=problem, starts=1)
    house.until("blue", "ended", problem=problem, starts=3)


def test_what_an_operator_has_to_mend_is_not_tried_again_and_again(
    house_of: Callable[[Run], House],
) -> None:
    house = house_of(is_refused)
    house.there["blue"] = 1
    assert house.until("blue", "refused")["problem"] == NO_RIGHT
    for _ in range(5):
        house.keeper.turn()
    assert [each["starts"] for each in house.news] == [1, 1]


def test_one_that_does_not_get_ready_is_killed(
    house_of: Callable[[Run], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "START_SECONDS", 0.05)
    house = house_of(hangs)
    house.there["blue"] = 1
    house.until("blue", "ended", problem="its agent was not ready in time, and was killed")


def test_one_that_says_nothing_more_is_killed(
    house_of: Callable[[Run], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "SILENT_SECONDS", 0.05)
    house = house_of(falls_silent)
    house.running("blue")
    told = house.until("blue", "ended")
    assert told["problem"] == "its agent said nothing for 0 s, and was killed"


def test_one_that_does_not_end_when_it_is_asked_to_is_killed(
    house_of: Callable[[Run], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "END_SECONDS", 0.05)
    house = house_of(hangs)
    house.there["blue"] = 1
    pid = house.until("blue", "starting", starts=1)["pid"]
    house.there["blue"] = None
    house.until("blue", "waiting")
    assert not is_alive(pid)


def test_the_same_namespace_has_one_agent(house_of: Callable[[Run], House]) -> None:
    house = house_of(serves)
    house.there |= {"blue": 1, "red": 1}
    house.until("blue", "running")
    house.until("red", "refused", problem="is the same namespace as blue")


def test_the_first_agents_own_namespace_has_no_second_one(
    house_of: Callable[[Run], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "identity", lambda _path: Identity(0, 1))
    house = house_of(serves)
    house.there["blue"] = 1
    assert "is the agent's own namespace" in house.until("blue", "refused")["problem"]


def test_no_more_have_agents_than_is_configured(house_of: Callable[[Run], House]) -> None:
    house = house_of(serves)
    house.settings = Settings(max_namespaces=1)
    channel.send(house.main, {"read": True})
    house.running("blue")
    house.there["red"] = 2
    house.until("red", "refused", problem="one more than agent.max_namespaces = 1")


def test_what_is_no_namespace_is_refused(house_of: Callable[[Run], House]) -> None:
    house = house_of(serves)
    house.problems["blue"] = "/run/netns/blue: a file, and no network namespace"
    house.there["blue"] = None
    house.until("blue", "refused", problem=house.problems["blue"])


def test_a_namespace_that_cannot_be_opened_is_tried_again(
    house_of: Callable[[Run], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_path: bytes, _identity: Identity) -> int:
        raise FileNotFoundError(errno.ENOENT, "it was replaced meanwhile")

    house = house_of(serves)
    opened = namespaces.opened
    monkeypatch.setattr(namespaces, "opened", gone)
    house.there["blue"] = 1
    house.until("blue", "ended", problem="it was replaced meanwhile")
    monkeypatch.setattr(namespaces, "opened", opened)
    house.until("blue", "running")


def test_a_configuration_that_is_no_good_leaves_the_one_before(
    house_of: Callable[[Run], House],
) -> None:
    house = house_of(serves)
    pid = house.running("blue")
    house.is_spoilt = True
    channel.send(house.main, {"read": True})
    while house.reads == 1:
        house.keeper.turn()
    house.keeper.turn()
    assert is_alive(pid)


def test_nobody_outlives_the_first_agent(
    house_of: Callable[[Run], House], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One ends when it is asked to, the other is killed."""
    monkeypatch.setattr(keeper, "END_SECONDS", 0.2)
    house = house_of(lambda place, doors: (serves if place.name == "blue" else hangs)(place, doors))
    house.there |= {"blue": 1, "red": 2}
    pids = [
        house.until("blue", "running")["pid"],
        next(each["pid"] for each in house.news if each["namespace"] == "red"),
    ]
    assert all(map(is_alive, pids))
    house.close()
    assert not any(map(is_alive, pids))


def test_how_a_process_ends_is_told_by_name() -> None:
    assert how(1) == "its agent ended with exit code 1"
    assert how(-signal.SIGSEGV) == "its agent was ended by SIGSEGV"
    assert how(-99) == "its agent was ended by signal 99"


class Entrance:
    """What a new process does, done in this one: `said` is what the keeper hears."""

    def __init__(self) -> None:
        self.said, self._says = channel.pair()
        self._doors = socket.socketpair()
        self._there = os.open(os.devnull, os.O_RDONLY)
        self.ran: list[str] = []

    def run(self, place: Place, _doors: socket.socket) -> int:
        self.ran.append(f"{place.name}: {inside.qualified('eth0')}")
        return 7

    def entered(self) -> int:
        birth = Birth(Place("blue"), self._there, self._says, self._doors[0])
        return entered(birth, self.run)

    def close(self) -> None:
        for each in (self.said, self._says, *self._doors):
            each.close()


@pytest.fixture
def entrance(monkeypatch: pytest.MonkeyPatch) -> Iterator[Entrance]:
    made = Entrance()
    monkeypatch.setattr(system, "_manager", None)
    monkeypatch.setattr(inside, "_place", None)
    monkeypatch.setattr(system, "drop_capabilities", lambda _kept: None)
    monkeypatch.setenv("NOTIFY_SOCKET", "/nobody")
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    yield made
    made.close()


def test_an_agent_speaks_of_its_namespace_once_it_is_in_it(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(namespaces, "enter", lambda _there: None)
    assert entrance.entered() == 7
    assert entrance.ran == ["blue: blue/eth0"]
    assert "NOTIFY_SOCKET" not in os.environ, "its manager is the keeper"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.EPERM, f"REFUSED={NO_RIGHT}"),
        (errno.ENOMEM, "PROBLEM=setns: short of memory"),
    ],
)
def test_a_namespace_that_may_not_be_entered_is_told(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    def enter(_there: int) -> None:
        raise OSError(code, "setns: short of memory")

    monkeypatch.setattr(namespaces, "enter", enter)
    assert entrance.entered() == NOT_THERE
    assert entrance.said.recv(4096).decode() == said
    assert entrance.ran == []
