"""Asks the programs of an interface a question that no network sees: whether they still answer."""

from __future__ import annotations

import struct

from mcastd.fastpath.kernel import Program
from mcastd.fastpath.test_run import run

PROBE = bytes.fromhex(
    "0800 46000024 00000000 010244d3 00000000 e0000001 94040000 110aecf3 00000000 02020000"
)
"""What follows the hardware addresses of a question to ourselves: a general query of IGMPv3."""


def ask(program: Program, ifindex: int, address: bytes) -> None:
    """Has the program see a query that comes from this hardware address, and goes to it. OSError.

    The kernel runs the program on a frame in memory: nothing is sent or received.
    """
    frame = 2 * address + PROBE
    context = struct.pack("=6I", 0, len(frame), 0, ifindex, 0, 0)
    run(program, frame, context)
