"""Programs without a kernel: rings are lists, maps are dictionaries (mcastd.service.programs)."""

from __future__ import annotations

import os
import socket
import struct
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import Any

from mcastd._native import ffi, lib
from mcastd.fastpath.attach import Attachment
from mcastd.fastpath.counters import RINGS, ZERO, Counters
from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.hooks import Hook, HookChoice
from mcastd.fastpath.passers import Passer
from mcastd.fastpath.policies import Policy
from mcastd.fastpath.ring import Captured
from mcastd.fastpath.sockets import SocketPart
from mcastd.fastpath.streams import Streams
from mcastd.wire import ReceptionContext

EVENT = struct.Struct("=QIIIBB2x")
"""The head of struct mcast_event (bpf/abi.h); a struct mcast_message and the frame follow."""

RULES = ReceptionContext(addresses_known=False).rules


class FakeRing:
    """A list; its descriptor is readable while there is something in it."""

    def __init__(self) -> None:
        self.events: list[Captured] = []
        self._fd = os.eventfd(0, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        return self._fd

    def put(self, captured: Captured) -> None:
        self.events.append(captured)
        os.eventfd_write(self._fd, 1)

    def drain(self, most: int = 256, /) -> list[Captured]:
        taken, self.events = self.events[:most], self.events[most:]
        if taken and not self.events:
            os.eventfd_read(self._fd)
        return taken

    def close(self) -> None:
        os.close(self._fd)


class FakeSockets:
    """What sockets have joined, as it was put here."""

    def __init__(self) -> None:
        self.parts: list[SocketPart] = []

    def read(self) -> list[SocketPart]:
        return list(self.parts)


class FakePairs:
    """Pairs as the programs count them, by their place; a test says what has come."""

    def __init__(self, room: int = 8) -> None:
        self.room = room
        self.values: dict[int, bytes] = {}
        self.legs: dict[bytes, int] = {}

    def put(self, number: int, value: bytes) -> None:
        self.values[number] = value

    def value(self, number: int) -> bytes:
        return self.values[number]

    def use_legs(self, legs: Mapping[bytes, int]) -> None:
        self.legs = dict(legs)


class FakeStreams:
    """Streams as the programs count them, by packed key: a test says what has come.

    `at_once`: how many are read in one piece. `failing` is raised by the next reading.
    """

    def __init__(self, room: int = 1024, at_once: int = 256, pairs: int = 8) -> None:
        self.room, self.at_once = room, at_once
        self.counted: dict[bytes, bytes] = {}
        self.forgotten: list[bytes] = []
        self.formats = 0
        self.pairs = FakePairs(pairs)
        self.rests: dict[int, tuple[int, int]] = {}
        self.failing: OSError | None = None

    def use_formats(self, formats: Any, count: int) -> None:
        self.formats = count

    def rest(self, ifindex: int) -> tuple[int, int]:
        return self.rests.get(ifindex, (0, 0))

    def read(self, place: Any = None) -> tuple[list[tuple[bytes, bytes]], Any]:
        if self.failing is not None:
            failing, self.failing = self.failing, None
            raise failing
        begin = place or 0
        found = list(self.counted.items())[begin : begin + self.at_once]
        following = begin + self.at_once
        return found, following if following < len(self.counted) else None

    def forget(self, key: bytes) -> None:
        self.counted.pop(key, None)
        self.forgotten.append(key)

    def tidy(self, known: Container[bytes]) -> bool:
        return False


class FakeLink:
    """A program at its hook; `detach` is what somebody else does."""

    def __init__(self) -> None:
        self._is_attached = True
        self.program: Any = None

    def is_attached(self) -> bool:
        return self._is_attached

    def detach(self) -> None:
        self._is_attached = False

    close = detach


class FakeFastPath:
    """Keeps what it is told; hands over and counts what a test puts there.

    `refusal` is raised by the next `attach`. `assigned`: addresses and groups by interface index.
    `injected`, `probed`: frames and questions, in their order.
    """

    def __init__(self) -> None:
        self.rings = {name: FakeRing() for name in RINGS}
        self.refused: Counter[str] = Counter()
        self.asking = b"\x02\0\0\0\0\x01"
        self.sockets: FakeSockets | None = FakeSockets()
        self.sockets_problem: str | None = None
        self.streams: Streams | None = None
        self.streams_problem: str | None = None
        self.refusal: OSError | FastPathError | None = None
        self.hook = Hook.XDP_NATIVE
        self.attached: dict[int, FakeLink] = {}
        self.policies: dict[int, Policy] = {}
        self.assigned: dict[int, set[bytes]] = {}
        self.delaying: set[tuple[int, bytes]] = set()
        self.queriers: dict[int, set[bytes]] = {}
        self.injected: list[tuple[int, bytes]] = []
        self.probed: list[int] = []
        self.is_deaf = self.is_closed = False
        self.beats: list[int] = []
        self.counted: dict[str, Counters] = {}
        self.seen_passing: list[Passer] = []

    # What happens on the wire.

    def hands_over(
        self, ring: str, at: int, ifindex: int, frame: bytes, *, fate: int = lib.MCAST_PASSED
    ) -> None:
        """Classifies a frame as the programs do, and puts the event into a ring."""
        self.rings[ring].put(captured(at, ifindex, frame, fate))

    # Interfaces.

    def attach(
        self,
        name: str,
        ifindex: int,
        policy: Policy,
        choice: HookChoice = HookChoice.AUTO,
        *,
        streams: bool = False,
    ) -> Attachment:
        if self.refusal is not None:
            refusal, self.refusal = self.refusal, None
            raise refusal
        self.counted.setdefault(name, ZERO)
        self.policies[ifindex] = policy
        link = self.attached[ifindex] = FakeLink()
        return Attachment(ifindex, self.hook, Hook.TCX, (), (link,), choice=choice, streams=streams)

    def forget(self, ifindex: int) -> None:
        self.policies.pop(ifindex, None)

    def forget_gone(self, most: int) -> None:
        """All are remembered."""

    def rename(self, old: str, new: str) -> None:
        """Without a device: nothing was counted."""
        if old in self.counted:
            self.counted[new] = self.counted.pop(old)

    def set_policy(self, ifindex: int, policy: Policy) -> None:
        self.policies[ifindex] = policy

    def hand_over_reports(self, on: bool, /) -> None:
        for index, policy in self.policies.items():
            self.policies[index] = policy._replace(hand_over_reports=on)

    # What the programs are told.

    def beat(self, until: int, /) -> None:
        self.beats.append(until)

    def own(self, sock: socket.socket, /) -> None:
        """All frames here are handed over as what a test says they are."""

    def outlast(
        self, attachments: Iterable[tuple[str, Attachment]], /, *, patience: float = 0.0
    ) -> bool:
        return False

    def assign(self, ifindex: int, address: bytes, *, is_usable: bool = True) -> None:
        self.assigned.setdefault(ifindex, set()).add(address)

    def unassign(self, ifindex: int, address: bytes) -> None:
        self.assigned.get(ifindex, set()).discard(address)

    def delay(self, ifindex: int, group: bytes, *, delaying: bool) -> None:
        (self.delaying.add if delaying else self.delaying.discard)((ifindex, group))

    def know_querier(self, ifindex: int, address: bytes, *, known: bool = True) -> None:
        queriers = self.queriers.setdefault(ifindex, set())
        (queriers.add if known else queriers.discard)(address)

    # What they do.

    def inject(self, ifindex: int, frame: bytes) -> None:
        self.injected.append((ifindex, frame))

    def probe(self, ifindex: int, /) -> None:
        self.probed.append(ifindex)
        if not self.is_deaf:
            self.rings["query"].put(captured(0, ifindex, bytes(64), lib.MCAST_PROBE))

    def is_drained(self) -> bool:
        return not self.rings["query"].events

    def counters(self) -> dict[str, Counters]:
        return dict(self.counted)

    def passers(self) -> list[Passer]:
        return list(self.seen_passing)

    def close_unclaimed(self) -> None:
        """Nothing was attached before."""

    def wait(self) -> None:
        """All programs are there."""

    def close(self) -> None:
        self.is_closed = True
        for ring in self.rings.values():
            ring.close()


def captured(at: int, ifindex: int, frame: bytes, fate: int = lib.MCAST_PASSED) -> Captured:
    """An event as the programs make it."""
    found = ffi.new("struct mcast_message *")
    lib.mcast_classify_frame(frame, len(frame), RULES, found)
    head = EVENT.pack(at, ifindex, len(frame), len(frame), lib.MCAST_HOOK_XDP, fate)
    return Captured(head + bytes(ffi.buffer(found)) + frame)
