"""Reads what the kernel receives in a thread, and only when it may have changed.

A reading goes through all files of all processes; it is made in a thread, nearly all of it is the
kernel's work, and after each there is a pause that grows with what it cost.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from mcastd.gmp.family import Address
from mcastd.gmp.time import Instant, in_seconds
from mcastd.net.proc import Receives, receives
from mcastd.service.clock import now
from mcastd.service.joined import Change, Joined, Look, changes, held
from mcastd.service.programs import JoinedSockets

log = logging.getLogger("mcastd")

SHORTEST_PAUSE_SECONDS = 0.005
PAUSE_SHARE = 4
"""Between two readings: so many times what one took."""

POLL_SECONDS = 5.0
POLL_HOLDING_SECONDS = 1.0
"""Between two readings when nothing has happened: not every change of a socket makes the kernel say
something. Shorter while the agent speaks for the kernel."""

POLL_SHARE = 50
"""And never more often than one part in so many of the time."""

Known = Mapping[int, Mapping[Address, Joined]]


class KernelReader:
    """One reading at a time; who asks while one is under way waits for the next.

    `sockets`: the iterator over them, once there is one. `known` says what is known of each
    interface, by index; `apply` takes what is otherwise. `is_holding`: whether the agent speaks for
    the kernel anywhere. `speaks` is told which IGMP versions the kernel speaks, by index.
    `problem`: why the last reading failed, None if it did not. `was_read`: whether one has ever
    succeeded. `receives` reads which groups are received.
    """

    def __init__(
        self,
        sockets: Callable[[], JoinedSockets | None],
        known: Callable[[], Known],
        apply: Callable[[Sequence[Change]], Awaitable[None]],
        is_holding: Callable[[], bool],
        speaks: Callable[[Instant, Mapping[int, int]], object] = lambda at, versions: None,
        *,
        receives: Callable[[], Receives] = receives,
    ) -> None:
        self._sockets = sockets
        self._known = known
        self._apply = apply
        self._is_holding = is_holding
        self._speaks = speaks
        self._receives = receives
        self._wanted = False
        self._waiting: list[asyncio.Future[bool]] = []
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pause = 0.0
        self._cost = 0.0
        self.problem: str | None = None
        self.was_read = False

    @property
    def cost(self) -> float:
        """Seconds that the last reading took."""
        return self._cost

    def request(self) -> None:
        """Something may have changed."""
        self._wanted = True
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
            self._task.add_done_callback(raise_error)

    def fresh(self) -> asyncio.Future[bool]:
        """Done when a reading is known that began later than now; False if it failed."""
        waiting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self.request()
        return waiting

    def read_now(self) -> list[Change] | None:
        """What is otherwise than known, read while the loop waits: where there is no later turn.

        None if it cannot be read.
        """
        try:
            return look(self._sockets(), self._known(), self._receives).changes
        except OSError:
            return None

    async def _run(self) -> None:
        while self._wanted:
            await asyncio.sleep(self._pause)
            self._wanted = False
            waiting, self._waiting = self._waiting, []
            begun = now()
            found = await self._read()
            self._cost = in_seconds(now() - begun)
            if found is not None:
                self._speaks(begun, found.igmp_versions)
                if found.changes:
                    await self._apply(found.changes)
            for each in waiting:
                if not each.done():
                    each.set_result(found is not None)
            self._pause = max(SHORTEST_PAUSE_SECONDS, PAUSE_SHARE * self._cost)
        self._task = None
        self._schedule()

    async def _read(self) -> Look | None:
        known = self._known()
        try:
            found = await asyncio.to_thread(look, self._sockets(), known, self._receives)
        except OSError as error:
            problem = f"what sockets have joined cannot be read: {error.strerror or error}"
            if problem != self.problem:
                log.error("%s", problem)
            self.problem = problem
            return None
        self.problem, self.was_read = None, True
        return found

    def _schedule(self) -> None:
        """The next reading, if nothing asks for one before."""
        if self._timer is not None:
            self._timer.cancel()
        seconds = POLL_HOLDING_SECONDS if self._is_holding() else POLL_SECONDS
        seconds = max(seconds, POLL_SHARE * self._cost)
        self._timer = asyncio.get_running_loop().call_later(seconds, self.request)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()


def look(
    sockets: JoinedSockets | None, known: Known, receives: Callable[[], Receives] = receives
) -> Look:
    """One reading; what is otherwise than known. OSError."""
    before = receives()
    parts = None if sockets is None else sockets.read()
    after = before if sockets is None else receives()
    found = changes(known, held(before.users, parts, after.users))
    return Look(found, after.igmp_versions)


def raise_error(task: asyncio.Task[None]) -> None:
    """A bug in a task is the agent's end, as it is anywhere else."""
    if not task.cancelled():
        task.result()
