"""Opens the NIC's address filter for groups that no socket of the kernel has joined."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from mcastd.gmp.family import Address
from mcastd.service.transmit import multicast_mac

SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP, PACKET_DROP_MEMBERSHIP, PACKET_MR_MULTICAST = 1, 2, 0


@contextmanager
def suppress_gone() -> Iterator[None]:
    """What is not there needs not be taken away."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EADDRNOTAVAIL, errno.ENODEV, errno.ENXIO):
            raise


class HardwareFilter:
    """Multicast addresses that interfaces receive for this process, and forget when it ends."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def add(self, index: int, group: Address) -> None:
        """OSError if the interface cannot have it, or is gone (ENODEV)."""
        self._change(PACKET_ADD_MEMBERSHIP, index, group)

    def drop(self, index: int, group: Address) -> None:
        """Nothing happens if it was not added, or the interface is gone. OSError."""
        if self._socket is None:
            return
        with suppress_gone():
            self._change(PACKET_DROP_MEMBERSHIP, index, group)

    def _change(self, option: int, index: int, group: Address) -> None:
        if self._socket is None:  # only host mode needs one
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        request = struct.pack("=iHH8s", index, PACKET_MR_MULTICAST, 6, multicast_mac(group))
        self._socket.setsockopt(SOL_PACKET, option, request)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
