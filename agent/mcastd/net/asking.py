"""Asks netlink single questions, which the kernel answers at once; dumps are for a thread."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

from mcastd.net.rtnetlink import (
    HEADER,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    Kind,
    Message,
    error_of,
    messages,
)

PATIENCE_SECONDS = 5.0
LARGEST = 256 << 10
NLATTR = struct.Struct("=HH")
"""struct nlattr: length with this head, and type."""

IFINFOMSG = struct.Struct("=BBHiII")
"""struct ifinfomsg: family, type, index, flags, mask of changes."""

TYPE_MASK = 0x3FFF
"""Without NLA_F_NESTED and NLA_F_NET_BYTEORDER."""


def request(kind: int, body: bytes, *, dump: bool = False) -> bytes:
    """A message to the kernel."""
    flags = NLM_F_REQUEST | (NLM_F_DUMP if dump else 0)
    return HEADER.pack(HEADER.size + len(body), kind, flags, 1, 0) + body


def ask(
    question: bytes, *, dump: bool = False, protocol: int = socket.NETLINK_ROUTE
) -> Iterator[Message]:
    """The answers. OSError if the kernel refuses."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as sock:
        sock.settimeout(PATIENCE_SECONDS)
        sock.bind((0, 0))
        sock.send(question)
        while True:
            for message in messages(sock.recv(LARGEST)):
                if message.type == Kind.ERROR or (message.type == Kind.DONE and error_of(message)):
                    error = error_of(message)
                    raise OSError(error, os.strerror(error))
                if message.type == Kind.DONE:
                    return
                yield message
            if not dump:
                return


def ask_for_link(index: int) -> Message:
    """What the kernel says of a link: RTM_NEWLINK. OSError if there is no such link."""
    (answer,) = ask(request(Kind.GET_LINK, IFINFOMSG.pack(0, 0, 0, index, 0, 0)))
    return answer


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Types and contents, one after the other; what follows a length that cannot be is left."""
    at = 0
    while at + NLATTR.size <= len(data):
        length, kind = NLATTR.unpack_from(data, at)
        if length < NLATTR.size or at + length > len(data):
            return
        yield kind & TYPE_MASK, data[at + NLATTR.size : at + length]
        at += length + 3 & ~3
