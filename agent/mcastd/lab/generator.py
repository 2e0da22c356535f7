"""Frames at line rate without hardware: about a million a second, and exactly as many as asked for.

Both ends of a veth have a part: frames go out of one, and at the other, behind the program that is
to be tried, it is counted that they came.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mcastd.fastpath.kernel import AttachType, Kernel, Link
from mcastd.fastpath.objects import obtain
from mcastd.lab.errors import LabError
from mcastd.lab.namespaces import Namespace

SOURCE = b"\x02mcast"
"""The hardware address that all its frames come from; bpf/generator.c."""

FRAME = 1514
"""Bytes of a frame at the most; bpf/generator.c."""

LEAST = 60
"""Of the frames that the kernel is given to be overwritten."""

MOST_FRAMES = 1024
TURNS = 65536
"""At least in one call, which takes some 25 ms whatever it does."""

STUCK_SECONDS = 20.0

FIRST = bytes(4)
TURN = struct.Struct("=IIQQ")
"""struct generator_turn."""

End = tuple[Namespace, str]


class Generator:
    """Sends from one end of a veth, the other end of which has a program in native XDP.

    Without one the kernel has no queue there. A program that does not pass all frames on stops it.
    """

    def __init__(
        self, sender: End, receiver: End, say: Callable[[str], None] = lambda text: None
    ) -> None:
        """FastPathError if it cannot be compiled or loaded, OSError if it cannot be attached."""
        self._namespace, interface = sender
        self._index = self._namespace.index(interface)
        programs = {"mcast_generate": "xdp", "mcast_arrive": "tc"}
        self._kernel = Kernel(obtain(say, main="generator.c", programs=programs))
        self._program = self._kernel.program("mcast_generate")
        there, far_end = receiver
        with there.entered():
            counting = self._kernel.program("mcast_arrive")
            self._link = Link(counting, there.index(far_end), AttachType.TCX_INGRESS)

    def send(self, frames: Sequence[bytes], count: int) -> None:
        """`count` frames: the given ones in turn, from the first. 14 to 1514 bytes each.

        Returns when all have arrived; LabError if they do not.
        """
        self._load(frames, count)
        progress, moved = -1, time.monotonic()
        with self._namespace.entered(), on_one_cpu():
            while (arrived := self._arrived()) < count:
                if arrived > progress:
                    progress, moved = arrived, time.monotonic()
                elif time.monotonic() - moved > STUCK_SECONDS:
                    raise LabError(f"of {count} frames {count - arrived} did not arrive")
                self._program.run_live(self._index, bytes(LEAST), count - arrived + TURNS)

    def _load(self, frames: Sequence[bytes], count: int) -> None:
        for index, frame in enumerate(frames):
            assert index < MOST_FRAMES
            assert len(frame) <= FRAME
            sent = frame[:6] + SOURCE + frame[12:]
            value = struct.pack("=I", len(sent)) + sent.ljust(FRAME + 2, b"\0")
            self._kernel.maps["frames"].update(struct.pack("=I", index), value)
        self._kernel.maps["arrivals"].update(FIRST, bytes(8))
        self._kernel.maps["turns"].update(FIRST, TURN.pack(len(frames), 0, count, 0))

    def _arrived(self) -> int:
        value = self._kernel.maps["arrivals"].lookup(FIRST, 8)
        return int.from_bytes(value or b"", sys.byteorder)

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
