"""Why a running agent ends: a signal, or an error that nobody has caught."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal

from mcastd.printable import printable
from mcastd.service.documents import Own
from mcastd.service.faults import OUT_OF_DESCRIPTORS, Fault, Faults, is_of_a_connection

log = logging.getLogger("mcastd")

SHORT = OUT_OF_DESCRIPTORS | {errno.ENOMEM, errno.ENOBUFS, errno.ENOSPC}
"""What the system is short of now and then. That is no bug of ours, and it passes."""


class Ending:
    """Waits for the first reason to end. `failures`: the errors among these reasons."""

    def __init__(self, faults: Faults) -> None:
        self.stopped = asyncio.Event()
        self.failures: list[BaseException] = []
        self._faults = faults

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """SIGTERM, SIGINT and errors that nobody catches end the agent from now on."""
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopped.set)
        loop.set_exception_handler(self.judge)

    def fail(self, error: BaseException | None) -> None:
        """Ends the agent, with this error if there is one."""
        if error is not None:
            self.failures.append(error)
        self.stopped.set()

    def judge(self, _loop: asyncio.AbstractEventLoop, context: Own) -> None:
        """Decides on an error that nobody has caught.

        That of a connection, and a shortage that passes, are told and counted. Any other ends the
        agent: then the kernel goes on, and the service manager starts the agent anew.
        """
        error, message = context.get("exception"), context["message"]
        if is_of_a_connection(context) and isinstance(error, Exception):
            self._faults.tell_error(Fault.CONNECTION, printable(message), error)
        elif isinstance(error, OSError) and error.errno in SHORT:
            self._faults.tell_error(Fault.DESCRIPTORS, printable(message), error)
        else:
            log.critical("%s", message, exc_info=error)
            self.fail(error or RuntimeError(message))

    async def wait(self, following: asyncio.Future[None]) -> None:
        """Until there is a reason to end; an error of `following` is one, and is raised."""
        waiting = asyncio.ensure_future(self.stopped.wait())
        await asyncio.wait((following, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if following.done():
            following.result()
        following.cancel()

    def raise_failure(self) -> None:
        """Raises the first error, if the agent has ended by one."""
        if self.failures:
            raise self.failures[0]
