"""Saves the known queriers, because no new one can be learned if a restart meets a flood.

A querier that is known has a limit of its own (bpf/guard.h); strangers share one, and in a flood of
forged queries a true one is among them for as long as nobody knows it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.time import Instant, after, in_seconds, seconds
from mcastd.service.documents import Own
from mcastd.service.querier import SILENCE
from mcastd.service.state_file import StateFile

log = logging.getLogger("mcastd")

QUERIERS_FILE = "queriers.json"

Known = tuple[str, str, str]
"""Interface, protocol and address, as text."""


class KnownQueriers:
    """The saved list. The file's mtime says, to within a minute, until when the list was valid."""

    def __init__(
        self,
        directory: Path | None,
        started: Instant,
        tell: Callable[[str], None] = log.error,
    ) -> None:
        """`tell` is told once what cannot be read or written; `problem` says it while it is so."""
        self._file = StateFile(directory / QUERIERS_FILE, self._tell) if directory else None
        self._say = tell
        self._kept: frozenset[Known] = frozenset()
        self.problem: str | None = None
        self._failed = False
        self._until = started
        self._earlier = self._read(started)

    def _read(self, started: Instant) -> frozenset[Known]:
        """Of what cannot be read nothing is believed: it takes two queries to be known again."""
        if self._file is None:
            return frozenset()
        found = self._file.load(self._made)
        if found is None:
            return frozenset()
        earlier, age = found
        self._until = after(started, seconds(max(0.0, in_seconds(SILENCE) - age)))
        return earlier

    def _made(
        self, snapshot: Iterable[tuple[str, str, str]], _changes: list[Own]
    ) -> tuple[frozenset[Known], float]:
        assert self._file is not None
        made = frozenset(
            (str(name), str(protocol), str(address)) for name, protocol, address in snapshot
        )
        return made, max(0.0, self._file.age())

    def earlier(
        self, interface: str, family: ProtocolFamily, at: Instant
    ) -> Iterator[tuple[Address, Instant]]:
        """Those of before the restart, and until when they are still believed to be there."""
        if at >= self._until:
            return
        for name, protocol, text in sorted(self._earlier):
            if (name, protocol) == (interface, family.name):
                try:
                    yield family.parse(text), self._until
                except ValueError as error:
                    log.warning("%s: %s", QUERIERS_FILE, error)

    def rename(self, old: str, new: str) -> None:
        """Those of a device are known under its new name, and nobody's under its old one."""
        self._earlier = frozenset(
            (new if name == old else name, protocol, text)
            for name, protocol, text in self._earlier
            if name != new
        )

    def keep(self, known: Iterable[Known]) -> None:
        """These are known now. What cannot be written is told, and missing after a restart."""
        now_known = frozenset(known)
        if self._file is None or now_known == self._kept:
            return
        self._kept = now_known
        self._write()

    def _write(self) -> None:
        assert self._file is not None
        try:
            self._file.write(sorted(self._kept), len(self._kept))
            self.problem, self._failed = None, False
        except OSError as error:
            self._failed = True
            self._file.tell(f"not written: {error.strerror}")

    def retry(self) -> None:
        """Writes what could not be written, if that is possible now."""
        if self._failed:
            self._write()

    def touch(self) -> None:
        """They are known still; what could not be written may be now."""
        if self._file is None or not self._kept:
            return
        self.retry()
        try:
            self._file.touch()
        except OSError as error:
            self._failed = True
            self._file.tell(f"not written: {error.strerror}")

    def _tell(self, problem: str) -> None:
        if problem != self.problem:
            self._say(problem)
        self.problem = problem

    def close(self) -> None:
        self.touch()
        if self._file is not None:
            self._file.close()
