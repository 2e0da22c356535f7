"""Makes a forked process the agent of a namespace: it enters the namespace first.

Then it has no right that the first agent does not have.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import NamedTuple, NoReturn

from mcastd.net import namespaces
from mcastd.service import system
from mcastd.service.namespaces import inside
from mcastd.service.namespaces.inside import Place

RunAgent = Callable[[Place, socket.socket], int]
"""Runs the agent in the namespace, whose clients come by the socket; the exit code."""


class Birth(NamedTuple):
    """What a process is given: the namespace and a descriptor of it, who looks after it (as systemd
    does, sd_notify(3)), and how its clients come.
    """

    place: Place
    there: int
    manager: socket.socket
    doors: socket.socket


WATCHDOG_MICROSECONDS = "10000000"

NOT_THERE = 3

NO_RIGHT = (
    "it may not be entered: that takes CAP_SYS_ADMIN, and in a unit RestrictNamespaces=net "
    "(deploy/systemd/namespaces.conf)"
)


def become(keeper: int, birth: Birth, close: Callable[[], None], run: RunAgent) -> NoReturn:
    """In a new process: makes it the agent of a namespace, and ends it when that is over."""
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        namespaces.end_with_parent(signal.SIGKILL)
        if os.getppid() == keeper:
            close()
            code = entered(birth, run)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def entered(birth: Birth, run: RunAgent) -> int:
    system.report_to(birth.manager)
    try:
        namespaces.enter(birth.there)
    except OSError as error:
        refused = error.errno in (errno.EPERM, errno.EACCES)
        say_problem(NO_RIGHT if refused else str(error.strerror), for_good=refused)
        return NOT_THERE
    finally:
        os.close(birth.there)
    system.drop_capabilities((*system.KEPT, system.CAP_PERFMON))
    os.environ.pop("NOTIFY_SOCKET", None)
    os.environ["WATCHDOG_USEC"] = WATCHDOG_MICROSECONDS
    inside.enter(birth.place)
    return run(birth.place, birth.doors)


def say_problem(text: str, *, for_good: bool = False) -> None:
    """Tells the keeper, and by it those who ask, why it cannot go on.

    `for_good`: it will not be otherwise before an operator does something.
    """
    system.notify(("REFUSED=" if for_good else "PROBLEM=") + " ".join(text.split()))
