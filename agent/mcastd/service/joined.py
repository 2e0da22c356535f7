"""Describes what the kernel receives, and for which sockets.

Presence is what /proc says. Filters are the sockets' own, as the iterator over them finds them;
they are exact only if it has found as many sockets as the kernel counts users, before and after:
those under way between two processes are in no file table, nor are the kernel's own. Else a filter
is taken to be the widest that it may be.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mcastd.fastpath.sockets import SocketPart
from mcastd.gmp.family import Address
from mcastd.gmp.filters import FilterMode, SourceFilter, exclude, merge
from mcastd.native import SourceList
from mcastd.net.proc import Users

MODES = (FilterMode.EXCLUDE, FilterMode.INCLUDE)
"""By the kernel's number (MCAST_EXCLUDE, MCAST_INCLUDE)."""


class Holder(NamedTuple):
    """A process that holds a socket, and what this asks for. `cgroup`: its control group's."""

    name: str
    pid: int
    uid: int
    cgroup: int
    filter: SourceFilter


class Joined(NamedTuple):
    """A group that the kernel receives. `users`: sockets, and users in the kernel, as it counts."""

    filter: SourceFilter
    is_exact: bool
    users: int
    holders: tuple[Holder, ...] = ()


Held = dict[int, dict[Address, Joined]]
"""By interface index and group."""

Change = tuple[int, Address, Joined | None]
"""An interface's index, a group, and how it is received now; None: not any more."""


class Look(NamedTuple):
    """One reading: what is otherwise than known, and the IGMP versions the kernel speaks."""

    changes: list[Change]
    igmp_versions: dict[int, int]


Socket = dict[tuple[int, int], list[SocketPart]]
"""Of one group on one interface: the parts of a socket's filter, by socket and process."""


def held(before: Users, parts: Iterable[SocketPart] | None, after: Users) -> Held:
    """All that is received. `parts` None: the sockets cannot be looked at."""
    found: defaultdict[tuple[int, bytes], Socket] = defaultdict(lambda: defaultdict(list))
    for part in parts or ():
        found[part.ifindex, part.group][part.sock, part.pid].append(part)
    plain: dict[tuple[int, int], Joined] = {}
    result: Held = {}
    for index, groups in after.items():
        held_there = result[index] = {}
        for group, users in groups.items():
            sockets = found.get((index, group))
            if sockets:
                steady = before.get(index, {}).get(group) == users
                held_there[group] = joined(sockets, users, len(group), steady=steady)
                continue
            key = (users, len(group))
            if key not in plain:  # most are alike: the kernel's own, or nothing is known of them
                plain[key] = unknown(users, len(group))
            held_there[group] = plain[key]
    return result


def unknown(users: int, width: int) -> Joined:
    """A group of which it is not known what is wanted of it: anything may be."""
    return Joined(exclude(SourceList(b"", width)), False, users)


def joined(sockets: Socket, users: int, width: int, *, steady: bool) -> Joined:
    """A group with some sockets found. `steady`: the number of users was the same before."""
    holders: set[Holder] = set()
    filters: dict[int, SourceFilter] = {}
    whole = True
    for (sock, pid), parts in sockets.items():
        first = parts[0]
        sources = SourceList.from_wire(b"".join(each.sources for each in parts), width)
        whole = whole and len(sources) == first.total
        wanted = SourceFilter(MODES[first.mode & 1], sources)
        filters[sock] = wanted
        holders.add(Holder(first.name, pid, first.uid, first.cgroup, wanted))
    is_exact = whole and steady and len(filters) == users
    merged = merge(filters.values(), width) if is_exact else exclude(SourceList(b"", width))
    return Joined(merged, is_exact, users, tuple(sorted(holders, key=rank)))


def rank(holder: Holder) -> tuple[int, str, bytes]:
    return holder.pid, holder.filter.mode.value, holder.filter.sources.packed


def changes(known: Mapping[int, Mapping[Address, Joined]], now: Held) -> list[Change]:
    """What is otherwise than known, of the interfaces that `known` has."""
    found: list[Change] = []
    for index, before in known.items():
        there = now.get(index, {})
        found += ((index, group, None) for group in before.keys() - there.keys())
        found += (
            (index, group, each) for group, each in there.items() if before.get(group) != each
        )
    return found


def only_included(joined: Joined, width: int) -> SourceFilter | None:
    """What those sockets want that ask for sources: all that counts of a source-specific group.

    None if there are none of these. An any-source request widens nothing there (RFC 4604 §2.1).
    """
    filters = [each.filter for each in joined.holders if each.filter.mode is FilterMode.INCLUDE]
    if not filters:
        return None
    return merge(filters, width)
