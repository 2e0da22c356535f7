"""Finds the namespaces that the configuration names, and notices when they change."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from mcastd.net.names import raw, shown
from mcastd.net.namespaces import Identity, NoNamespaceError, identity
from mcastd.service.interface_names import is_pattern
from mcastd.service.namespaces.inside import DIRECTORY, Place
from mcastd.service.namespaces.settings import NamespaceSettings, refusal


class Found(NamedTuple):
    """What a name stands for now: nothing yet (no identity, no problem), or why it cannot be."""

    place: Place
    path: bytes
    identity: Identity | None = None
    problem: str | None = None


def found(
    namespaces: Mapping[str, NamespaceSettings], directory: Path = DIRECTORY
) -> dict[str, Found]:
    """All that are named, also those that are not there; of patterns, those that are."""
    there = list(listed(directory)) if any(map(is_pattern, namespaces)) else []
    made: dict[str, Found] = {}
    for key, settings in namespaces.items():
        for name in [key] if not is_pattern(key) else fitting(key, there):
            if name not in made:
                path = settings.path
                where = os.fsencode(path or directory / os.fsdecode(raw(name)))
                made[name] = looked_at(Place(name, path), where)
    return made


def fitting(pattern: str, names: list[str]) -> list[str]:
    return sorted(name for name in names if fnmatchcase(name, pattern))


def listed(directory: Path) -> Iterator[str]:
    """The names in the directory, as they are shown; what none of ours can be called is left out.

    A file that is no namespace is one that is just being made, and is not yet told of.
    """
    try:
        entries = os.listdir(os.fsencode(directory))
    except OSError:
        return
    for entry in entries:
        name = shown(entry)
        if refusal(name) is None:
            try:
                identity(os.fsencode(directory) + b"/" + entry)
            except OSError:
                continue
            yield name


def looked_at(place: Place, path: bytes) -> Found:
    try:
        return Found(place, path, identity(path))
    except (FileNotFoundError, NotADirectoryError):
        return Found(place, path)
    except NoNamespaceError as error:
        return Found(place, path, problem=f"{os.fsdecode(path)}: {error.strerror}")
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        return Found(place, path, problem=f"{os.fsdecode(path)}: {said}")


class MountWatch:
    """Is readable when something was mounted or unmounted, as a namespace's name is by ip(8)."""

    def __init__(self) -> None:
        self._table = open("/proc/self/mountinfo", "rb")  # noqa: SIM115 (as long as it watches)
        self._poll = select.epoll()
        self._poll.register(self._table, select.EPOLLPRI)
        self.taken()

    def fileno(self) -> int:
        return self._poll.fileno()

    def taken(self) -> None:
        """Is not readable until there is something new."""
        self._poll.poll(0)

    def close(self) -> None:
        self._poll.close()
        self._table.close()
