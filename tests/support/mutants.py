"""Frames that are nearly good: of every kind, with something about them changed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from ipaddress import ip_address

from support.flood import all_frames
from support.golden import golden_messages
from support.packets import ethernet

OWN = tuple(
    ip_address(text).packed for text in ("192.0.2.10", "fe80::10", "239.1.2.4", "ff15::abce")
)
"""Addresses of the interface that they come to."""

SHORTEST, LONGEST = 14, 9000
"""Of the frames that the kernel takes for a test run of XDP, or an interface sends."""


def good_frames() -> list[bytes]:
    flood = [each.frame for each in all_frames(*OWN[:2])]
    return [ethernet(each.packet) for each in golden_messages()] + flood


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """Good frames with bits turned, bytes changed, ends cut off or added, parts exchanged."""
    dice = random.Random(seed)
    seeds = good_frames()
    for _ in range(count):
        frame = bytearray(dice.choice(seeds))
        for _ in range(dice.choice((1, 1, 2, 4))):
            match dice.randrange(5):
                case 0:
                    frame[dice.randrange(len(frame))] ^= 1 << dice.randrange(8)
                case 1:
                    frame[dice.randrange(len(frame))] = dice.choice((0, 1, 2, 4, 58, 127, 255))
                case 2:
                    del frame[dice.randrange(SHORTEST, len(frame) + 1) :]
                case 3:
                    frame += dice.randbytes(dice.choice((1, 2, 7, 64, 600)))
                case 4:
                    other = dice.choice(seeds)
                    at = dice.randrange(SHORTEST, min(len(frame), len(other)) + 1)
                    frame[at:] = other[at:]
            if len(frame) < SHORTEST + 1:
                frame += bytes(SHORTEST)
        yield bytes(frame)
