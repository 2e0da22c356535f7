"""Confines an error to its connection, interface or file, and counts and logs it there.

What is the core's own is not caught here, and ends the agent.
"""

from __future__ import annotations

import errno
import logging
from collections import Counter
from collections.abc import Hashable
from enum import Enum

from mcastd.printable import printable
from mcastd.service.clock import now, wall_clock
from mcastd.service.documents import JsonObject, Unread
from mcastd.service.limit import SayingLimit

log = logging.getLogger("mcastd")


class Fault(Enum):
    """What a fault belongs to: the label of the metric. It ends with that."""

    CONNECTION = "connection"
    DESCRIPTORS = "descriptors"
    INTERFACE = "interface"
    STATE_FILE = "state_file"
    MAP_FULL = "map_full"
    NAMESPACE = "namespace"


REMEDIES = {
    Fault.CONNECTION: "mcastd closed it; the log says whose it was and what went wrong",
    Fault.DESCRIPTORS: "raise the unit's LimitNOFILE, or find who keeps connections open: ss -xp, "
    "ss -tp",
    Fault.INTERFACE: "the agent tries again; the log has the reason",
    Fault.STATE_FILE: "memberships stay in force, but a restart may lose them: free space in the "
    "state directory, or allow writing to it",
    Fault.MAP_FULL: "queries for groups that do not fit into the map are refused: receive fewer "
    "groups",
    Fault.NAMESPACE: "mcastd restarts its agent by itself; the log says why it ended",
}
"""What to do about each kind."""

OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE})


class Faults:
    """How many there were of each kind; of the last, when (a time of day) and its text."""

    def __init__(self) -> None:
        self.counts: Counter[Fault] = Counter({each: 0 for each in Fault})
        self.last: dict[Fault, tuple[float, str]] = {}
        self._limit = SayingLimit()

    def tell(self, fault: Fault, text: str, *, about: Hashable = None, bug: bool = False) -> None:
        """Counts it, and logs it, though of the same thing not more often than people can read.

        `bug`: the exception that is being handled should not have been; its traceback is logged.
        """
        self.counts[fault] += 1
        self.last[fault] = (wall_clock(now()), printable(text))
        suppressed = self._limit.may_say((fault, about), now())
        if suppressed is not None:
            more = f" ({suppressed} similar messages suppressed)" if suppressed else ""
            log.error("%s%s", text, more, exc_info=bug)

    def tell_of_file(self, text: str) -> None:
        """Of a state file that cannot be read or written."""
        self.tell(Fault.STATE_FILE, text, about=text)

    def tell_error(self, fault: Fault, what: str, error: BaseException) -> None:
        """As `tell`, with what the error says. Running out of descriptors is told as that."""
        if isinstance(error, OSError) and error.errno in OUT_OF_DESCRIPTORS:
            fault = Fault.DESCRIPTORS
        self.tell(fault, f"{what}: {said(error)}", about=what, bug=not isinstance(error, OSError))

    def as_object(self) -> dict[str, JsonObject]:
        """By kind, those that there were."""
        return {
            fault.value: {"count": self.counts[fault], "last": at, "text": text}
            for fault, (at, text) in self.last.items()
        }


def said(error: BaseException) -> str:
    """What an error says; what kind it is, if it says nothing."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


CONNECTIONS = ("transport", "protocol", "socket")
"""Of what the loop says of an error: with one of these, it concerns a connection."""


def is_of_a_connection(context: Unread) -> bool:
    """Whether what the event loop could not do concerns one connection, or accepting one."""
    return any(context.get(each) is not None for each in CONNECTIONS)
