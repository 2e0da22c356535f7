"""Reads the exact counters of the interfaces, summed over all CPUs."""

from __future__ import annotations

import struct
from typing import NamedTuple

from mcastd import _native
from mcastd._libbpf import ffi, lib
from mcastd._native import lib as abi
from mcastd.fastpath.kernel import Map, checked

KINDS = 16
REASONS = 16
RINGS = ("query", "report", "egress")
CAUSES = ("ring_full", "rate_limited")
DIRECTIONS = ("rx", "tx")
PROTOCOLS = ("igmp", "mld")

SIZE: int = _native.ffi.sizeof("struct mcast_counters")
WORDS = SIZE // 8
POSSIBLE_CPUS: int = lib.libbpf_num_possible_cpus()


class Counters(NamedTuple):
    """struct mcast_counters of bpf/abi.h, packets since the agent started.

    `accepted[direction][kind]`, `rejected[direction][protocol][reason]`, `events[ring]`,
    `lost[ring][cause]`, in host mode the kernel's reports that were `held_back` under a cap and the
    older queries `consumed`, by protocol, what was `discarded[ring][protocol]` beyond the limits,
    and the reports of others `passing` by the interface, by protocol; the indices are the C enums'
    and the tuples' above.
    """

    accepted: tuple[tuple[int, ...], ...]
    rejected: tuple[tuple[tuple[int, ...], ...], ...]
    events: tuple[int, ...]
    lost: tuple[tuple[int, ...], ...]
    held_back: tuple[int, ...]
    consumed: tuple[int, ...]
    discarded: tuple[tuple[int, ...], ...]
    passing: tuple[int, ...]

    @classmethod
    def from_words(cls, words: list[int]) -> Counters:
        rejected, events = 2 * KINDS, 2 * KINDS + 4 * REASONS
        lost = events + len(RINGS)
        held_back = lost + len(RINGS) * len(CAUSES)
        consumed = held_back + len(PROTOCOLS)
        discarded = consumed + len(PROTOCOLS)
        passing = discarded + 2 * len(PROTOCOLS)

        def part(start: int, size: int, count: int) -> tuple[tuple[int, ...], ...]:
            return tuple(
                tuple(words[start + i * size : start + (i + 1) * size]) for i in range(count)
            )

        reasons = part(rejected, REASONS, 4)
        return cls(
            part(0, KINDS, 2),
            (reasons[:2], reasons[2:]),
            tuple(words[events:lost]),
            part(lost, len(CAUSES), len(RINGS)),
            tuple(words[held_back:consumed]),
            tuple(words[consumed:discarded]),
            part(discarded, len(PROTOCOLS), 2),
            tuple(words[passing : passing + len(PROTOCOLS)]),
        )


ZERO = Counters.from_words([0] * WORDS)


class Reader:
    """Reads the counters of all slots; those that are as they were are not made anew."""

    def __init__(self, counters: Map) -> None:
        self._map = counters
        self._words: list[bytes] = []
        self._values: list[Counters] = []

    def read(self, slots: int) -> list[Counters]:
        """Those of the first slots; one call into the kernel. OSError."""
        sums = ffi.new("uint64_t[]", slots * WORDS)
        checked("reading the counters", lib.mcast_counters_read(self._map.fd, slots, WORDS, sums))
        data = bytes(ffi.buffer(sums))
        for slot in range(slots):
            words = data[slot * SIZE : (slot + 1) * SIZE]
            if slot == len(self._words):
                self._words.append(b"")
                self._values.append(ZERO)
            if words != self._words[slot]:
                self._words[slot] = words
                self._values[slot] = Counters.from_words(list(struct.unpack(f"={WORDS}Q", words)))
        return self._values[:slots]


def read(counters: Map, slots: int) -> list[Counters]:
    """Those of the first slots; one call into the kernel. OSError."""
    return Reader(counters).read(slots)


def clear(counters: Map, slot: int) -> None:
    """All to zero; no interface may use the slot at that moment."""
    counters.update(struct.pack("=I", slot), bytes(SIZE * POSSIBLE_CPUS))


assert abi.MCAST_KINDS == KINDS
assert abi.MCAST_REASONS == REASONS
