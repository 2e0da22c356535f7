"""systemd's side of its descriptor store: what an agent sends it gets when it is started anew."""

from __future__ import annotations

import os
import socket
import sys
import threading
from array import array
from contextlib import suppress
from pathlib import Path

ROOM = 1 << 16

HANDED_OVER = """
import array, os, socket, sys
with socket.socket(socket.AF_UNIX) as sock:
    sock.connect(sys.argv[1])
    sock.sendall(os.environ.get("NOTIFY_SOCKET", "").encode() + b"\\n")
    names, rights, _, _ = sock.recvmsg(65536, 65536)
given = array.array("i")
for _, _, data in rights:
    given.frombytes(data)
away = [os.dup(fd) for fd in given]
high = [os.open("/dev/null", os.O_RDONLY) for _ in range(len(away) + 3)]
moved = [os.dup2(fd, 1000 + place) for place, fd in enumerate(away)]
for place, fd in enumerate(moved):
    os.dup2(fd, 3 + place, inheritable=True)
os.closerange(3 + len(moved), 900)
os.environ.update(
    LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(moved)), LISTEN_FDNAMES=names.decode().strip(),
    NOTIFY_SOCKET=sys.argv[2],
)
os.execvp(sys.argv[3], sys.argv[3:])
"""
"""Runs a command as systemd would: descriptors from 3 on, and who is told of its state."""


class Manager:
    """What it keeps outlasts the agents that are started by `wrapper`, until `stop`."""

    def __init__(self, directory: Path) -> None:
        self.kept: dict[str, int] = {}
        self.told: list[str] = []
        self.refused = 0
        """Messages that are no good; the real one would misunderstand them."""
        self._notify, self._hand = directory / "manager.notify", directory / "manager.hand"
        self._told_by = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._told_by.bind(str(self._notify))
        self._asked_by = socket.socket(socket.AF_UNIX)
        self._asked_by.bind(str(self._hand))
        self._asked_by.listen()
        self._listener = ""
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=each, daemon=True) for each in (self._listen, self._answer)
        ]
        for each in self._threads:
            each.start()

    @property
    def wrapper(self) -> list[str]:
        """For the agent's command."""
        return [sys.executable, "-c", HANDED_OVER, str(self._hand), str(self._notify)]

    def _listen(self) -> None:
        while True:
            data, rights, _, _ = self._told_by.recvmsg(4096, ROOM)
            if data == b"END":
                return
            given = array("i")
            for _, _, packed in rights:
                given.frombytes(packed)
            self._take(data.decode(), list(given))

    def _take(self, text: str, descriptors: list[int]) -> None:
        fields = dict(line.partition("=")[::2] for line in text.splitlines())
        name = fields.get("FDNAME", "stored")
        with self._lock:
            self.told.append(text)
            if "FDSTOREREMOVE" in fields:
                if name in self.kept:
                    os.close(self.kept.pop(name))
            elif "FDSTORE" in fields:
                self.refused += fields.get("FDPOLL") != "0" or name in self.kept
                (self.kept[name],) = descriptors
        if "READY" in fields and self._listener:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, suppress(OSError):
                sock.sendto(text.encode(), self._listener)

    def _answer(self) -> None:
        while True:
            connection, _ = self._asked_by.accept()
            with connection, connection.makefile("rb") as stream:
                self._listener = stream.readline().decode().strip()
                if self._listener == "END":
                    return
                with self._lock:
                    rights = array("i", self.kept.values())
                    names = ":".join(self.kept).encode() + b"\n"
                    connection.sendmsg([names], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])

    def stop(self) -> None:
        """As `systemctl stop`, when the process is gone: nothing is kept any more."""
        with self._lock:
            for each in self.kept.values():
                os.close(each)
            self.kept.clear()

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"END", str(self._notify))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self._hand))
            sock.sendall(b"END\n")
        for each in self._threads:
            each.join()
        self._told_by.close()
        self._asked_by.close()
        self.stop()
        assert not self.refused, self.told
