"""Memberships of the agent's own, and how they outlast it.

What was kept in the state directory is taken up again as it was, without a leave and a join on the
wire.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from mcastd.service.owned import CONFIG, Owned, owned_of
from mcastd.service.state_file import StateFile

log = logging.getLogger("mcastd")

STATE_FILE = "memberships.json"
STALE_SECONDS = 250.0
"""Two query intervals: after so long routers may have forgotten us, and are told anew."""


class OwnedMemberships:
    """All of them, and their file.

    `kept`: what the file said at the start. `is_fresh`: whether routers still know of it; a link
    that comes later has nothing to do with that any more. `problem`: why the file could not be read
    or written; what is in force is in force all the same.
    """

    def __init__(self, directory: Path | None) -> None:
        self._file = StateFile(directory / STATE_FILE) if directory else None
        self._configured: tuple[Owned, ...] = ()
        self._boot: object = None
        self.problem: str | None = None
        self.kept = self._read()
        self.is_fresh = bool(self.kept) and self._is_recent()
        self._by_key = {each.key: each for each in self.kept if each.application != CONFIG}

    def __iter__(self) -> Iterator[Owned]:
        return iter(list(self._by_key.values()))

    def get(self, interface: str, group: str, application: str) -> Owned | None:
        return self._by_key.get((interface, group, application))

    def put(self, membership: Owned) -> None:
        earlier = self._by_key.get(membership.key)
        self._by_key[membership.key] = membership
        if not membership.held:
            self._write({"put": membership._asdict()})
        elif earlier is not None and not earlier.held:
            self._write({"drop": membership.key})

    def drop(self, membership: Owned) -> None:
        earlier = self._by_key.pop(membership.key, None)
        if earlier is not None and not earlier.held:
            self._write({"drop": membership.key})

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
        try:
            snapshot, changes = self._file.read()
            self._boot = snapshot.get("boot")
            kept = {each.key: each for each in map(owned_of, snapshot["memberships"])}
            for change in changes:
                if "drop" in change:
                    kept.pop(tuple(change["drop"]), None)
                else:
                    membership = owned_of(change["put"])
                    kept[membership.key] = membership
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            aside = self._file.path.with_suffix(".bad")
            self._tell(f"not read: {error}; put aside as {aside.name}")
            with suppress(OSError):
                self._file.path.replace(aside)
            return ()
        return tuple(kept.values())

    def _is_recent(self) -> bool:
        """Whether the file is so young that routers still know what it says."""
        assert self._file is not None
        try:
            return self._file.age() < STALE_SECONDS and self._boot == boot()
        except OSError:
            return False

    def touch(self) -> None:
        """The memberships are in force now."""
        if self._file is not None:
            self._file.touch()

    def close(self) -> None:
        """They are in force until now, and on the disk."""
        self.touch()
        if self._file is not None:
            self._file.close()

    def _write(self, change: object) -> None:
        """Adds the change to the file, or writes it anew if there is none or it is time to."""
        if self._file is None:
            return
        try:
            if change is None or not self._file.append(change):
                memberships = [*self._configured, *(each for each in self if not each.held)]
                snapshot = {"boot": boot(), "memberships": [each._asdict() for each in memberships]}
                self._file.write(snapshot, len(memberships))
            self.problem = None
        except OSError as error:
            self._tell(f"not written: {error.strerror}")

    def _tell(self, what: str) -> None:
        """Logs it once, not at every change."""
        assert self._file is not None
        problem = f"{self._file.path}: {what}"
        if problem != self.problem:
            log.error("%s", problem)
        self.problem = problem


def boot() -> str:
    """Which boot of the machine this is: after another one, links have been down."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
