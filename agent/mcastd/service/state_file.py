"""A file that outlasts its process: JSON, a snapshot in the first line, a change in each other one.

What a change costs does not depend on how much there is: only when changes have become as many as
what they are changes of is the file written anew.
"""

from __future__ import annotations

import errno
import json
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mcastd import files

MOST_CHANGES = 64
"""In addition to as many as there are entries in the snapshot."""


class StateFile:
    """The file, and its descriptor from the first snapshot of this process on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = -1
        self._room = 0
        self._syncer: ThreadPoolExecutor | None = None
        self._sync: Future[None] | None = None

    def read(self) -> tuple[Any, list[Any]]:
        """The snapshot and the changes; a last line that was not finished is left out.

        OSError if there is none to read, ValueError if it is no JSON.
        """
        text = self.path.read_text()
        snapshot, *changes = text.split("\n")
        return json.loads(snapshot), [json.loads(each) for each in changes[:-1]]

    def write(self, snapshot: Any, entries: int) -> None:
        """Replaces the file in one step: a crash leaves the old one or the new one. OSError."""
        self.close()
        files.replace(self.path, line_of(snapshot), durable=True)
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._room = entries + MOST_CHANGES

    def append(self, change: Any) -> bool:
        """Adds a change; a thread sees to it that it is on the disk soon. OSError.

        False if it takes a new snapshot, which then must say what the change says.
        """
        if self._descriptor < 0 or not self._room or not os.fstat(self._descriptor).st_nlink:
            return False
        try:
            if self._sync is not None and self._sync.done():
                self._sync.result()
            line = line_of(change)
            if os.write(self._descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self.close()  # half a line may be there: the next change makes a snapshot
            raise
        self._room -= 1
        if self._sync is None or self._sync.running() or self._sync.done():
            self._syncer = self._syncer or ThreadPoolExecutor(1, "state-file")
            self._sync = self._syncer.submit(os.fdatasync, self._descriptor)
        return True

    def age(self) -> float:
        """Seconds since it was last written or touched. OSError."""
        return time.time() - self.path.stat().st_mtime

    def touch(self) -> None:
        """What it says is still so, if there is one."""
        if self.path.exists():
            self.path.touch()

    def close(self) -> None:
        """When all is on the disk."""
        if self._syncer is not None:
            self._syncer.shutdown()
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._syncer, self._sync = -1, None, None


def line_of(value: Any) -> bytes:
    return (json.dumps(value) + "\n").encode()


def state_directory() -> Path | None:
    """Where state is kept: as the service manager says, or the system's place for root."""
    given = os.environ.get("STATE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    return Path("/var/lib/mcastd") if os.geteuid() == 0 else None
