"""One agent speaks for an interface."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from mcastd.service.lock import Locks, name_of

INDEX = 1_000_000 + os.getpid()
"""No interface's, so that no agent is in the way."""

HOLDS = """
import os, sys
from mcastd.service.lock import Locks
locks = Locks()
assert locks.take(int(sys.argv[1])) is None
print(os.getpid(), flush=True)
sys.stdin.read()
"""


def test_the_second_is_told_who_has_the_interface() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(INDEX)], stdin=-1, stdout=-1, text=True
    ) as other:
        assert other.stdout is not None
        holder = int(other.stdout.readline())
        locks = Locks()
        assert locks.take(INDEX) == holder
        assert locks.take(INDEX + 1) is None
        other.communicate()
    assert locks.take(INDEX) is None
    assert locks.take(INDEX) is None  # it is ours
    later = Locks()
    locks.leave(INDEX)
    assert later.take(INDEX) is None
    later.leave(INDEX)
    locks.leave(INDEX + 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_stranger_who_holds_the_name_keeps_nobody_away() -> None:
    with socket.socket(socket.AF_UNIX) as squatter:
        os.seteuid(65534)
        try:
            squatter.bind(name_of(INDEX))
            squatter.listen()
        finally:
            os.seteuid(0)
        assert Locks().take(INDEX) is None
        assert Locks().take(INDEX, lambda user: user == 65534) == os.getpid()
