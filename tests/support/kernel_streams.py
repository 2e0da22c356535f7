"""The programs that count streams, run on single frames by BPF_PROG_TEST_RUN."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcastd.fastpath.counters import Counters, read
from mcastd.fastpath.kernel import Kernel
from mcastd.fastpath.objects import BpfObject
from mcastd.fastpath.policies import Policies
from mcastd.fastpath.streams import Streams
from mcastd.fastpath.test_run import run
from mcastd.streams import Key, Sample, packed_formats
from mcastd.streams.formats import StreamFormat

from support.kernel_programs import EVERYTHING, INDEX, LOOPBACK, PASSES, difference, is_runnable

XDP, TC = "mcast_xdp_streams", "mcast_tc_streams"
VERDICTS = {XDP: PASSES["mcast_xdp"], TC: PASSES["mcast_ingress"]}

LARGEST = {XDP: 60_000, TC: 3000}
"""Bytes of a frame that the kernel takes for a test run, of a program for frames in parts."""

PAIRS = 4
"""For which there is room."""

ROOM = 64
"""For streams, unless a test asks for more."""


class KernelStreams:
    """One interface, on which streams are counted."""

    def __init__(self, programs: BpfObject, streams: BpfObject, most: int = ROOM) -> None:
        self.kernel = Kernel(programs)
        self.streams = Streams(self.kernel, streams, most, 8, PAIRS)
        self.streams.begin(LOOPBACK)
        Policies(self.kernel.maps).put(LOOPBACK, 0, EVERYTHING, own=0, queriers=0)

    def use(self, formats: Sequence[StreamFormat] = ()) -> None:
        """From now on, as if nothing had come before."""
        for key in list(self.samples()):
            self.streams.forget(key.pack())
        while self.streams.tidy(()):
            pass
        self.streams.end(LOOPBACK)
        self.streams.begin(LOOPBACK)
        self.streams.use_formats(packed_formats(formats), len(formats))

    def join(self, *groups: bytes) -> None:
        """These are joined, and no others."""
        assigned = self.kernel.maps["assigned"]
        for key in list(assigned.keys()):
            assigned.delete(key)
        for group in groups:
            assigned.update(INDEX + group.ljust(16, b"\0"), b"\1\0\0\0")

    def run(self, name: str, frames: Iterable[bytes], *, repeat: int = 1) -> None:
        program = self.streams.program(name, frags=name == XDP)
        for frame in frames:
            assert run(program, frame, repeat=repeat).value == VERDICTS[name]

    def samples(self) -> dict[Key, Sample]:
        found: dict[Key, Sample] = {}
        place = None
        while True:
            some, place = self.streams.read(place)
            found |= {Key.unpack(key): Sample.unpack(value) for key, value in some}
            if place is None:
                return found

    def counted(self) -> Counters:
        """Of messages, by the programs behind."""
        return read(self.kernel.maps["counters"], 1)[0]

    def counted_since(self, before: Counters) -> tuple[str, ...]:
        return tuple(difference(before, self.counted()))

    def rest(self) -> tuple[int, int]:
        return self.streams.rest(LOOPBACK)

    def close(self) -> None:
        self.streams.close()
        self.kernel.close()


def takes(name: str, frame: bytes) -> bool:
    """Whether the kernel runs the program on such a frame."""
    return is_runnable("mcast_xdp" if name == XDP else name, frame) and len(frame) <= LARGEST[name]
