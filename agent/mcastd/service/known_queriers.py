"""The queriers that were known before a restart: in a flood nobody new would come to be known.

A querier that is known has a limit of its own (bpf/guard.h); strangers share one, and in a flood of
forged queries a true one is among them for as long as nobody knows it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.time import Instant, after, in_seconds, seconds
from mcastd.service.querier import SILENCE
from mcastd.service.state_file import StateFile

log = logging.getLogger("mcastd")

QUERIERS_FILE = "queriers.json"

Known = tuple[str, str, str]
"""Interface, protocol and address, as text."""


class KnownQueriers:
    """What is kept of them, in one file. It is as old as the last minute in which it was so."""

    def __init__(self, directory: Path | None, started: Instant) -> None:
        self._file = StateFile(directory / QUERIERS_FILE) if directory else None
        self._kept: frozenset[Known] = frozenset()
        self._until = started
        self._earlier = self._read(started)

    def _read(self, started: Instant) -> frozenset[Known]:
        """Of what cannot be read nothing is believed: it takes two queries to be known again."""
        if self._file is None:
            return frozenset()
        try:
            age = max(0.0, self._file.age())
            snapshot, _ = self._file.read()
            earlier = frozenset(
                (str(name), str(protocol), str(address)) for name, protocol, address in snapshot
            )
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError, TypeError) as error:
            log.warning("%s: not read: %s", self._file.path, error)
            return frozenset()
        self._until = after(started, seconds(max(0.0, in_seconds(SILENCE) - age)))
        return earlier

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

    def keep(self, known: Iterable[Known]) -> None:
        """These are known now. What cannot be written is told, and missing after a restart."""
        now_known = frozenset(known)
        if self._file is None or now_known == self._kept:
            return
        self._kept = now_known
        try:
            self._file.write(sorted(now_known), len(now_known))
        except OSError as error:
            log.error("%s: not written: %s", self._file.path, error.strerror)

    def touch(self) -> None:
        """They are known still."""
        if self._file is not None and self._kept:
            self._file.touch()

    def close(self) -> None:
        self.touch()
        if self._file is not None:
            self._file.close()
