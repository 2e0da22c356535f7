"""Who asks, and by what name his memberships are told apart from others'."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from mcastd.service.callers import Caller, caller_of

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


def test_a_hidden_caller_has_no_name(tmp_path: Path) -> None:
    assert seen(tmp_path, None).name is None
