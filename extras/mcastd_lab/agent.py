"""`mcastd run` in a namespace, and questions to it over its control socket."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from mcastd_lab.errors import LabError
from mcastd_lab.namespaces import Namespace
from mcastd_lab.processes import start, stop

COMMAND = (sys.executable, "-m", "mcastd.cli.mcastd", "run")

START_SECONDS = 300.0
"""Compiling takes a few seconds the first time; a loaded machine without KVM takes minutes."""

ANSWER_SECONDS = 120.0

_numbers = count(1)


class AgentError(LabError):
    """The agent does not run, or refuses a request; its words."""


class RunningAgent:
    """The daemon, ready to be asked."""

    def __init__(
        self,
        namespace: Namespace,
        arguments: Sequence[str],
        directory: Path,
        *,
        shows_log: bool = False,
        wrapper: Sequence[str] = (),
    ) -> None:
        """AgentError with the last line of its log if it does not become ready.

        `wrapper`: a command that runs the one that follows it, such as setpriv(1).
        """
        number = next(_numbers)
        self.control = directory / f"control-{number}.sock"
        self._log_path = directory / f"agent-{number}.log"
        with self._log_path.open("wb") as kept, _notified(directory, number) as ready:
            self.process = start(
                namespace,
                [*wrapper, *COMMAND, "--control", str(self.control), *arguments],
                errors=None if shows_log else kept,
                environment=os.environ | {"NOTIFY_SOCKET": str(ready[0])},
            )
            try:
                self._wait_ready(ready[1])
            except BaseException:
                self.close()
                raise

    def _wait_ready(self, notifications: socket.socket) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if select.select([notifications], [], [], 0.05)[0]:
                if b"READY=1" in notifications.recv(4096):
                    return
            elif self.process.poll() is not None:
                lines = self.log().splitlines()
                raise AgentError(lines[-1] if lines else f"exit code {self.process.returncode}")
        raise AgentError(f"not ready after {START_SECONDS:.0f} s")

    def log(self) -> str:
        """What it has said so far, if that was not sent elsewhere."""
        return self._log_path.read_text(errors="replace")

    def ask(self, method: str, **parameters: object) -> Any:
        """One request; AgentError with its words if it refuses."""
        with self.asked(method, **parameters) as lines:
            answer = next(lines, None)
        if answer is None:
            raise AgentError("the agent ended before it answered")
        if "error" in answer:
            raise AgentError(answer["error"]["text"])
        return answer["result"]

    @contextmanager
    def watching(self, **parameters: str) -> Iterator[Iterator[dict[str, Any]]]:
        """Events as they happen; TimeoutError if there is none for ANSWER_SECONDS."""
        with self.asked("watch", **parameters) as lines:
            yield lines

    @contextmanager
    def asked(self, method: str, **parameters: object) -> Iterator[Iterator[Any]]:
        """A connection on which a request was sent: the lines that come."""
        request = {"method": method, "parameters": parameters}
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(ANSWER_SECONDS)
            sock.connect(str(self.control))
            sock.sendall(json.dumps(request).encode() + b"\n")
            with sock.makefile("rb") as stream:
                yield map(json.loads, stream)

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """As if it had crashed."""
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        stop(self.process)


@contextmanager
def _notified(directory: Path, number: int) -> Iterator[tuple[Path, socket.socket]]:
    """A socket for sd_notify(3)."""
    path = directory / f"notify-{number}.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        path.chmod(0o666)  # the daemon may be another user's
        yield path, sock
        path.unlink()
