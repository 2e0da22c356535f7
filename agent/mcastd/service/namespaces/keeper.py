"""Starts the agent of each namespace, and ends it with its namespace (the keeper).

Entering a namespace takes CAP_SYS_ADMIN, which the agent gives up; the keeper alone goes on with
it. It reads nothing but the configuration, the names of namespaces, and what its own processes say.
It has imported all that an agent needs before it makes the first: they share that memory.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from mcastd.net import namespaces
from mcastd.net.namespaces import Identity
from mcastd.service.config import ConfigFileError, Settings
from mcastd.service.documents import Own
from mcastd.service.namespaces import channel
from mcastd.service.namespaces.child import Birth, RunAgent, become
from mcastd.service.namespaces.finding import Found, MountWatch, found

LOOK_SECONDS = 1.0
"""In which paths are looked at; of names below /run/netns it is told at once."""

LOOK_AGAIN_SECONDS = 0.05
"""Between two looks, however many mounts come and go."""

AT_ONCE = max(2, os.cpu_count() or 1)
"""So many are on their start at the same time."""

START_SECONDS, SILENT_SECONDS, END_SECONDS = 300.0, 30.0, 10.0
"""After which it is killed: before it is ready, when it says nothing, when it was told to end."""

FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
"""Until one that has died is started anew; each time twice as long, unless it had run for long."""


class Child:
    """The process of a namespace; `mains` is for the first agent, as soon as it is ready."""

    def __init__(self, pid: int, identity: Identity, said: socket.socket, mains: socket.socket):
        self.pid, self.identity, self.said = pid, identity, said
        self.mains: socket.socket | None = mains
        self.process = os.pidfd_open(pid)
        self.since = self.heard = time.monotonic()
        self.is_ready = False
        self.deadline = self.since + START_SECONDS
        self.ending: str | None = None
        self.problem: str | None = None
        self.is_refused = False
        said.setblocking(False)

    def listen(self) -> dict[str, str]:
        """What it says next, as to systemd (sd_notify(3)), or why it cannot run; empty: nothing."""
        try:
            text = self.said.recv(65536).decode(errors="replace")
        except OSError:
            return {}
        lines = dict(line.partition("=")[::2] for line in text.split("\n"))
        self.is_refused = "REFUSED" in lines or self.is_refused
        self.problem = lines.get("REFUSED") or lines.get("PROBLEM") or self.problem
        return lines if text else {}

    def end(self, why: str) -> None:
        """Asks it to end; it is killed if it does not."""
        if self.ending is None:
            self.ending = why
            self.deadline = time.monotonic() + END_SECONDS
            self.kill(signal.SIGTERM)

    def kill(self, number: int) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.process, number)

    def close(self) -> None:
        os.close(self.process)
        self.said.close()
        if self.mains is not None:
            self.mains.close()


class Kept:
    """A namespace by its name, and what becomes of it."""

    def __init__(self, there: Found) -> None:
        self.found = there
        self.child: Child | None = None
        self.starts = 0
        self.delay = FIRST_DELAY
        self.not_before = 0.0
        self.problem: str | None = None
        self.is_refused = False
        self.told: Own = {}


class Keeper:
    """`main`: the first agent's channel, whose end is the end of all. `read`: the settings anew."""

    def __init__(self, main: socket.socket, read: Callable[[], Settings], run: RunAgent) -> None:
        self._main, self._read, self._run = main, read, run
        self._settings = read()
        self._kept: dict[str, Kept] = {}
        self._mounts = MountWatch()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._main, selectors.EVENT_READ, self._from_main)
        self._selector.register(self._mounts, selectors.EVENT_READ, self._mounted)
        self._own = namespaces.identity(namespaces.OWN)
        self._look_at = self._looked = 0.0
        self._is_over = False

    def keep(self) -> None:
        """Until the first agent has ended."""
        gc.freeze()
        try:
            while not self._is_over:
                self.turn()
        except (BrokenPipeError, ConnectionError):
            pass  # the first agent has ended
        self._end_all()
        self._close()

    def turn(self) -> None:
        """Looks if it is time to, and takes what was told meanwhile. OSError: the agent ended."""
        if time.monotonic() >= self._look_at:
            self._look()
        pause = max(0.0, self._look_at - time.monotonic())
        for key, _ in self._selector.select(pause):
            key.data()

    def _end_all(self) -> None:
        for kept in self._kept.values():
            if kept.child is not None:
                kept.child.end("the agent ends")
        late = time.monotonic() + END_SECONDS
        for kept in self._kept.values():
            if kept.child is not None:
                if not ended_within(kept.child.process, late - time.monotonic()):
                    kept.child.kill(signal.SIGKILL)
                os.waitpid(kept.child.pid, 0)

    # What is told.

    def _from_main(self) -> None:
        received = channel.receive(self._main)
        if received is None:
            self._is_over = True
            return
        with suppress(ConfigFileError):  # the first agent has read it, too, and says so
            self._settings = self._read()
        self._look_at = 0.0

    def _mounted(self) -> None:
        self._mounts.taken()
        self._look_at = min(self._look_at, self._looked + LOOK_AGAIN_SECONDS)

    def _told_by(self, kept: Kept, child: Child) -> None:
        lines = child.listen()
        if not lines:
            self._selector.unregister(child.said)
            return
        child.heard = time.monotonic()
        if "READY" in lines and not child.is_ready:
            child.is_ready = True
            kept.problem, kept.is_refused = None, False
            self._tell(kept, "running", child.mains)
            self._look_at = 0.0  # another may start now

    def _tell(self, kept: Kept, state: str, passed: socket.socket | None = None) -> None:
        """Tells the first agent, if it is news. OSError when it has ended."""
        child = kept.child
        news = {
            "namespace": kept.found.place.name,
            "path": kept.found.place.path,
            "state": state,
            "problem": kept.problem,
            "pid": child.pid if child else None,
            "starts": kept.starts,
        }
        if news != kept.told or passed is not None:
            kept.told = news
            channel.send(self._main, news, passed)
        if passed is not None and child is not None:
            passed.close()
            child.mains = None

    # What is there.

    def _look(self) -> None:
        now = self._looked = time.monotonic()
        self._look_at = now + LOOK_SECONDS
        there = found(self._settings.namespaces)
        for name in [each for each in self._kept if each not in there]:
            self._forget(self._kept[name])
        for name, each in there.items():
            kept = self._kept.setdefault(name, Kept(each))
            kept.found = each
            if kept.child is not None:
                self._look_after(kept, kept.child, now)
        for kept in list(self._kept.values()):
            if kept.child is None and kept.found.place.name in there:
                self._settle(kept, now)

    def _forget(self, kept: Kept) -> None:
        """It is named no more, or what a pattern named is gone."""
        if kept.child is not None:
            kept.child.end("is named no more")
            self._kill_late(kept.child, time.monotonic())
            return
        del self._kept[kept.found.place.name]
        channel.send(self._main, {"namespace": kept.found.place.name, "state": "gone"})

    def _look_after(self, kept: Kept, child: Child, now: float) -> None:
        if kept.found.identity != child.identity:
            child.end("has gone")
        elif child.is_ready and now - child.heard > SILENT_SECONDS:
            child.problem = f"its agent said nothing for {SILENT_SECONDS:.0f} s, and was killed"
            child.kill(signal.SIGKILL)
        self._kill_late(child, now)

    def _kill_late(self, child: Child, now: float) -> None:
        if now > child.deadline and (child.ending or not child.is_ready):
            child.problem = child.problem or "its agent was not ready in time, and was killed"
            child.kill(signal.SIGKILL)

    def _settle(self, kept: Kept, now: float) -> None:
        """Has one that has no process run, if it can."""
        there = kept.found
        if there.identity is None:
            kept.problem, kept.delay, kept.not_before = there.problem, FIRST_DELAY, 0.0
            self._tell(kept, "waiting" if there.problem is None else "refused")
            return
        refused = self._refusal(kept, there.identity)
        if refused is not None:
            kept.problem = refused
            self._tell(kept, "refused")
        elif now >= kept.not_before:
            self._start(kept, there.identity)
        else:
            self._tell(kept, "refused" if kept.is_refused else "ended")
            self._look_at = min(self._look_at, kept.not_before)

    def _refusal(self, kept: Kept, identity: Identity) -> str | None:
        """Why it is not to have a process."""
        if identity == self._own:
            return "is the agent's own namespace: its interfaces need no namespace's name"
        running = {k.child.identity: k.found.place.name for k in self._kept.values() if k.child}
        if identity in running:
            return f"is the same namespace as {running[identity]}"
        most = self._settings.max_namespaces
        if len(running) >= most:
            return f"one more than agent.max_namespaces = {most}"
        return None

    # Processes.

    def _start(self, kept: Kept, identity: Identity) -> None:
        starting = sum(k.child is not None and not k.child.is_ready for k in self._kept.values())
        if starting >= AT_ONCE:
            self._tell(kept, "starting")
            return
        try:
            there = namespaces.opened(kept.found.path, identity)
        except OSError as error:
            self._failed(kept, error.strerror or str(error))
            return
        try:
            child = kept.child = self._forked(kept, identity, there)
        except OSError as error:
            self._failed(kept, f"no process is to be had: {error.strerror}")
            return
        kept.starts += 1
        ended, told = partial(self._ended, kept), partial(self._told_by, kept, child)
        self._selector.register(child.process, selectors.EVENT_READ, ended)
        self._selector.register(child.said, selectors.EVENT_READ, told)
        if not kept.is_refused:  # else it is told when it is otherwise
            self._tell(kept, "starting")

    def _forked(self, kept: Kept, identity: Identity, there: int) -> Child:
        """A process with an agent in this namespace; closes the descriptor. OSError."""
        said, says = channel.pair()
        mains, doors = channel.pair()
        keeper = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            for each in (said, mains):
                each.close()
            raise
        finally:
            if os.getpid() == keeper:
                os.close(there)
                says.close()
                doors.close()
        if pid == 0:
            said.close()
            mains.close()
            birth = Birth(kept.found.place, there, says, doors)
            become(keeper, birth, self._close, self._run)
        return Child(pid, identity, said, mains)

    def _close(self) -> None:
        """At the end, and in a process that has become another: this is none of its business."""
        self._selector.close()
        self._mounts.close()
        self._main.close()
        for kept in self._kept.values():
            if kept.child is not None:
                kept.child.close()

    def _ended(self, kept: Kept) -> None:
        child = kept.child
        assert child is not None
        if child.said in self._selector.get_map():
            while child.listen():
                pass  # what it still said before it ended
            self._selector.unregister(child.said)
        self._selector.unregister(child.process)
        _, status = os.waitpid(child.pid, 0)
        child.close()
        kept.child = None
        self._look_at = 0.0
        if child.ending is not None:
            kept.problem, kept.delay, kept.not_before = None, FIRST_DELAY, 0.0
            return
        if time.monotonic() - child.since > LONGEST_DELAY:
            kept.delay = FIRST_DELAY
        kept.is_refused = child.is_refused
        self._failed(kept, child.problem or how(os.waitstatus_to_exitcode(status)))

    def _failed(self, kept: Kept, problem: str) -> None:
        """It is tried again in a while."""
        kept.problem = problem
        kept.delay = LONGEST_DELAY if kept.is_refused else kept.delay
        kept.not_before = time.monotonic() + kept.delay
        kept.delay = min(2 * kept.delay, LONGEST_DELAY)
        self._tell(kept, "refused" if kept.is_refused else "ended")


def how(code: int) -> str:
    """How a process has ended."""
    if code >= 0:
        return f"its agent ended with exit code {code}"
    try:
        return f"its agent was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"its agent was ended by signal {-code}"


def ended_within(process: int, seconds: float) -> bool:
    with selectors.DefaultSelector() as waiting:
        waiting.register(process, selectors.EVENT_READ)
        return bool(waiting.select(max(0.0, seconds)))
