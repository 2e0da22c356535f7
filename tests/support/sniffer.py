"""What passes a wire: IGMP and MLD messages, taken apart by hand and not by the product."""

from __future__ import annotations

import errno
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from mcastd_lab import Namespace

ETH_P_ALL, SOL_SOCKET, SO_RCVBUFFORCE = 3, socket.SOL_SOCKET, 33
SO_TIMESTAMPNS, TIMESPEC = 35, struct.Struct("qq")
SPACE_FOR_TIME = socket.CMSG_SPACE(TIMESPEC.size)
PACKET_OUTGOING = 4
MLD_TYPES = {130: "query", 131: "report1", 132: "leave", 143: "report"}
IGMP_TYPES = {0x11: "query", 0x12: "report1", 0x16: "report2", 0x17: "leave", 0x22: "report"}
RECORDS = {1: "IS_IN", 2: "IS_EX", 3: "TO_IN", 4: "TO_EX", 5: "ALLOW", 6: "BLOCK"}


@dataclass(frozen=True)
class Seen:
    """A message. `at`: when it passed (CLOCK_MONOTONIC). `records`: type, group, sources."""

    at: float
    from_host: bool
    protocol: str
    what: str
    frame: bytes
    source: str
    message: bytes
    records: tuple[tuple[str, str, frozenset[str]], ...] = field(default=())

    @property
    def group(self) -> str:
        start, width = (4, 4) if self.protocol == "igmp" else (8, 16)
        return str(ip_address(self.message[start : start + width]))


class Sniffer:
    """Listens on an interface of the switch from now on, in a thread."""

    def __init__(self, namespace: Namespace, interface: str) -> None:
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._socket.bind((interface, ETH_P_ALL))
        self._socket.setsockopt(SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._socket.setsockopt(SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.settimeout(0.1)
        self._seen: list[Seen] = []
        self._told = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._ended.is_set():
            try:
                frame, ancillary, _, address = self._socket.recvmsg(65536, SPACE_FOR_TIME)
            except TimeoutError:
                continue
            except OSError as error:
                if error.errno == errno.ENETDOWN:  # said once; it may come up again
                    continue
                return
            seen = parsed(frame, passed_at(ancillary), address)
            if seen is not None:
                self._seen.append(seen)

    def news(self) -> list[Seen]:
        """What has been seen since this was asked before."""
        found = self._seen[self._told :]
        self._told += len(found)
        return found

    def seen(self, since: float = 0.0) -> list[Seen]:
        return [each for each in list(self._seen) if each.at >= since]

    def queries(self, since: float = 0.0) -> Iterator[Seen]:
        """To the host."""
        return (e for e in self.seen(since) if not e.from_host and e.what == "query")

    def spoken(self, since: float = 0.0, protocol: str | None = None) -> list[Seen]:
        """What the host said."""
        return [
            each
            for each in self.seen(since)
            if each.from_host and protocol in (None, each.protocol)
        ]

    def records(self, group: str, since: float = 0.0) -> list[tuple[str, frozenset[str]]]:
        """What the host said of a group in its newest versions."""
        return [
            (type_, sources)
            for each in self.spoken(since)
            for type_, about, sources in each.records
            if about == group
        ]

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()


def passed_at(ancillary: list[tuple[int, int, bytes]]) -> float:
    """The kernel's time of a frame as CLOCK_MONOTONIC has it: this thread may come late to it."""
    (_, _, timespec), *_ = ancillary
    seconds, nanoseconds = TIMESPEC.unpack(timespec)
    return float(seconds + nanoseconds / 1e9 - (time.time() - time.monotonic()))


def parsed(frame: bytes, at: float, address: Any) -> Seen | None:
    """None for what is neither IGMP nor MLD."""
    from_host = address[2] != PACKET_OUTGOING
    ethertype = int.from_bytes(frame[12:14], "big")
    if ethertype == 0x0800 and frame[23] == 2:
        message = frame[14 + 4 * (frame[14] & 15) : 14 + int.from_bytes(frame[16:18], "big")]
        what, source = IGMP_TYPES.get(message[0]), str(ip_address(frame[26:30]))
        protocol, width = "igmp", 4
    elif ethertype == 0x86DD and frame[20] == 0 and frame[54] == 58:
        message, source = frame[62:], str(ip_address(frame[22:38]))
        what, protocol, width = MLD_TYPES.get(message[0]), "mld", 16
    else:
        return None
    if what is None:
        return None
    records = tuple(records_of(message, width)) if what == "report" else ()
    return Seen(at, from_host, protocol, what, frame, source, message, records)


def records_of(message: bytes, width: int) -> Iterator[tuple[str, str, frozenset[str]]]:
    offset = 8
    for _ in range(int.from_bytes(message[6:8], "big")):
        count = int.from_bytes(message[offset + 2 : offset + 4], "big")
        start = offset + 4
        addresses = [
            str(ip_address(message[start + i * width : start + (i + 1) * width]))
            for i in range(count + 1)
        ]
        yield RECORDS[message[offset]], addresses[0], frozenset(addresses[1:])
        offset = start + (count + 1) * width + 4 * message[offset + 1]
