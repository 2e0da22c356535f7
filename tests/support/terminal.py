"""A program on a terminal of its own, whose screen can be read."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping
from typing import Any

import pyte

from support.waiting import eventually, stretched


class Terminal:
    """Runs a command on it; what it shows is read beside."""

    def __init__(
        self, command: list[str], *, lines: int, columns: int, env: Mapping[str, str] | None = None
    ) -> None:
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._near, far = os.openpty()
        self._set_size(lines, columns)
        self.raw = bytearray()
        self.process = subprocess.Popen(
            command, stdin=far, stdout=far, stderr=far, start_new_session=True,
            env={**os.environ, "TERM": "linux", "LC_ALL": "C.UTF-8", **(env or {})},
        )  # fmt: skip
        os.close(far)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._near, 65536)
            except OSError:  # nobody is left at the other end
                return
            if not data:
                return
            with self._lock:
                self.raw += data
                self._stream.feed(data)

    def _set_size(self, lines: int, columns: int) -> None:
        fcntl.ioctl(self._near, termios.TIOCSWINSZ, struct.pack("4H", lines, columns, 0, 0))

    def resize(self, lines: int, columns: int) -> None:
        with self._lock:
            self._screen.resize(lines, columns)
        self._set_size(lines, columns)
        self.process.send_signal(signal.SIGWINCH)

    def press(self, keys: str) -> None:
        select.select([], [self._near], [], stretched(10))
        os.write(self._near, keys.encode())

    def lines(self) -> list[str]:
        with self._lock:
            return [each.rstrip() for each in self._screen.display]

    def text(self) -> str:
        return "\n".join(self.lines())

    def cells(self) -> list[list[Any]]:
        """Characters with their colours, by line."""
        with self._lock:
            width = range(self._screen.columns)
            return [[self._screen.buffer[y][x] for x in width] for y in range(self._screen.lines)]

    def expect(self, *texts: str, lacks: str | None = None) -> None:
        """Waits until all of these stand on the screen, and what it shall lack does not."""

        def is_shown() -> bool:
            shown = self.text()
            assert all(each in shown for each in texts), shown
            assert lacks is None or lacks not in shown, shown
            return True

        eventually(is_shown, what=f"{texts} without {lacks}")

    def end(self) -> int:
        """Waits for the program, which was told to end. Its exit status."""
        status = self.process.wait(stretched(20))
        self._reader.join(stretched(20))
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(stretched(20))
        os.close(self._near)
