"""Lists the UDP sockets of this network namespace: where they are bound, what they dropped."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mcastd.net.host_counters import text_of

PROC = Path("/proc")


class UdpSocket(NamedTuple):
    """A line of /proc/net/udp or udp6. `drops`: datagrams, since the socket was made."""

    address: bytes
    port: int
    uid: int
    inode: int
    drops: int

    @property
    def is_wildcard(self) -> bool:
        """Whether it is bound to no address."""
        return not any(self.address)


def udp_sockets(proc: Path = PROC) -> list[UdpSocket]:
    """All of this network namespace, both families."""
    return [each for name in ("udp", "udp6") for each in sockets_in(text_of(proc / "net" / name))]


def sockets_in(text: str) -> Iterator[UdpSocket]:
    """Of /proc/net/udp: addresses are words in the order of the host, ports are not."""
    for line in text.splitlines()[1:]:
        fields = line.split()
        with suppress(ValueError, IndexError):
            address, _, port = fields[1].partition(":")
            yield UdpSocket(
                packed(address), int(port, 16), int(fields[7]), int(fields[9]), int(fields[12])
            )


def packed(words: str) -> bytes:
    """An address of 8 or 32 hexadecimal digits."""
    return b"".join(
        struct.pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8)
    )
