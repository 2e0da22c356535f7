"""From a message on the wire to a Python object that says what it is, where and from whom.

Everybody's buffer is filled first, and then read until it is empty; only the reading is timed, on
one core. Of our objects the time, kind, source, destination and group are asked for; of `drained`
nothing is. `decoded` is the whole way of the agent, to the protocol engine's own message: of the
same query again and again, as one querier sends it, or of 64 different ones. Beside it: bcc's ring
buffer with a callback that does nothing, a packet socket whose frames are taken apart by hand,
scapy's dissector on a packet socket.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from time import perf_counter
from typing import Any

from mcastd.fastpath.bpf_source import BPF_DIRECTORY
from mcastd.fastpath.kernel import Program
from mcastd.fastpath.policies import Limit, Policy
from mcastd.fastpath.ring import Captured
from mcastd.fastpath.test_run import run
from mcastd.gmp.family import IGMP
from mcastd.service.interface import Decoder
from mcastd_lab import Lab, LabError, Namespace, Wire, veth

from mcastd_bench import frames
from mcastd_bench.programs import AT_ONCE, Programs
from mcastd_bench.row import Better, Contest, Missing, Row, Sampler, Unavailable

ROUNDS = 4
SOCKET_FRAMES = 400
"""At a time; a packet socket's buffer holds these."""

SCAPY_FRAMES = 100
BUFFER = 8 << 20
SO_RCVBUFFORCE = 33
ETH_P_ALL = 3
EVENT_BYTES = 128
"""As many as ours have."""

Look = Callable[[list[Captured]], None]
"""What is done with a batch of events."""

BCC = """
#include <uapi/linux/bpf.h>
struct event { u8 bytes[%d]; };
BPF_RINGBUF_OUTPUT(events, 256);
int bench(struct xdp_md *ctx)
{
	struct event *event = events.ringbuf_reserve(sizeof(*event));

	if (!event)
		return XDP_PASS;
	bpf_xdp_load_bytes(ctx, 0, event->bytes, 60);
	events.ringbuf_submit(event, 0);
	return XDP_PASS;
}
"""


def rows() -> Iterable[Row]:
    yield Row("handover.events", "events/s", partial(_events, look_at), Better.LARGER)
    yield Row("handover.drained", "events/s", partial(_events, look_away), Better.LARGER)
    for name, count in (("same", 1), ("different", frames.COUNT)):
        yield Row(f"handover.decoded/{name}", "events/s", partial(_decoded, count), Better.LARGER)


def _events(look: Look) -> Contest:
    programs = Programs(Policy(queries=Limit(0, 0)))
    lab = Lab()
    try:
        lab.__enter__()
    except LabError as why:
        programs.close()
        raise Unavailable(str(why)) from why

    def close() -> None:
        lab.__exit__(None, None, None)
        programs.close()

    sender, receiver = lab.namespace("sender"), lab.namespace("receiver")
    veth(sender, "eth0", receiver, "eth0")
    wire = lab.keep(Wire(sender, "eth0"))
    every = frames.queries(IGMP)
    return Contest(
        ours=Drain(programs, every, look),
        baselines={
            "bcc_callback": _bcc(every),
            "af_packet_python": PacketSocket(receiver, wire, every),
            "scapy": _scapy(receiver, wire, every),
        },
        close=close,
    )


def _decoded(different: int) -> Contest:
    programs = Programs(Policy(queries=Limit(0, 0)))
    decode = Decoder()

    def decode_all(events: list[Captured]) -> None:
        for event in events:
            decode(event)

    ours = Drain(programs, frames.queries(IGMP)[:different], decode_all)
    return Contest(ours=ours, close=programs.close)


def look_at(events: list[Captured]) -> None:
    for event in events:
        _ = event.at, event.kind, event.source, event.destination, event.group


def look_away(events: list[Captured]) -> None:
    pass


class Drain:
    """Events a second: read from the ring, and looked at."""

    def __init__(
        self,
        programs: Programs,
        every: Sequence[bytes],
        look: Look,
    ) -> None:
        self._programs, self._every, self._look = programs, every, look

    def __call__(self, _seconds: float) -> float:
        ring = self._programs.rings[0]
        each = AT_ONCE // len(self._every)
        events, spent = 0, 0.0
        for _ in range(ROUNDS if each > len(self._every) else 1):
            for frame in self._every:
                run(self._programs.classifier, frame, repeat=each)
            start = perf_counter()
            while batch := ring.drain():
                self._look(batch)
                events += len(batch)
            spent += perf_counter() - start
        return events / spent


def _bcc(every: Sequence[bytes]) -> Sampler | Missing:
    try:
        os.environ["BCC_KERNEL_SOURCE"] = str(BPF_DIRECTORY / "headers")
        from bcc import BPF  # noqa: PLC0415

        here = os.getcwd()
        module = BPF(text=BCC % EVENT_BYTES)
        os.chdir(here)
        loaded = module.load_func("bench", BPF.XDP)
    except Exception as why:  # bcc raises nothing else
        return Missing(f"bcc: {why}")
    events = 0

    def callback(_context: Any, _data: ctypes.c_void_p, _size: int) -> None:
        nonlocal events
        events += 1

    module["events"].open_ring_buffer(callback)
    program = Program.__new__(Program)
    program.fd, program.name = os.dup(loaded.fd), "bench"

    def sample(_seconds: float) -> float:
        nonlocal events
        events, spent = 0, 0.0
        for _ in range(ROUNDS):
            run(program, every[0], repeat=AT_ONCE)
            start = perf_counter()
            module.ring_buffer_consume()
            spent += perf_counter() - start
        return events / spent

    return sample


class PacketSocket:
    """Frames a second: received into one buffer, taken apart by struct, the checksum verified."""

    def __init__(self, receiver: Namespace, wire: Wire, every: Sequence[bytes]) -> None:
        self._socket = packet_socket(receiver)
        self._wire, self._every = wire, every

    def __call__(self, _seconds: float) -> float:
        buffer = bytearray(2048)
        received, spent = 0, 0.0
        fill(self._wire, self._every, SOCKET_FRAMES)
        start = perf_counter()
        while True:
            try:
                size = self._socket.recv_into(buffer)
            except BlockingIOError:
                break
            received += take_apart(buffer, size)
        spent += perf_counter() - start
        return received / spent


def take_apart(buffer: bytearray, size: int) -> bool:
    """Kind, source, destination and group of an IGMP query, if it is one and whole."""
    if size < 34 or buffer[12:14] != b"\x08\x00" or buffer[23] != 2:
        return False
    start = 14 + 4 * (buffer[14] & 15)
    end = 14 + (buffer[16] << 8 | buffer[17])
    kind, code, _, group = struct.unpack_from(">BBH4s", buffer, start)
    source, destination = bytes(buffer[26:30]), bytes(buffer[30:34])
    whole = int.from_bytes(buffer[start:end], "big") % 0xFFFF == 0
    return bool(whole and (kind, code, group, source, destination))


def _scapy(receiver: Namespace, wire: Wire, every: Sequence[bytes]) -> Sampler | Missing:
    try:
        from scapy.contrib import igmpv3  # noqa: PLC0415
        from scapy.layers.l2 import Ether  # noqa: PLC0415
    except ImportError as why:
        return Missing(str(why))
    layer: Any = vars(igmpv3)["IGMPv3"]
    sock = packet_socket(receiver)

    def sample(_seconds: float) -> float:
        received = 0
        fill(wire, every, SCAPY_FRAMES)
        start = perf_counter()
        while True:
            try:
                data = sock.recv(2048)
            except BlockingIOError:
                break
            received += Ether(data).haslayer(layer) > 0
        return received / (perf_counter() - start)

    return sample


def packet_socket(namespace: Namespace) -> socket.socket:
    with namespace.entered():
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        made.bind(("eth0", ETH_P_ALL))
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
    made.setblocking(False)
    return made


def fill(wire: Wire, every: Sequence[bytes], count: int) -> None:
    for number in range(count):
        wire.send(every[number % len(every)])
