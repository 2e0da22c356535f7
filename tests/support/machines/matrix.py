"""Which kernels are tried: what Debian's releases run, and the newest that its backports have."""

from __future__ import annotations

from collections.abc import Iterable

from support.machines.archive import Archive
from support.machines.errors import MachineError
from support.machines.kernel import Kernel, key, releases, series_of, unpacked

REFUSED = ("5.10",)
"""Debian 11's: too old for the agent, which says so."""

SERVED = ("6.1", "6.12")
"""Debian 12's and 13's."""

NEWEST = 2
"""So many of the newest series of the archive besides."""


def matrix(found: Iterable[str]) -> dict[str, str]:
    """By series, its newest release; all that are tried, oldest first."""
    newest = {series_of(each): each for each in sorted(found, key=key)}
    named = {*REFUSED, *SERVED, *sorted(newest, key=key)[-NEWEST:]}
    return {each: newest[each] for each in sorted(named, key=key) if each in newest}


def chosen(words: str, found: Iterable[str]) -> list[str]:
    """Releases for what was asked: series such as "6.1 6.12", "newest", or "all".

    MachineError for a series that the archive does not have.
    """
    all_found = list(found)
    tried = matrix(all_found)
    newest = {series_of(each): each for each in sorted(all_found, key=key)}
    wanted: list[str] = []
    for word in words.split():
        if word == "all":
            wanted += tried.values()
        elif word == "newest":
            wanted += list(tried.values())[-1:]
        elif word in newest:
            wanted.append(newest[word])
        else:
            has = ", ".join(sorted(newest, key=key))
            raise MachineError(f"{word}: Debian's archive has no such kernel; it has {has}")
    return list(dict.fromkeys(wanted))


def obtain(word: str, archive: Archive | None = None) -> Kernel:
    """One kernel, ready to boot, by its series or "newest". MachineError."""
    source = archive or Archive()
    (release,) = chosen(word, releases(source))
    return unpacked(source, release)
