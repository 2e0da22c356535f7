"""A querier that asks all hosts about once a second, and sees on the wire whether it is answered.

Both families in their newest version. A query is answered in time when the host has reported every
group that is received, in whichever version, within the Max Resp Time. Times are the kernel's: when
a packet passed the interface.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field

from mcastd.gmp.family import FAMILIES, Address
from mcastd.gmp.messages import MembershipReport, Message, RecordReport
from mcastd.gmp.records import RecordType
from mcastd.gmp.time import seconds
from mcastd.wire import Received, ReceptionContext, decode_frame, query
from mcastd_lab import Namespace

from mcastd_bench.frames import ethernet

ADDRESSES = {"igmp": "192.0.2.1", "mld": "fe80::1"}
"""Where its queries come from."""

EVERY_SECONDS = 1.0
MAX_RESPONSE_SECONDS = 1.0

WAY_SECONDS = 0.25
"""For the way there and back, on processors that others use too."""

CURRENT_STATE = frozenset({RecordType.MODE_IS_INCLUDE, RecordType.MODE_IS_EXCLUDE})
ANYBODY = ReceptionContext(addresses_known=False)

LOOK_SECONDS = 0.05
"""Between two looks at the clock, if nothing comes."""

ETH_P_ALL = 3
PACKET_OUTGOING = 4
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
BUFFER = 16 << 20
FRAME, CONTROL = 65536, 128
TIMESPEC = struct.Struct("@qq")


@dataclass(slots=True)
class Asked:
    """A general query, and when each group was first reported after it; seconds of the wall."""

    at: float
    answers: dict[Address, float] = field(default_factory=dict)

    def delay(self, groups: Set[Address]) -> float | None:
        """Seconds until the last of the groups was reported; None if one was not."""
        if not groups <= self.answers.keys():
            return None
        return max(self.answers[group] for group in groups) - self.at


@dataclass(frozen=True, slots=True)
class Answers:
    """`worst`: seconds until the last answer; None if there was none."""

    asked: int
    in_time: int
    answered: int
    worst: float | None


class TrueQuerier:
    """On one end of a cable, the other end of which is the host's."""

    def __init__(
        self, namespace: Namespace, interface: str, groups: Mapping[str, Set[Address]]
    ) -> None:
        """`groups`: by protocol, what the host receives and has to report."""
        with namespace.entered():
            self._mouth = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._mouth.bind((interface, 0))
            # Another one: a socket is not shown what it sends itself.
            self._ears = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._ears.bind((interface, ETH_P_ALL))
        self._ears.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self._ears.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._ears.settimeout(LOOK_SECONDS)
        self._groups = groups
        self._sent = 0
        self._asked: dict[str, list[Asked]] = {}

    @contextmanager
    def asking(self, patience: float = MAX_RESPONSE_SECONDS + WAY_SECONDS) -> Iterator[None]:
        """Asks until the end; then waits for the last answers, at most so many seconds."""
        self._sent, self._asked = 0, {name: [] for name in FAMILIES}
        ended, failed = threading.Event(), threading.Event()
        thread = threading.Thread(target=self._work, args=(ended, failed, patience))
        thread.start()
        try:
            yield
        except BaseException:
            failed.set()
            raise
        finally:
            ended.set()
            thread.join()

    def answers(self) -> Answers:
        """To all that was asked the last time, of both families."""
        delays = [
            asked.delay(self._groups[name]) for name, each in self._asked.items() for asked in each
        ]
        answered = [delay for delay in delays if delay is not None]
        limit = MAX_RESPONSE_SECONDS + WAY_SECONDS
        in_time = sum(delay <= limit for delay in answered)
        return Answers(len(delays), in_time, len(answered), max(answered, default=None))

    def asked(self, protocol: str) -> int:
        """Queries that left, the last time."""
        return len(self._asked[protocol])

    def _work(self, ended: threading.Event, failed: threading.Event, patience: float) -> None:
        due = time.monotonic()
        while not ended.is_set():
            if time.monotonic() >= due:
                due += EVERY_SECONDS
                self._ask()
            self._listen()
        end = time.monotonic() + patience
        while time.monotonic() < end and not (failed.is_set() or self._is_answered()):
            self._listen()

    def _ask(self) -> None:
        for name, family in FAMILIES.items():
            packet = query(
                family,
                family.newest,
                source=family.parse(ADDRESSES[name]),
                max_response=seconds(MAX_RESPONSE_SECONDS),
            )
            self._mouth.send(ethernet(packet))
            self._sent += 1

    def _is_answered(self) -> bool:
        if sum(map(len, self._asked.values())) < self._sent:
            return False
        return all(
            each[-1].delay(self._groups[name]) is not None
            for name, each in self._asked.items()
            if each
        )

    def _listen(self) -> None:
        """One packet, if one comes soon: a query of ours that has left, or a report."""
        try:
            frame, control, _, where = self._ears.recvmsg(FRAME, CONTROL)
        except TimeoutError:
            return
        found = decode_frame(frame, ANYBODY)
        if not isinstance(found, Received):
            return
        whole, part = TIMESPEC.unpack(control[0][2])
        at, asked = whole + part / 1e9, self._asked[found.family.name]
        if where[2] == PACKET_OUTGOING:
            asked.append(Asked(at))
            return
        for group in reported(found.message):
            for each in asked:
                each.answers.setdefault(group, at)

    def close(self) -> None:
        self._mouth.close()
        self._ears.close()


def reported(message: Message) -> list[Address]:
    """The groups whose state a report tells, not a change of it."""
    if isinstance(message, MembershipReport):
        return [message.group]
    if isinstance(message, RecordReport):
        return [each.group for each in message.records if each.type in CURRENT_STATE]
    return []
