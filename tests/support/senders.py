"""Programs that send streams, and a hop behind them that drops, repeats and delays by dice."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from struct import pack
from typing import NamedTuple

import pytest
from mcastd_lab import Namespace

from support import capture_files as files

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33

VIDEO = ("-f", "lavfi", "-i", "testsrc=size=320x240:rate=25", "-t", "6")


def ffmpeg(*output: str) -> list[str]:
    return ["ffmpeg", "-loglevel", "error", *VIDEO, *output]


def gstreamer(group: str, port: int) -> list[str]:
    source = "audiotestsrc num-buffers=800 samplesperbuffer=240 is-live=false"
    return [
        "gst-launch-1.0", "-q", *source.split(), "!", "audioconvert", "!", "rtpL16pay", "mtu=500",
        "!", "udpsink", f"host={group}", f"port={port}", "sync=false",
    ]  # fmt: skip


def multicat(file: Path, group: str, port: int, source: str) -> list[str]:
    return ["multicat", "-X", "-T", str(file), f"{group}:{port}@{source}"]


class Passed(NamedTuple):
    """What the hop saw, and what it let through; frames with their times, ns since 1970."""

    before: list[tuple[int, bytes]]
    after: list[tuple[int, bytes]]


class Hop:
    """Takes what comes in on an interface and, by a seed, passes it on, or not, or later.

    `drops`, `repeats`, `delays`: how likely each is, of a datagram to `group` and `port`. A delayed
    one comes behind the next. `onto`: another interface of the namespace, where what is passed on
    goes out, with all datagrams to other groups and ports.
    """

    def __init__(
        self,
        namespace: Namespace,
        name: str,
        group: str,
        port: int,
        *,
        seed: int = 1,
        drops: float = 0.0,
        repeats: float = 0.0,
        delays: float = 0.0,
        onto: str | None = None,
    ) -> None:
        self.passed = Passed([], [])
        self._group, self._port = socket.inet_aton(group), port.to_bytes(2)
        self._dice = Random(seed)
        self._chances = drops, repeats, delays
        self._held: tuple[int, bytes] | None = None
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self._socket.bind((name, ETH_P_ALL))
            self._onto = None
            if onto is not None:
                self._onto = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
                self._onto.bind((onto, 0))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._socket.settimeout(0.1)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                frame = self._socket.recv(65536)
            except TimeoutError:
                if self._ended.is_set():
                    return
                continue
            if (frame[23], frame[30:34], frame[36:38]) == (17, self._group, self._port):
                self._take((time.time_ns(), frame))
            elif frame[0] & 1:
                self._pass_on(frame)

    def _pass_on(self, frame: bytes) -> None:
        if self._onto is not None:
            self._onto.send(frame)

    def _take(self, each: tuple[int, bytes]) -> None:
        """The first few pass: what a stream is, is told by them."""
        self.passed.before.append(each)
        drops, repeats, delays = self._chances
        chance = self._dice.random() if len(self.passed.before) > 4 else 1.0
        if chance < drops:
            return
        if chance < drops + delays and self._held is None:
            self._held = each
            return
        out = [each, each] if drops + delays <= chance < drops + delays + repeats else [each]
        if self._held is not None:
            out.append(self._held)
            self._held = None
        self.passed.after.extend((each[0], frame) for _, frame in out)
        for _, frame in out:
            self._pass_on(frame)

    def close(self) -> Passed:
        """All that had come until now has been taken."""
        self._ended.set()
        self._thread.join()
        self._socket.close()
        if self._onto is not None:
            self._onto.close()
        return self.passed


def capture(frames: list[tuple[int, bytes]]) -> bytes:
    file = files.pcap(magic=files.NANOSECONDS)
    for at, frame in frames:
        seconds, rest = divmod(at, 1_000_000_000)
        file += pack("<IIII", seconds, rest, len(frame), len(frame)) + frame
    return file


def run(namespace: Namespace, command: list[str]) -> None:
    """Until it ends; skipped where it is not installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    with namespace.entered():
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


class RtpStream(NamedTuple):
    """What tshark says of one."""

    ssrc: int
    packets: int
    lost: int


def tshark_streams(file: Path) -> list[RtpStream]:
    """`-z rtp,streams`. Packets that are no known port's are taken for RTP where they look so."""
    done = subprocess.run(
        ["tshark", "-r", file, "-q", "-o", "rtp.heuristic_rtp:TRUE", "--enable-heuristic",
         "rtp_udp", "-z", "rtp,streams"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = []
    for line in done.stdout.splitlines():
        words = line.split()
        at = next((n for n, word in enumerate(words) if word.startswith("0x")), None)
        if at is not None:
            rest = words[at + 1 :]
            lost = next(n for n, word in enumerate(rest) if word.startswith("("))
            found.append(RtpStream(int(words[at], 16), int(rest[lost - 2]), int(rest[lost - 1])))
    return found


Maker = Callable[[Path], list[str]]
