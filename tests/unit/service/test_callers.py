"""Who asks, and by what name his memberships are told apart from others'."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mcastd.net import task_names
from mcastd.net.task_names import task_name
from mcastd.service.callers import Caller, caller_of
from support.waiting import eventually

USER = os.geteuid() + 1000


def seen(proc: Path, comm: bytes | None) -> Caller:
    """This process, as an agent sees it in that /proc."""
    if comm is not None:
        (proc / str(os.getpid())).mkdir(parents=True)
        (proc / str(os.getpid()) / "comm").write_bytes(comm)
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there:
        return caller_of(here, proc)


def test_the_kernel_says_who_it_is(tmp_path: Path) -> None:
    caller = seen(tmp_path, b"player\n")
    assert (caller.uid, caller.pid, caller.name) == (os.getuid(), os.getpid(), "player")


@pytest.mark.parametrize(
    ("comm", "name"),
    [(b"\x1b]0;x\x07\n", r"\x1b]0;x\x07"), (b"\xff\xfe\n", r"\xff\xfe"), (b"a\nb\n", r"a\nb")],
)
def test_a_name_may_be_any_bytes_and_is_shown_as_text(
    tmp_path: Path, comm: bytes, name: str
) -> None:
    assert seen(tmp_path, comm).name == name


def test_programs_of_one_user_are_told_apart_where_the_kernel_hides_them() -> None:
    """ProtectProc=invisible: two processes that say no name, and two programs that do."""
    first, second = Caller(USER, 1, None), Caller(USER, 2, None)
    assert first.application() != second.application()
    assert first.application("player") != first.application("recorder")
    assert first.application("player") == second.application("player"), "join, then leave"


def test_users_are_told_apart() -> None:
    names = {Caller(uid, 1, "player").application() for uid in (0, USER, USER + 1)}
    assert len(names) == 3
    hidden = {Caller(uid, 1, None).application("player") for uid in (0, USER, USER + 1)}
    assert len(hidden) == 3


def test_what_is_held_belongs_to_one_process() -> None:
    held = {Caller(0, pid, "player").application(held=True) for pid in (1, 2)}
    assert len(held) == 2
    assert Caller(0, 1, "player").application() == "player"


def test_a_hidden_caller_has_no_name_that_its_memberships_could_be_told_apart_by(
    tmp_path: Path,
) -> None:
    caller = seen(tmp_path, None)
    assert caller.name is None
    assert caller.application("player") == f"player uid {caller.uid}"


def test_a_hidden_caller_is_known_to_people_by_its_task(tmp_path: Path) -> None:
    """As the kernel tells it of another process, where it tells anything."""
    if task_name(os.getpid()) is None:
        pytest.skip("taskstats: only in the first namespaces, and with CAP_NET_ADMIN")
    assert seen(tmp_path, None).task == Path("/proc/self/comm").read_text().strip()
    with subprocess.Popen(["sleep", "60"]) as other:
        eventually(lambda: task_name(other.pid) == "sleep", what="the name of what it runs")
        other.kill()
    assert task_name(other.pid) is None, "it is gone"


@pytest.mark.parametrize("answer", [OSError(errno.EPERM, "no"), {}, {1: b"\x01"}, {1: b"\x1f\0"}])
def test_a_kernel_that_does_not_tell_leaves_it_without(
    monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    def asked(*_: object) -> dict[int, bytes]:
        if isinstance(answer, OSError):
            raise answer
        return dict(answer)

    monkeypatch.setattr(task_names, "_asked", asked)
    assert task_name(1) is None
