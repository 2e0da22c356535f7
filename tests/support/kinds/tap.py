"""Two taps, and a thread that carries frames from one to the other."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

from mcastd_lab import Namespace

from support.kinds.network import Place

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x2, 0x1000
LARGEST = 65536


def tap_pair(place: Place) -> tuple[str, str]:
    """Their names, in the switch and in the host; both are up until the lab ends."""
    names = f"stap{place.number}", f"tap{place.number}"
    ends = [
        opened(namespace, name)
        for namespace, name in zip((place.switch, place.host), names, strict=True)
    ]
    place.lab.keep(Carrier(ends[0], ends[1]))
    place.order(place.switch, f"link set {names[0]} up")
    place.order(place.host, f"link set {names[1]} up")
    return names


def device() -> Path:
    """/dev/net/tun, which comes with its module; FileNotFoundError, later, where there is none."""
    path = Path("/dev/net/tun")
    if not path.exists():
        subprocess.run(["modprobe", "-q", "tun"], check=False)
    return path


def opened(namespace: Namespace, name: str) -> int:
    with namespace.entered():
        fd = os.open(device(), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return fd


class Carrier:
    """Reads each end and writes to the other."""

    def __init__(self, one: int, other: int) -> None:
        self._other = {one: other, other: one}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        while not self._ended.is_set():
            for fd in select.select(list(self._other), [], [], 0.2)[0]:
                with suppress(OSError):  # an end that is down takes nothing
                    os.write(self._other[fd], os.read(fd, LARGEST))

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        for fd in self._other:
            os.close(fd)
