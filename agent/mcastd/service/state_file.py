"""Keeps state in a file that is a JSON snapshot followed by a log of changes.

What a change costs does not depend on how much there is: only when changes have become as many as
what they are changes of is the file written anew.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from mcastd import files
from mcastd.net.names import raw
from mcastd.printable import brief
from mcastd.service.faults import said

MOST_CHANGES = 64
"""In addition to as many as there are entries in the snapshot."""

LARGEST = 64 << 20
"""Bytes: some hundred thousand memberships."""

SPOILT = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What reading something else than what was written ends with."""

T = TypeVar("T")


class StateFile:
    """The file, and its descriptor from the first snapshot of this process on.

    `tell` is told, with the path, what cannot be read or written, whatever the reason.
    """

    def __init__(self, path: Path, tell: Callable[[str], None] = lambda text: None) -> None:
        self.path = path
        self._say = tell
        self._descriptor = -1
        self._room = 0
        self._syncer: ThreadPoolExecutor | None = None
        self._sync: Future[None] | None = None

    def read(self) -> tuple[Any, list[Any]]:
        """The snapshot and the changes; a last line that was not finished is left out.

        OSError if there is none to read, ValueError or RecursionError if it is no JSON.
        """
        text = files.read(self.path, LARGEST).decode()
        snapshot, *changes = text.split("\n")
        return json.loads(snapshot), [json.loads(each) for each in changes[:-1]]

    def load(self, make: Callable[[Any, list[Any]], T]) -> T | None:
        """What `make` makes of the snapshot and the changes; None if there is no file.

        A file that is no good is told, and put aside under another name, so that what comes next
        does not meet it again and its owner can look into it: None, too.
        """
        try:
            return make(*self.read())
        except FileNotFoundError:
            return None
        except SPOILT as error:
            aside = self.path.with_suffix(".bad")
            self.tell(f"not read: {brief(said(error))[1:-1]}; put aside as {aside.name}")
            with suppress(OSError):
                self.path.replace(aside)
            return None

    def tell(self, what: str) -> None:
        self._say(f"{self.path}: {what}")

    def write(self, snapshot: object, entries: int) -> None:
        """Replaces the file in one step: a crash leaves the old one or the new one. OSError."""
        self.close()
        files.replace(self.path, line_of(snapshot), durable=True)
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._room = entries + MOST_CHANGES

    def append(self, change: object) -> bool:
        """Adds a change; a thread sees to it that it is on the disk soon. OSError.

        False if it takes a new snapshot, which then must say what the change says.
        """
        if self._descriptor < 0 or not self._room or not os.fstat(self._descriptor).st_nlink:
            return False
        try:
            self._raise_late()
            line = line_of(change)
            if os.write(self._descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self.close()  # half a line may be there: the next change makes a snapshot
            raise
        self._room -= 1
        if self._sync is None or self._sync.running() or self._sync.done():
            self._begin_sync()
        return True

    def _begin_sync(self) -> None:
        """Has a thread see to it that what was written is on the disk. OSError."""
        self._syncer = self._syncer or ThreadPoolExecutor(1, "state-file")
        try:
            self._sync = self._syncer.submit(os.fdatasync, self._descriptor)
        except RuntimeError as error:  # no thread is to be had
            raise OSError(errno.EAGAIN, str(error)) from None

    def _raise_late(self) -> None:
        """OSError if what was written before did not come to the disk."""
        if self._sync is not None and self._sync.done():
            self._sync.result()

    def age(self) -> float:
        """Seconds since it was last written or touched. OSError."""
        return time.time() - self.path.stat().st_mtime

    def touch(self) -> None:
        """What it says is still so, if there is one. OSError, also of what was written before."""
        self._raise_late()
        with suppress(FileNotFoundError):
            os.utime(self.path)

    def close(self) -> None:
        """When all is on the disk."""
        if self._syncer is not None:
            self._syncer.shutdown()
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._syncer, self._sync = -1, None, None


def line_of(value: object) -> bytes:
    return (json.dumps(value) + "\n").encode()


def state_directory(namespace: str | None = None) -> Path | None:
    """Where state is kept: as the service manager says, or the system's place for root.

    Each network namespace that has a name has a directory of its own there.
    """
    given = os.environ.get("STATE_DIRECTORY")
    if not given and os.geteuid() != 0:
        return None
    place = Path(given.split(":")[0] if given else "/var/lib/mcastd")
    return place if namespace is None else place / "namespaces" / os.fsdecode(raw(namespace))
