"""Whether an interface has an XDP program, asked of the kernel from outside whoever attaches it.

Nothing but netlink is used, and as little of it as can be, so that asking disturbs hardly at all.
"""

from __future__ import annotations

import socket
import struct

from mcastd_lab import Namespace

RTM_GETLINK = 18
NLM_F_REQUEST = 1
IFLA_EXT_MASK, IFLA_XDP, IFLA_XDP_ATTACHED = 29, 43, 2
RTEXT_FILTER_SKIP_STATS = 8
NESTED = 1 << 15
"""NLA_F_NESTED, a flag in an attribute's type."""

HEADERS = 16 + 16
"""struct nlmsghdr and struct ifinfomsg."""


class Probe:
    """An open question about one interface."""

    def __init__(self, namespace: Namespace, name: str) -> None:
        index = namespace.index(name)
        with namespace.entered():
            self._sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._sock.settimeout(10)
        body = struct.pack("=BxHiII", 0, 0, index, 0, 0)
        body += struct.pack("=HHI", 8, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
        head = struct.pack("=IHHII", 16 + len(body), RTM_GETLINK, NLM_F_REQUEST, 0, 0)
        self._request = head + body

    def is_attached(self) -> bool:
        """Whether there is an XDP program of any kind now. OSError."""
        self._sock.send(self._request)
        answer = attributes(self._sock.recv(65536)[HEADERS:])
        return attributes(answer.get(IFLA_XDP, b"")).get(IFLA_XDP_ATTACHED, b"\0") != b"\0"

    def close(self) -> None:
        self._sock.close()


def attributes(data: bytes) -> dict[int, bytes]:
    """Netlink attributes by type: struct nlattr, and its payload padded to four bytes."""
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        found[kind & ~NESTED] = data[at + 4 : at + length]
        at += max(length + 3 & ~3, 4)
    return found
