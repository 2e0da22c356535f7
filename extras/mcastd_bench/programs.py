"""The programs in the kernel, to be run on frames by hand (BPF_PROG_TEST_RUN)."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from itertools import cycle, islice

from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.kernel import Kernel, Program
from mcastd.fastpath.objects import BpfObject, ProgramSpec, obtain
from mcastd.fastpath.policies import Policies, Policy, bits, own_bit
from mcastd.fastpath.ring import Ring
from mcastd.fastpath.test_run import run

from mcastd_bench.row import Unavailable

LOOPBACK = 1
"""The interface that a frame has come from if nothing else is said."""

RING_BYTES = 1 << 20
AT_ONCE = 4096
"""Runs on one frame: their events fit a ring of that size."""

FRAMES_AT_ONCE = 8
"""Each run of many makes the kernel wait for all its CPUs, twice."""


OWN = bits((bytes((10, 0, 0, 1)), b"\xfe\x80" + bytes(13) + b"\2", bytes(15) + b"\4"))
"""What tells the addresses of an interface that has three."""

QUERIER = own_bit(bytes((10, 0, 0, 254)))
"""Likewise of the one querier that is known."""


def look_on(kernel: Kernel, ifindex: int, policy: Policy) -> None:
    """The interface, the only one, has this policy."""
    Policies(kernel.maps).put(ifindex, 0, policy, OWN, QUERIER)


PASS, DROP = (struct.pack("<BBhi", 0xB7, 0, 0, verdict) for verdict in (2, 1))
"""Instructions that set the verdict of an XDP program."""


def dropping(compiled: BpfObject) -> BpfObject:
    """The same, but that XDP programs drop what they would pass on."""

    def turned(program: ProgramSpec) -> ProgramSpec:
        if program.type != "xdp":
            return program
        code = [program.code[at : at + 8] for at in range(0, len(program.code), 8)]
        return program._replace(code=b"".join(DROP if each == PASS else each for each in code))

    return compiled._replace(programs=tuple(map(turned, compiled.programs)))


class Programs:
    """The classifier with a policy of its own, and a program that does nothing, beside it."""

    def __init__(self, policy: Policy) -> None:
        """Unavailable without the rights to load them."""
        if os.geteuid():
            raise Unavailable("needs root")
        try:
            names = ("query_events", "report_events")
            self._kernel = Kernel(
                obtain(lambda text: None), entries=dict.fromkeys(names, RING_BYTES)
            )
            self.classifier = self._kernel.program("mcast_xdp")
            self.null = self._kernel.program("mcast_inject")
            self.rings = [Ring(self._kernel.maps[name]) for name in names]
        except (FastPathError, OSError) as why:
            raise Unavailable(str(why)) from why
        look_on(self._kernel, LOOPBACK, policy)

    def make_room(self) -> None:
        for ring in self.rings:
            while ring.drain():
                pass

    def close(self) -> None:
        for ring in self.rings:
            ring.close()
        self._kernel.close()


class Runs:
    """Nanoseconds of a run of the program, the mean over the frames whose turn it is."""

    def __init__(self, programs: Programs, program: Program, frames: Sequence[bytes]) -> None:
        self._programs = programs
        self._program = program
        self._frames = cycle(frames)

    def __call__(self, _seconds: float) -> float:
        spent = 0
        for frame in islice(self._frames, FRAMES_AT_ONCE):
            spent += run(self._program, frame, repeat=AT_ONCE).nanoseconds
            self._programs.make_room()
        return spent / FRAMES_AT_ONCE
