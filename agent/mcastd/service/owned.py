"""Memberships of the agent's own: from the configuration and the control socket, and kept.

They outlast a restart of the agent: what was kept in the state directory is taken up again as it
was, without a leave and a join on the wire.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mcastd.gmp.family import FAMILIES, Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.native import SourceList

CONFIG = "config"
STATE_FILE = "memberships.json"
STALE_SECONDS = 250.0
"""Two query intervals: after so long routers may have forgotten us, and are told anew."""


class Owned(NamedTuple):
    """A membership, by who asked for it. `held`: it ends with the connection that asked.

    `application`: "config", or "api:" and a name. Addresses are text: this is what is kept.
    """

    interface: str
    group: str
    mode: str
    sources: tuple[str, ...]
    application: str
    uid: int | None = None
    pid: int | None = None
    since: float = 0.0
    held: bool = False

    @property
    def family(self) -> ProtocolFamily:
        return FAMILIES["mld" if ":" in self.group else "igmp"]

    @property
    def address(self) -> Address:
        """ValueError, naming the text, if it is none."""
        return self.family.parse(self.group)

    @property
    def filter(self) -> SourceFilter:
        """ValueError, naming the text, for a source that is no address of the group's family."""
        family = self.family
        sources = SourceList.of(map(family.parse, self.sources), family.address_width)
        return SourceFilter(FilterMode(self.mode), sources)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.interface, self.group, self.application


class OwnedMemberships:
    """All of them, and their file.

    `kept`: what the file said at the start. `is_fresh`: whether routers still know of it; a link
    that comes later has nothing to do with that any more.
    """

    def __init__(self, directory: Path | None) -> None:
        self._path = directory / STATE_FILE if directory else None
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
        self._by_key[membership.key] = membership
        self._write()

    def drop(self, membership: Owned) -> None:
        self._by_key.pop(membership.key, None)
        self._write()

    def configure(self, memberships: Iterable[Owned]) -> None:
        """What of the configuration is in force: kept too, so that a restart is not a join."""
        configured = tuple(memberships)
        if configured != self._configured:
            self._configured = configured
            self._write()

    def _read(self) -> tuple[Owned, ...]:
        """What was kept, if routers can still know of it."""
        if self._path is None:
            return ()
        try:
            document = json.loads(self._path.read_text())
            self._boot = document.get("boot")
            kept = tuple(owned_of(each) for each in document["memberships"])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self.problem = f"{self._path}: not read: {error}"
            return ()
        return kept

    def _is_recent(self) -> bool:
        """Whether the file is so young that routers still know what it says."""
        assert self._path is not None
        try:
            age = time.time() - self._path.stat().st_mtime
        except OSError:
            return False
        return age < STALE_SECONDS and self._boot == boot()

    def touch(self) -> None:
        """The memberships are in force now."""
        if self._path is not None and self._path.exists():
            self._path.touch()

    def _write(self) -> None:
        """In one step, so that a crash leaves the old file or the new one."""
        if self._path is None:
            return
        memberships = [*self._configured, *(each for each in self if not each.held)]
        document = {"boot": boot(), "memberships": [each._asdict() for each in memberships]}
        try:
            # Only now: settings are read before all else, and keep nothing.
            from tempfile import NamedTemporaryFile  # noqa: PLC0415

            self._path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile("w", dir=self._path.parent, delete=False) as stream:
                json.dump(document, stream)
                stream.flush()
                os.fsync(stream.fileno())
            Path(stream.name).replace(self._path)
            self.problem = None
        except OSError as error:
            self.problem = f"{self._path}: not written: {error.strerror}"


def boot() -> str:
    """Which boot of the machine this is: after another one, links have been down."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def owned_of(fields: dict[str, Any]) -> Owned:
    """From what was kept; KeyError, TypeError or ValueError if it is not that."""
    membership = Owned(**{**fields, "sources": tuple(fields["sources"])})
    if not isinstance(membership.interface, str) or membership.filter.is_empty:
        raise ValueError(f"{membership.group}: no filter")
    if not membership.family.is_multicast(membership.address):
        raise ValueError(f"{membership.group}: not a multicast group")
    return membership


def state_directory() -> Path | None:
    """Where to keep them: as the service manager says, or the system's place for root."""
    given = os.environ.get("STATE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    return Path("/var/lib/mcastd") if os.geteuid() == 0 else None
