"""Loads the programs that count streams in front of the others, and reads their map.

Compiled and loaded only where an interface wants its streams counted: bpf/stream_programs.c.
"""

from __future__ import annotations

import errno
import struct
import sys
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

from mcastd._libbpf import ffi, lib
from mcastd._native import ffi as native_ffi
from mcastd.fastpath.counters import POSSIBLE_CPUS
from mcastd.fastpath.errors import FastPathError, explained
from mcastd.fastpath.kernel import Kernel, Map, Program, checked
from mcastd.fastpath.objects import BpfObject, ProgramSpec, obtain
from mcastd.fastpath.pairs import PairMaps

MAIN = "stream_programs.c"
PROGRAMS = {
    "mcast_xdp_streams": "xdp",
    "mcast_tc_streams": "tc",
    "mcast_xdp_pairs": "xdp",
    "mcast_tc_pairs": "tc",
}
BEHIND = {"mcast_xdp_streams": "mcast_xdp", "mcast_tc_streams": "mcast_ingress"}
"""Which program each of them ends in, when a frame may be control."""

OF_PAIRS = {"mcast_xdp_streams": "mcast_xdp_pairs", "mcast_tc_streams": "mcast_tc_pairs"}
"""Which program counts what they saw of a leg, and then ends in that one, too."""

IN_ORDER = (("mcast_xdp_streams", True), ("mcast_xdp_streams", False), ("mcast_tc_streams", False))
"""Programs, and whether they take frames in several buffers."""

FURTHER = "further"
"""The map with these two, in this order: of one kind of programs only, so that each has its own."""

REST_SIZE: int = native_ffi.sizeof("struct mcast_stream_rest")
CAME, WENT = (struct.pack("=I", index) for index in (0, 1))
"""Of the map `strangers_turn`: MCAST_STRANGERS_CAME and MCAST_STRANGERS_WENT."""

AT_ONCE = 256
"""Streams that are read in one turn."""


def obtain_streams(say: Callable[[str], None], **options: Any) -> BpfObject:
    """The compiled programs; see `obtain`. FastPathError."""
    return obtain(say, main=MAIN, programs=PROGRAMS, **options)


class Streams:
    """The streams of all interfaces that count them."""

    def __init__(
        self,
        kernel: Kernel,
        compiled: BpfObject,
        most: int,
        interfaces: int,
        pairs: int = 1,
    ) -> None:
        """Room for `most` streams, and so many pairs; FastPathError if its maps are refused."""
        self._kernel = kernel
        self.room = most
        self._specs: dict[str, ProgramSpec] = {each.name: each for each in compiled.programs}
        self._programs: dict[tuple[str, bool], tuple[Program, Program, Map]] = {}
        sizes = {"streams": most, "stream_rest": interfaces, "pairs": pairs}
        specs = {
            each.name: each._replace(entries=sizes.get(each.name, each.entries))
            for each in compiled.maps
        }
        self._further = specs.pop(FURTHER)
        try:
            self._own = {name: Map(spec) for name, spec in specs.items() if name not in kernel.maps}
        except OSError as error:
            raise FastPathError(explained(error)) from error
        self.pairs = PairMaps(self._own)
        self._values = ffi.new("char[]", AT_ONCE * specs["streams"].value_size)
        self._keys = ffi.new("char[]", AT_ONCE * specs["streams"].key_size)

    def maps(self) -> Iterable[Map]:
        """Those that are there only for streams."""
        return self._own.values()

    def load(self) -> None:
        """All programs, also for reloads: rights to load may be given up later. OSError."""
        for name, frags in IN_ORDER:
            self.program(name, frags=frags)

    def program(self, name: str, *, frags: bool = False) -> Program:
        """Loads it, the first time, in front of the one that it ends in. OSError if refused."""
        if (name, frags) not in self._programs:
            further = Map(self._further)
            maps = {**self._kernel.maps, **self._own, FURTHER: further}
            program = Program(self._specs[name], maps, frags=frags)
            pairs = Program(self._specs[OF_PAIRS[name]], maps, frags=frags)
            behind = self._kernel.program(BEHIND[name], frags=frags)
            for index, each in enumerate((behind, pairs)):
                further.update(struct.pack("=I", index), struct.pack("=i", each.fd))
            self._programs[name, frags] = program, pairs, further
        return self._programs[name, frags][0]

    def needed(self) -> list[Map]:
        """Maps without which the programs do not work: the kernel empties them when nobody has
        them open any more, even while the programs are there."""
        return [further for _, _, further in self._programs.values()]

    def use_formats(self, formats: Any, count: int) -> None:
        """struct mcast_stream_format[]: for streams that begin from now on."""
        place = self._own["stream_formats"]
        size = place.spec.value_size
        data = bytes(native_ffi.buffer(formats))
        for index in range(place.spec.entries):
            value = data[index * size : (index + 1) * size] if index < count else b""
            place.update(struct.pack("=I", index), value.ljust(size, b"\0"))

    def begin(self, ifindex: int) -> None:
        """What is counted besides streams has a place from now on, if there is room."""
        key, place = struct.pack("=I", ifindex), bytes(REST_SIZE * POSSIBLE_CPUS)
        if self._own["stream_rest"].lookup(key, len(place)) is not None:
            return
        try:
            self._own["stream_rest"].update(key, place)
        except OSError as error:
            if error.errno not in (errno.E2BIG, errno.ENOMEM):
                raise

    def end(self, ifindex: int) -> None:
        self._own["stream_rest"].delete(struct.pack("=I", ifindex))

    def rest(self, ifindex: int) -> tuple[int, int]:
        """Later fragments, and packets of streams without room, since `begin`."""
        key = struct.pack("=I", ifindex)
        data = self._own["stream_rest"].lookup(key, REST_SIZE * POSSIBLE_CPUS)
        if data is None:
            return 0, 0
        words = struct.unpack(f"={len(data) // 8}Q", data)
        return sum(words[::2]), sum(words[1::2])

    def read(self, place: Any = None) -> tuple[Sequence[tuple[bytes, bytes]], Any]:
        """Some streams, packed keys and values, and where to go on; None when that was all.

        Streams that come meanwhile may be missed until the next time.
        """
        spec = self._own["streams"].spec
        count, following = ffi.new("uint32_t *", AT_ONCE), ffi.new("uint32_t *")
        result = lib.bpf_map_lookup_batch(
            self._own["streams"].fd,
            ffi.NULL if place is None else place,
            following,
            self._keys,
            self._values,
            count,
            ffi.NULL,
        )
        if result not in (0, -errno.ENOENT):
            checked("reading the streams", result)
        keys, values = ffi.buffer(self._keys), ffi.buffer(self._values)
        found = [
            (
                keys[n * spec.key_size : (n + 1) * spec.key_size],
                values[n * spec.value_size : (n + 1) * spec.value_size],
            )
            for n in range(count[0])
        ]
        return found, following if result == 0 else None

    def forget(self, key: bytes) -> None:
        """The stream's room is free."""
        self._own["streams"].delete(key)

    def tidy(self, known: Container[bytes]) -> bool:
        """Passes over strangers, noted by the program, that are not among the `known` keys.

        A joined stream that finds no room takes that of the stranger that was noted first. True if
        there may be more to pass over.
        """
        turn, strangers = self._own["strangers_turn"], self._own["strangers"]
        came, went = (
            int.from_bytes(turn.lookup(index, 8) or b"", sys.byteorder) for index in (CAME, WENT)
        )
        first = went = max(went, came - strangers.spec.entries)
        while went < min(came, first + AT_ONCE):
            place = struct.pack("=I", went % strangers.spec.entries)
            if strangers.lookup(place, strangers.spec.value_size) in known:
                break
            went += 1
        if went > first:
            turn.update(WENT, went.to_bytes(8, sys.byteorder))
        return went == first + AT_ONCE

    def close(self) -> None:
        for each in (part for parts in self._programs.values() for part in parts):
            each.close()
        for each in self._own.values():
            each.close()
