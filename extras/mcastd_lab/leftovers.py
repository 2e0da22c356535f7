"""What a killed lab leaves behind: found by its name, removed when the next one is built."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mcastd_lab import namespaces
from mcastd_lab.namespaces import PREFIX, owner

RUN = Path("/run")
"""Only root writes here, so that what is found here may be removed by its name."""


class Directory:
    """For sockets and logs."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{owner()}-", dir=RUN))

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


def remove_leftovers() -> list[str]:
    """Removes namespaces and directories of processes that are no more; their names."""
    networks = list(_ownerless(namespaces.DIRECTORY))
    for name in networks:
        namespaces.remove(name)
    directories = list(_ownerless(RUN))
    for name in directories:
        shutil.rmtree(RUN / name, ignore_errors=True)
    return networks + directories


def _ownerless(directory: Path) -> Iterator[str]:
    here = owner().partition("-")[2]
    for entry in sorted(directory.iterdir()) if directory.is_dir() else ():
        named = re.match(rf"{PREFIX}-(\d+)-{here}-", entry.name)
        if named and not Path("/proc", named[1]).exists():
            yield entry.name
