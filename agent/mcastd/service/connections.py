"""Accepts clients and bounds what they use: their number, their memory, their time.

What a client says is taken from the kernel only as it is asked for, what it is told waits in
pieces; so a client that is slow, greedy or silent costs what its limits say and harms nobody else.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from mcastd.service.faults import OUT_OF_DESCRIPTORS, Fault, Faults

ACCEPTED_AT_ONCE = 16
"""In one turn of the loop."""

AT_ONCE = 16 * 1024
"""Bytes that are taken from a client in one piece."""

SEND_SECONDS = 10.0
"""For a piece of an answer: who does not take it by then is closed."""

PIECE = 64 * 1024
"""Bytes of an answer that are handed to the kernel at once."""

AGAIN_SECONDS = 0.25
"""When nobody can be let in, until it is tried again."""

SPARE = 6
"""Descriptors kept for the day when there are no others: root's connections are let in by them."""


class TooLongError(Exception):
    """A line that does not end where it must."""


class SlowError(Exception):
    """A client that does not read what it is told."""


class GoneError(ConnectionError):
    """A client that closed its socket before it was answered."""


class Connection:
    """One client's socket.

    `uid`: whose it is, where that is known. `is_waiting`: it has not asked for anything yet.
    `is_ordering`: what it asked for is done even if it does not wait for the answer.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.socket = sock
        self.uid = 0
        self.is_waiting = True
        self.is_ordering = False
        self.since = asyncio.get_running_loop().time()
        self._received = bytearray()

    async def receive(self) -> bytes:
        """What has come, b"" at the end."""
        return await asyncio.get_running_loop().sock_recv(self.socket, AT_ONCE)

    async def line(self, longest: int) -> bytes:
        """The next line, what is there at the end, b"" after it. TooLongError; may be called anew
        with another limit then.
        """
        looked = 0
        while (end := self._received.find(b"\n", looked)) < 0:
            looked = len(self._received)
            if looked > longest:
                raise TooLongError
            piece = await self.receive()
            if not piece:
                end = looked - 1
                break
            self._received += piece
        if end >= longest:
            raise TooLongError
        line = bytes(self._received[: end + 1])
        del self._received[: end + 1]
        return line

    async def send(self, content: bytes, within: float = SEND_SECONDS) -> None:
        """SlowError if the client does not take all of it in time. ConnectionError."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(within):
                for start in range(0, len(content), PIECE):
                    await loop.sock_sendall(self.socket, content[start : start + PIECE])
        except TimeoutError:
            raise SlowError from None

    def close(self) -> None:
        self.socket.close()


def gone(connections: Iterable[Connection]) -> set[Connection]:
    """Those whose other end is closed in both directions: nobody can read an answer there."""
    found = {each.socket.fileno(): each for each in connections}
    poll = select.poll()
    for descriptor in found:
        poll.register(descriptor, 0)  # that a socket is dead is told unasked
    return {found[descriptor] for descriptor, _ in poll.poll(0)}


class Turnstile:
    """Lets one piece of clients' work through in each turn of the loop, first come, first served.

    async with turnstile:
        ...  # a few milliseconds of work

    async with turnstile.for_answer(connection):
        ...  # likewise; GoneError if nobody is there any more whom it would be told
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        try:
            await asyncio.sleep(0)
        except BaseException:
            self._lock.release()
            raise

    async def __aexit__(self, *_exception: object) -> None:
        self._lock.release()

    @asynccontextmanager
    async def for_answer(self, connection: Connection) -> AsyncIterator[None]:
        async with self:
            if gone([connection]):
                raise GoneError
            yield


class Guest(Protocol):
    """How a door decides, and what it does with who is let in."""

    def admit(self, connection: Connection, others: set[Connection]) -> bool | bytes:
        """Whether it may come in, or what it is told instead."""

    def is_privileged(self, sock: socket.socket) -> bool:
        """Whether spare descriptors are for it."""

    def has_room(self, others: set[Connection]) -> bool:
        """Whether anybody can be let in now; it may make room by ending others."""

    def serve(self, connection: Connection) -> Awaitable[None]:
        """Until the client goes, or has said all."""


class Door:
    """A listening socket: who comes is let in, served in a task of its own, and counted.

    `name`: the label of the metrics. `closed`: how many were ended or sent away, by reason.
    """

    REASONS = ("refused", "idle", "slow", "failed")

    def __init__(self, name: str, guest: Guest, faults: Faults) -> None:
        self.name = name
        self.closed: Counter[str] = Counter({each: 0 for each in self.REASONS})
        self._guest = guest
        self._faults = faults
        self._listening: socket.socket | None = None
        self._tasks: dict[Connection, asyncio.Task[None]] = {}
        self._spare: list[int] = []
        self._again: asyncio.TimerHandle | None = None

    @property
    def clients(self) -> int:
        return len(self._tasks)

    def open(self, listening: socket.socket) -> None:
        """Lets in who comes from now on; the socket is the door's."""
        listening.setblocking(False)
        listening.listen(socket.SOMAXCONN)
        self._listening = listening
        self._loop = asyncio.get_running_loop()
        self._keep_spare()
        self._loop.add_reader(listening, self._accept_some)

    def bring(self, sock: socket.socket) -> None:
        """Lets in one who has come by another way; the socket is the door's."""
        self._let_in(sock)

    async def close(self) -> None:
        """Lets nobody in any more, and ends all who are."""
        if self._listening is not None:
            self._loop.remove_reader(self._listening)
            self._listening.close()
            self._listening = None
        if self._again is not None:
            self._again.cancel()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for descriptor in self._spare:
            os.close(descriptor)
        self._spare.clear()

    def end(self, connection: Connection, reason: str) -> None:
        """Ends one who is in."""
        self.closed[reason] += 1
        self._tasks[connection].cancel()

    def end_gone(self) -> set[Connection]:
        """Ends those who are gone, and of whom nothing is to be done any more."""
        found = {each for each in gone(self._tasks) if not each.is_ordering}
        for each in found:
            self._tasks[each].cancel()
        return found

    # Coming in.

    def _accept_some(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            if not self._guest.has_room(set(self._tasks)):
                self._pause()
                return
            try:
                if not self._accept():
                    return
            except ConnectionError:
                continue  # who had gone again when it was its turn
            except OSError as error:
                self._faults.tell_error(Fault.CONNECTION, f"{self.name} socket", error)
                self._pause()
                return

    def _accept(self) -> bool:
        """Whether somebody was there. OSError."""
        assert self._listening is not None
        try:
            sock, _ = self._listening.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in OUT_OF_DESCRIPTORS:
                raise
            self._faults.tell_error(Fault.DESCRIPTORS, f"{self.name} socket", error)
            return self._accept_by_spare()
        self._let_in(sock)
        return True

    def _accept_by_spare(self) -> bool:
        """Lets in the privileged, and sends all others away: else they would wait for ever."""
        assert self._listening is not None
        if self._spare:
            os.close(self._spare.pop())
        try:
            sock, _ = self._listening.accept()
        except BlockingIOError:
            self._keep_spare()
            return False
        except OSError:
            self._pause()
            return False
        if self._guest.is_privileged(sock):
            self._let_in(sock)
        else:
            self.closed["refused"] += 1
            sock.close()
            self._keep_spare()
        return True

    def _let_in(self, sock: socket.socket) -> None:
        connection = Connection(sock)
        told = self._guest.admit(connection, set(self._tasks))
        if told is not True:
            self.closed["refused"] += 1
            if told:
                with suppress(OSError):
                    sock.send(told)
            sock.close()
            return
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._tasks[connection] = task
        task.add_done_callback(lambda _task: self._went(connection))

    async def _serve(self, connection: Connection) -> None:
        """What goes wrong with a client is the end of its connection, and of nothing else."""
        try:
            await self._guest.serve(connection)
        except TimeoutError:
            self.closed["idle"] += 1
        except SlowError:
            self.closed["slow"] += 1
        except ConnectionError:
            pass  # nobody is there to be told
        except Exception as error:
            self.closed["failed"] += 1
            self._faults.tell_error(Fault.CONNECTION, f"a client of the {self.name} socket", error)

    def _went(self, connection: Connection) -> None:
        connection.close()
        self._tasks.pop(connection, None)
        self._keep_spare()
        if self._again is not None:
            self._resume()

    # When nobody can be let in.

    def _pause(self) -> None:
        if self._again is None and self._listening is not None:
            self._loop.remove_reader(self._listening)
            self._again = self._loop.call_later(AGAIN_SECONDS, self._resume)

    def _resume(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        if self._listening is not None:
            self._keep_spare()
            self._loop.add_reader(self._listening, self._accept_some)

    def _keep_spare(self) -> None:
        with suppress(OSError):
            while len(self._spare) < SPARE:
                self._spare.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
