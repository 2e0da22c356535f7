"""A client of the agent's control socket, for programs and for `mcastctl`.

with Client() as client:
    client.join("eth0", "232.1.1.1", sources=["10.0.0.2"], hold=True)
    ...                           # held until the client is closed
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mcastd.printable import printable

DEFAULT_SOCKET = "/run/mcastd/control.sock"


class AgentError(Exception):
    """The agent says no; `code` is for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class NotThereError(Exception):
    """There is no agent at the socket, or it has ended."""


def socket_path() -> str:
    return os.environ.get("MCASTD_CONTROL", DEFAULT_SOCKET)


def program_name() -> str | None:
    """What this program is called: an agent that may not look it up is told so."""
    name = printable(Path(sys.argv[0]).name if sys.argv else "")[:64].strip()
    return name or None


class Client:
    """A connection; what is joined with `hold` ends with it."""

    def __init__(self, path: str | None = None) -> None:
        """NotThereError, with a remedy, if nobody listens or reading is not permitted."""
        path = path or socket_path()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            remedy = (
                "is mcastd running? (--control PATH names another socket)"
                if isinstance(error, FileNotFoundError | ConnectionRefusedError)
                else "members of control.group and root may read"
            )
            raise NotThereError(f"{path}: {error.strerror}: {remedy}") from None
        self._stream = self._socket.makefile("rb")
        self.lacking: dict[str, str] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of a request; AgentError if it is refused.

        `lacking` says afterwards of which network namespaces it has nothing, and why.
        """
        self._send(method, parameters)
        answer = self._answer(self._line())
        self.lacking = answer.get("lacking", {})
        return answer["result"]

    def join(
        self,
        interface: str,
        group: str,
        *,
        sources: Sequence[str] = (),
        exclude: bool = False,
        name: str | None = None,
        hold: bool = False,
        kernel: bool = False,
        hold_after_leave: int = 0,
    ) -> Any:
        """Joins a group, as application `name`: from these sources, all but them, or any.

        `kernel`: by sockets of the agent's, for which the kernel speaks. `hold_after_leave`:
        seconds for which the membership stays in force when it was left.
        """
        return self.call(
            "join",
            name=interface,
            group=group,
            sources=list(sources),
            exclude=exclude,
            hold=hold,
            kernel=kernel,
            program=program_name(),
            **({"as": name} if name else {}),
            **({"hold_after_leave": hold_after_leave} if hold_after_leave else {}),
        )

    def leave(
        self,
        interface: str,
        group: str,
        *,
        sources: Sequence[str] = (),
        name: str | None = None,
        now: bool = False,
    ) -> bool:
        """Ends a membership, or takes sources from it; whether there was one. `now`: also one that
        was to be held after it was left.
        """
        named = {"as": name} if name else {}
        answer = self.call(
            "leave",
            name=interface,
            group=group,
            sources=list(sources),
            program=program_name(),
            **named,
            **({"now": True} if now else {}),
        )
        return bool(answer["left"])

    def watch(self, **wanted: str) -> Iterator[dict[str, Any]]:
        """Events for ever; `type` and `interface` choose some."""
        self._send("watch", wanted)
        while True:
            event = json.loads(self._line())
            if "error" in event:
                self._answer(json.dumps(event).encode())
            yield event

    def wait(self) -> None:
        """Until the agent ends."""
        while self._stream.read(4096):
            pass

    def _send(self, method: str, parameters: dict[str, Any]) -> None:
        request = json.dumps({"method": method, "parameters": parameters})
        # An agent that has closed the connection may have said why: reading tells.
        with suppress(OSError):
            self._socket.sendall(request.encode() + b"\n", socket.MSG_NOSIGNAL)

    def _line(self) -> bytes:
        try:
            line = self._stream.readline()
        except OSError:
            line = b""
        if not line.endswith(b"\n"):  # half an answer is none
            raise NotThereError("the agent has ended")
        return line

    @staticmethod
    def _answer(line: bytes) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise AgentError(answer["error"]["code"], answer["error"]["text"])
        return answer
