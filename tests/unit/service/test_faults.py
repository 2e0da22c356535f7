"""Whose fault it is: what ends a connection, an interface or a file, and what ends the agent."""

from __future__ import annotations

import asyncio
import errno
import socket
from pathlib import Path
from typing import Any

import pytest
from mcastd.gmp.time import Instant
from mcastd.service.connections import Connection, Door, SlowError
from mcastd.service.ending import Ending
from mcastd.service.faults import Fault, Faults
from mcastd.service.limit import MOST, SayingLimit
from support.fakes import OpenGuest

BUG = AssertionError("a rule of the engine does not hold")


def judged(context: dict[str, Any]) -> tuple[bool, Faults]:
    """Whether it ends the agent, and what is told if not."""
    faults = Faults()
    ending, loop = Ending(faults), asyncio.new_event_loop()
    ending.judge(loop, {"message": "something", **context})
    loop.close()
    assert ending.stopped.is_set() == bool(ending.failures)
    return bool(ending.failures), faults


@pytest.mark.parametrize(
    "context",
    [
        {"exception": OSError(errno.EMFILE, "x"), "socket": object()},
        {"exception": BUG, "transport": object(), "protocol": object()},
        {"exception": ConnectionResetError(errno.ECONNRESET, "x"), "protocol": object()},
        {"exception": OSError(errno.ENFILE, "x"), "handle": object()},
        {"exception": OSError(errno.ENOMEM, "x"), "task": object()},
    ],
)
def test_what_belongs_to_a_connection_or_passes_does_not_end_the_agent(
    context: dict[str, Any],
) -> None:
    ends, faults = judged(context)
    assert not ends
    assert sum(faults.counts.values()) == 1


@pytest.mark.parametrize(
    "context",
    [
        {"exception": BUG, "handle": object()},
        {"exception": BUG, "task": object()},
        {"exception": OSError(errno.EINVAL, "x"), "task": object()},
        {},
    ],
)
def test_what_is_the_cores_own_ends_it(context: dict[str, Any]) -> None:
    ends, faults = judged(context)
    assert ends
    assert sum(faults.counts.values()) == 0


def test_a_fault_is_counted_each_time_and_logged_a_few_times(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = Faults()
    for _ in range(1000):
        faults.tell_error(Fault.INTERFACE, "eth0", OSError(errno.ENODEV, "No such device"))
    assert faults.as_object()["interface"]["count"] == 1000
    assert faults.as_object()["interface"]["text"] == "eth0: No such device"
    assert len(caplog.records) < 10


def test_what_is_said_about_names_that_come_and_go_is_bounded() -> None:
    limit = SayingLimit()
    for number in range(10 * MOST):
        limit.may_say(f"v{number}", Instant(0))
    assert len(limit._said) <= MOST


class Guest(OpenGuest):
    """Lets in all, and does with each what a test wants."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
        self.served = 0

    async def serve(self, connection: Connection) -> None:
        self.served += 1
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(
    ("error", "reason", "told"),
    [
        (None, None, 0),
        (BUG, "failed", 1),
        (RecursionError("x"), "failed", 1),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "x"), "failed", 1),
        (OSError(errno.EIO, "x"), "failed", 1),
        (TimeoutError(), "idle", 0),
        (SlowError(), "slow", 0),
        (ConnectionResetError(), None, 0),
        (BrokenPipeError(), None, 0),
    ],
)
def test_whatever_goes_wrong_with_a_client_ends_its_connection_and_no_other(
    tmp_path: Path, error: BaseException | None, reason: str | None, told: int
) -> None:
    guest, faults = Guest(error), Faults()
    door = Door("control", guest, faults)

    async def visit() -> None:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(tmp_path / "socket"))
        door.open(listening)
        for _ in range(3):
            reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.close()
            await writer.wait_closed()
        await door.close()

    asyncio.run(visit())

    assert guest.served == 3
    assert {name: count for name, count in door.closed.items() if count} == (
        {reason: 3} if reason else {}
    )
    assert faults.counts[Fault.CONNECTION] == 3 * told
