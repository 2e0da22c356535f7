"""Frames at line rate without hardware: millions a second from one core, and exactly so many.

Both ends of a veth have a part: frames go out of one, with marks between them; at the other, behind
the program that is to be tried, the marks tell how far the queue between the two has been emptied.
"""

from __future__ import annotations

import errno
import json
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from mcastd.fastpath.attach import Closable
from mcastd.fastpath.clsact import CLSACT_PRIORITY, TC_INGRESS, ClsactFilter
from mcastd.fastpath.kernel import AttachType, Kernel, Link, Program
from mcastd.fastpath.objects import obtain

from mcastd_lab.errors import LabError
from mcastd_lab.namespaces import Namespace

SOURCE = b"\x02mcast"
"""The hardware address that all its frames come from."""

FRAME = 1514
"""Bytes of a frame at the most; bpf/generator.c."""

LEAST = 60
"""Of the frames that the kernel is given to be overwritten."""

MOST_FRAMES = 1024
TURNS = 65536
"""At least in one call, which takes some 25 ms whatever it does."""

MANY_TURNS = 1 << 20
"""For a flood: a good half of a second."""

STUCK_SECONDS = 20.0

PROGRAMS = {"mcast_generate": "xdp", "mcast_pass_marks": "xdp", "mcast_arrive": "tc"}

FIRST = bytes(4)
TURN = struct.Struct("=IIQQQ")
"""struct generator_turn."""

FOR_EVER = (1 << 64) - 1

End = tuple[Namespace, str]


class Sent(NamedTuple):
    """`seconds`: until all had been through the program at the far end. `processor`: how many of
    them the sender had its processor, which others may have wanted, too."""

    frames: int
    seconds: float
    processor: float


def at_ingress(program: Program, ifindex: int) -> Closable:
    """At traffic control's hook, in front of an agent's program. OSError."""
    try:
        return Link(program, ifindex, AttachType.TCX_INGRESS)
    except OSError as error:
        if error.errno != errno.EINVAL:  # what a kernel before 6.6 says
            raise
    return ClsactFilter(program, ifindex, TC_INGRESS, CLSACT_PRIORITY - 1)


class Generator:
    """Sends from one end of a veth, the other end of which has a program in native XDP.

    Without one the kernel has no queue there. The program may do with the frames what it likes, but
    must pass on those of an Ethernet type that it does not know: the marks. If it does not, put
    `passing_marks` in front of it.
    """

    def __init__(
        self, sender: End, receiver: End, say: Callable[[str], None] = lambda text: None
    ) -> None:
        """FastPathError if it cannot be compiled or loaded, OSError if it cannot be attached."""
        self._namespace, self._interface = sender
        self._index = self._namespace.index(self._interface)
        self._kernel = Kernel(obtain(say, main="generator.c", programs=PROGRAMS))
        self._program = self._kernel.program("mcast_generate")
        there, far_end = receiver
        with there.entered():
            noting = self._kernel.program("mcast_arrive")
            self._link = at_ingress(noting, there.index(far_end))

    def passing_marks(self, program: Program) -> Program:
        """To be attached at the far end: it gives all but the marks to `program`, which may drop
        whatever it likes. There is one, whose `program` is the last that was named."""
        self._kernel.maps["behind"].update(FIRST, struct.pack("=I", program.fd))
        return self._kernel.program("mcast_pass_marks")

    def send(self, frames: Sequence[bytes], count: int) -> Sent:
        """`count` frames: the given ones in turn, from the first. 14 to 1514 bytes each.

        Returns when all have been through the program at the far end; LabError if they have not.
        """
        with self._exactly(), self._namespace.entered(), on_one_cpu():
            self._load(frames, count)
            begun, used = time.monotonic(), time.thread_time()
            self._finish(count)
            return Sent(count, time.monotonic() - begun, time.thread_time() - used)

    def flood(
        self, frames: Sequence[bytes], seconds: float, look: Callable[[], object] = lambda: None
    ) -> Sent:
        """As many as can be sent in this time, otherwise as `send`.

        `look` is called now and then, every half second or so, and holds the flood up.
        """
        with self._exactly(), self._namespace.entered(), on_one_cpu():
            self._load(frames, FOR_EVER)
            begun, used = time.monotonic(), time.thread_time()
            while time.monotonic() - begun < seconds:
                self._run(MANY_TURNS)
                look()
            count, next_, _, sent, marked = self._turn()
            self._set_turn(count, next_, sent, sent, marked)
            self._finish(sent)
            return Sent(sent, time.monotonic() - begun, time.thread_time() - used)

    def _load(self, frames: Sequence[bytes], goal: int) -> None:
        for index, frame in enumerate(frames):
            assert index < MOST_FRAMES
            assert len(frame) <= FRAME
            sent = frame[:6] + SOURCE + frame[12:]
            value = struct.pack("=I", len(sent)) + sent.ljust(FRAME + 2, b"\0")
            self._kernel.maps["frames"].update(struct.pack("=I", index), value)
        self._kernel.maps["arrivals"].update(FIRST, bytes(8))
        self._set_turn(len(frames), 0, goal, 0, 0)

    def _finish(self, count: int) -> None:
        """Until the last mark has come."""
        progress, moved = -1, time.monotonic()
        while (arrived := self._arrived()) < count:
            if arrived > progress:
                progress, moved = arrived, time.monotonic()
            elif time.monotonic() - moved > STUCK_SECONDS:
                raise LabError(f"of {count} frames {count - arrived} did not arrive")
            self._run(count - arrived + TURNS)

    def _run(self, turns: int) -> None:
        self._program.run_live(self._index, bytes(LEAST), turns)

    def _turn(self) -> tuple[int, ...]:
        return TURN.unpack(self._kernel.maps["turns"].lookup(FIRST, TURN.size) or bytes(TURN.size))

    def _set_turn(self, *values: int) -> None:
        self._kernel.maps["turns"].update(FIRST, TURN.pack(*values))

    def _arrived(self) -> int:
        value = self._kernel.maps["arrivals"].lookup(FIRST, 8)
        return int.from_bytes(value or b"", sys.byteorder)

    @contextmanager
    def _exactly(self) -> Iterator[None]:
        """LabError if the queue had no room for a frame, ours or another's."""
        before = self._dropped()
        yield
        if lost := self._dropped() - before:
            raise LabError(f"{lost} frames were lost on the way to the other end of the veth")

    def _dropped(self) -> int:
        """Frames that the kernel could not put into the far end's queue."""
        shown = self._namespace.ip("-statistics", "-json", "link", "show", self._interface)
        return int(json.loads(shown)[0]["stats64"]["tx"]["dropped"])

    def close(self) -> None:
        self._link.close()
        self._kernel.close()


@contextmanager
def on_one_cpu() -> Iterator[None]:
    """Keeps this thread where it is, so that sending and receiving take turns."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
