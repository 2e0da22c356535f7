"""What counting streams costs: a packet that is none, one of a stream that is known, the memory.

Packets as in the other rows of XDP (BPF_PROG_TEST_RUN). `without`: the program of an interface
whose streams are not counted.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.kernel import Kernel, Map, Program
from mcastd.fastpath.objects import obtain
from mcastd.fastpath.policies import Policies, Policy
from mcastd.fastpath.streams import Streams, obtain_streams
from mcastd.fastpath.test_run import run
from mcastd.streams import Sample
from mcastd_lab import Lab

from mcastd_bench import frames, live
from mcastd_bench.programs import LOOPBACK, OWN, QUERIER, Programs, Runs
from mcastd_bench.row import Better, Contest, Row, Unavailable

STREAMS = 4096
TO_ONE = b"\x02\x00\x00\x00\x00\x01"
TO_GROUP = b"\x01\x00\x5e\x01\x01\x01"
FROM = b"\x02\x00\x00\x00\x00\x02"
RTP_LENGTH = 1328
TS_PACKETS = 7


def rows() -> Iterable[Row]:
    sorts: dict[str, Callable[[], list[bytes]]] = {
        "unicast": unicast,
        "rtp": rtp,
        "mpegts": mpegts,
    }
    for name, make in sorts.items():
        yield Row(f"xdp.stream_{name}", "ns", partial(_contest, make))
    yield Row("streams.memory/4096", "KiB", _memory)
    many = partial(live.contest, thousand, kind=Streaming)
    yield Row("xdp.veth/streams", "Mpps", many, Better.LARGER)


def datagram(number: int, payload: bytes, to: bytes) -> bytes:
    """Of one of many sources; to a group, or to a host."""
    group = bytes((239, 1, 1, 1)) if to is TO_GROUP else bytes((192, 0, 2, 1))
    udp = struct.pack(">HHHH", 40000, 5004, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 16, 17, 0)
    source = bytes((10, 0, number >> 8, number & 255))
    return to + FROM + b"\x08\x00" + head + source + group + udp


def unicast() -> list[bytes]:
    return [datagram(each, bytes(64), TO_ONE) for each in range(frames.COUNT)]


def rtp() -> list[bytes]:
    """Two packets of each stream in sequence make it known."""
    head = [struct.pack(">BBHII", 0x80, 33, number, 0, 1) for number in (1, 2)]
    return [
        datagram(each, (start + bytes(RTP_LENGTH)), TO_GROUP)
        for each in range(frames.COUNT)
        for start in head
    ]


def thousand() -> list[bytes]:
    """A packet of each of so many streams."""
    payload = struct.pack(">BBHII", 0x80, 33, 1, 0, 1) + bytes(RTP_LENGTH)
    return [datagram(each, payload, TO_GROUP) for each in range(1000)]


def mpegts() -> list[bytes]:
    packet = b"\x47\x01\x00\x10".ljust(188, b"\xff")
    return [datagram(each, TS_PACKETS * packet, TO_GROUP) for each in range(frames.COUNT)] * 2


class Streaming(live.Cable):
    """A veth whose streams are counted."""

    ours = "mcast_xdp_streams"

    def __init__(self, lab: Lab, every: Sequence[bytes], *, dropped: bool) -> None:
        super().__init__(lab, every, dropped=dropped)
        self._streams = lab.keep(Streams(self.kernel, obtain_streams(lambda text: None), 1024, 1))

    def program(self, name: str) -> Program:
        return self._streams.program(name) if name == self.ours else super().program(name)

    def are_counted(self) -> bool:
        return True

    def counted(self) -> int:
        """Packets of all streams together."""
        total, place = 0, None
        while True:
            found, place = self._streams.read(place)
            total += sum(Sample.packets_in(value) for _, value in found)
            if place is None:
                return total


class Counting:
    """The program in front, on an interface that looks on."""

    def __init__(self, most: int = frames.COUNT * 2) -> None:
        """Unavailable without the rights to load it."""
        try:
            self.kernel = Kernel(obtain(lambda text: None))
            self.streams = Streams(self.kernel, obtain_streams(lambda text: None), most, 1)
            self.program = self.streams.program("mcast_xdp_streams")
        except (FastPathError, OSError) as why:
            raise Unavailable(str(why)) from why
        Policies(self.kernel.maps).put(LOOPBACK, 0, Policy(), OWN, QUERIER)

    def close(self) -> None:
        self.streams.close()
        self.kernel.close()


def _contest(make: Callable[[], list[bytes]]) -> Contest:
    programs, every = Programs(Policy()), make()
    counting = Counting()
    for each in every:
        run(counting.program, each)
    counted: Sequence[bytes] = every

    def close() -> None:
        counting.close()
        programs.close()

    return Contest(
        ours=Runs(programs, counting.program, counted),
        baselines={
            "null": Runs(programs, programs.null, counted),
            "without": Runs(programs, programs.classifier, counted),
        },
        close=close,
    )


def locked(maps: Iterable[Map]) -> int:
    """Bytes of the kernel's memory that maps hold, as it says."""
    total = 0
    for each in maps:
        with open(f"/proc/self/fdinfo/{each.fd}") as lines:
            total += sum(int(line.split()[1]) for line in lines if line.startswith("memlock:"))
    return total


def _memory() -> Contest:
    """In the kernel, with all streams there; without streams there is none of it."""
    counting = Counting(STREAMS)
    for number in range(STREAMS):
        run(counting.program, datagram(number, bytes(20), TO_GROUP))

    def sample(_seconds: float) -> float:
        return locked(counting.streams.maps()) / 1024

    return Contest(ours=sample, close=counting.close)
