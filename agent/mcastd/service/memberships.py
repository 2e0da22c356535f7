"""Saves the agent's own memberships, so that they outlast it.

What was kept in the state directory is taken up again as it was, without a leave and a join on the
wire.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mcastd.service.documents import Own
from mcastd.service.owned import CONFIG, Owned, owned_of
from mcastd.service.state_file import StateFile

log = logging.getLogger("mcastd")

STATE_FILE = "memberships.json"
AGAIN_SECONDS = 1.0
"""Between two attempts to write what could not be written."""

STALE_SECONDS = 250.0
"""Two query intervals: after so long routers may have forgotten us, and are told anew."""


class OwnedMemberships:
    """All of them, and their file.

    `kept`: what the file said at the start. `is_fresh`: whether routers still know of it; a link
    that comes later has nothing to do with that any more. `problem`: why the file could not be
    read or written; what is in force is so all the same, and is written as soon as that is possible
    again. `tell` is told of it once.
    """

    def __init__(self, directory: Path | None, tell: Callable[[str], None] = log.error) -> None:
        self._file = StateFile(directory / STATE_FILE, self._tell) if directory else None
        self._say = tell
        self._unwritten = False
        self._not_before = 0.0
        self._configured: tuple[Owned, ...] = ()
        self._is_outdated = False
        self._boot: object = None
        self.problem: str | None = None
        self.kept = self._read()
        self.is_fresh = bool(self.kept) and self._is_recent()
        self._by_key = {each.key: each for each in self.kept if each.application != CONFIG}

    def __iter__(self) -> Iterator[Owned]:
        return iter(list(self._by_key.values()))

    @property
    def total(self) -> int:
        """How many were asked for, on all interfaces."""
        return len(self._by_key)

    @property
    def keeps(self) -> bool:
        """Whether there is a place where they are kept."""
        return self._file is not None

    def get(self, interface: str, group: str, application: str) -> Owned | None:
        return self._by_key.get((interface, group, application))

    def put(self, membership: Owned) -> None:
        earlier = self._by_key.get(membership.key)
        self._by_key[membership.key] = membership
        if not membership.held:
            self._write({"put": membership.document})
        elif earlier is not None and not earlier.held:
            self._write({"drop": membership.key})

    def drop(self, membership: Owned) -> None:
        earlier = self._by_key.pop(membership.key, None)
        if earlier is not None and not earlier.held:
            self._write({"drop": membership.key})

    def rename(self, old: str, new: str) -> dict[Owned, Owned]:
        """Those of a device go with it: as they are now, by what they were.

        They come before what the same application has asked for under the new name, on a device
        that is gone. `rewrite` keeps them so.
        """
        moved = {each: each._replace(interface=new) for each in self if each.interface == old}
        for earlier, membership in moved.items():
            del self._by_key[earlier.key]
            self._by_key[membership.key] = membership
        self._is_outdated = self._is_outdated or any(not each.held for each in moved.values())
        return moved

    def rewrite(self) -> None:
        """Keeps those that were renamed."""
        if self._is_outdated:
            self._write(None)
            self._is_outdated = False

    def configure(self, memberships: Iterable[Owned]) -> None:
        """What of the configuration is in force: kept too, so that a restart is not a join."""
        configured = tuple(memberships)
        if configured != self._configured:
            self._configured = configured
            self._write(None)

    def _read(self) -> tuple[Owned, ...]:
        """What was kept, if routers can still know of it. A file that is no good is put aside."""
        if self._file is None:
            return ()
        return self._file.load(self._made) or ()

    def _made(self, snapshot: Own, changes: list[Own]) -> tuple[Owned, ...]:
        boot = snapshot.get("boot")
        kept = {each.key: each for each in map(owned_of, snapshot["memberships"])}
        for change in changes:
            if "drop" in change:
                kept.pop(tuple(change["drop"]), None)
            else:
                membership = owned_of(change["put"])
                kept[membership.key] = membership
        self._boot = boot
        return tuple(kept.values())

    def _is_recent(self) -> bool:
        """Whether the file is so young that routers still know what it says."""
        assert self._file is not None
        try:
            return self._file.age() < STALE_SECONDS and self._boot == boot()
        except OSError:
            return False

    def touch(self) -> None:
        """The memberships are in force now; what could not be written may be now."""
        if self._file is None:
            return
        self.retry()
        try:
            self._file.touch()
        except OSError as error:
            self._not_written(error)

    def close(self) -> None:
        """They are in force until now, and on the disk."""
        self.touch()
        if self._file is not None:
            self._file.close()

    def retry(self) -> None:
        """Writes what could not be written, if that is possible now."""
        if self._unwritten:
            self._write(None)

    def _write(self, change: object) -> None:
        """Adds the change to the file, or writes it anew if there is none or it is time to.

        Where that has failed just now it is not tried for each change: there may be very many.
        """
        if self._file is None or (self._unwritten and time.monotonic() < self._not_before):
            return
        try:
            if change is None or not self._file.append(change):
                memberships = [*self._configured, *(each for each in self if not each.held)]
                snapshot = {"boot": boot(), "memberships": [each.document for each in memberships]}
                self._file.write(snapshot, len(memberships))
            if self.problem is not None:
                log.info("%s: written", self._file.path)
            self.problem, self._unwritten = None, False
        except OSError as error:
            self._not_written(error)

    def _not_written(self, error: OSError) -> None:
        assert self._file is not None
        self._unwritten = True
        self._not_before = time.monotonic() + AGAIN_SECONDS
        self._file.tell(f"not written: {error.strerror}")

    def _tell(self, problem: str) -> None:
        """Tells it once, not at every change."""
        if problem != self.problem:
            self._say(problem)
        self.problem = problem


def boot() -> str:
    """Which boot of the machine this is: after another one, links have been down."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
