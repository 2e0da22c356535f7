"""Ethernet frames as a pcapng file, as tshark and others read it. Pure.

Source: draft-ietf-opsawg-pcapng, sections 4.1 to 4.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import pack
from typing import NamedTuple

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
ETHERNET = 1
IF_NAME, IF_TSRESOL, COMMENT, FLAGS = 2, 9, 1, 2
NANOSECONDS = b"\x09"
INBOUND, OUTBOUND = 1, 2
WHOLE = 0
"""Snap length: without a limit."""


class Frame(NamedTuple):
    """`at`: nanoseconds since the epoch; `length`: on the wire; `comment`: empty for none."""

    interface: str
    at: int
    is_outbound: bool
    length: int
    data: bytes
    comment: str = ""


def file(frames: Iterable[Frame]) -> bytes:
    """A whole file; an interface is told of before its first frame."""
    return b"".join(blocks(frames))


def blocks(frames: Iterable[Frame]) -> Iterator[bytes]:
    yield block(SECTION, pack("=IHHq", 0x1A2B3C4D, 1, 0, -1))
    numbers: dict[str, int] = {}
    for frame in frames:
        number = numbers.get(frame.interface)
        if number is None:
            number = numbers[frame.interface] = len(numbers)
            name = option(IF_NAME, frame.interface.encode(errors="replace"))
            resolution = option(IF_TSRESOL, NANOSECONDS)
            yield block(INTERFACE, pack("=HHI", ETHERNET, 0, WHOLE) + name + resolution + END)
        direction = OUTBOUND if frame.is_outbound else INBOUND
        options = option(FLAGS, pack("=I", direction))
        if frame.comment:
            options += option(COMMENT, frame.comment.encode(errors="replace"))
        head = pack(
            "=IIIII", number, frame.at >> 32, frame.at & 0xFFFFFFFF, len(frame.data), frame.length
        )
        yield block(PACKET, head + padded(frame.data) + options + END)


END = bytes(4)
"""opt_endofopt."""


def option(code: int, value: bytes) -> bytes:
    return pack("=HH", code, len(value)) + padded(value)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def block(kind: int, body: bytes) -> bytes:
    length = pack("=I", 12 + len(body))
    return pack("=I", kind) + length + body + length
