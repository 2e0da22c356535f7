"""Gives up capabilities, and tells systemd what the agent does."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Iterable

from mcastd import manager
from mcastd._libbpf import lib

CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON, CAP_BPF = 12, 13, 38, 39

KEPT = (CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF)

KEEPERS = (19, 21, CAP_PERFMON)
"""Of who starts agents in other network namespaces, besides: CAP_SYS_PTRACE to find one by a
process, CAP_SYS_ADMIN to enter it, and what loading takes."""

AGAIN_SECONDS, ATTEMPTS = 0.1, 600

_manager: socket.socket | None = None


def report_to(other: socket.socket) -> None:
    """Who is told instead of the service manager, for a process that somebody else looks after."""
    global _manager  # noqa: PLW0603 (as NOTIFY_SOCKET is, it is the process's)
    _manager = other


def drop_capabilities(kept: Iterable[int] = KEPT) -> None:
    """Keeps what attaching to a new interface needs, of what there is. OSError if refused."""
    mask = 0
    for capability in kept:
        mask |= 1 << capability
    result = lib.mcast_keep_capabilities(mask)
    if result:
        raise OSError(result, f"giving up capabilities: {os.strerror(result)}")


def allow_files() -> None:
    """As many open files as may be: an interface takes two, and a shell gives a thousand."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def trim_heap() -> None:
    """Gives memory back to the system that the start has used and that is not needed any more."""
    lib.mcast_trim_heap()


def watchdog_seconds() -> float | None:
    """How often the service manager wants to hear of us, twice as often for safety; None: never."""
    given = os.environ.get("WATCHDOG_USEC", "")
    return int(given) / 2e6 if given.isdecimal() and int(given) else None


def notify(state: str) -> bool:
    """Tells the service manager, if there is one (sd_notify(3)). False if it has no room just now.

    A service manager that does not listen is its own affair.
    """
    try:
        if _manager is not None:
            _manager.send(state.encode(errors="backslashreplace"), socket.MSG_DONTWAIT)
        else:
            manager.notify(state)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def notify_at_last(state: str, attempts: int = ATTEMPTS) -> None:
    """As `notify`, and again while there is no room: without this the service manager ends us.

    What is said before it, such as descriptors to be kept, may fill its queue.
    """
    if not notify(state) and attempts:
        loop = asyncio.get_running_loop()
        loop.call_later(AGAIN_SECONDS, notify_at_last, state, attempts - 1)
