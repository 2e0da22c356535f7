"""Who wants what on which interface, since when, and what a router must hold for all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from support.host_lab import Filter
from support.twin_hosts import Wanted

PROTOCOLS = {"eth0": ("igmp", "mld"), "eth1": ("igmp",)}
"""The interfaces, and what is judged on them: behind eth0 is a bridge, behind eth1 pimd."""

SOCKETS, CLIENTS, CONFIGURED = (0, 1, 2), (3, 4), 5
OWNERS = (*SOCKETS, *CLIENTS, CONFIGURED)
"""By number: the kernel speaks for the first, the agent for the others."""

NEWEST = {"igmp": 3, "mld": 2}

EVERYTHING: Filter = ("exclude", frozenset())


def protocol_of(group: str) -> str:
    return "mld" if ":" in group else "igmp"


def merged(filters: Iterable[Filter]) -> Filter | None:
    """What an interface receives if these are its sockets' (RFC 9776 §3.2); None for nothing."""
    filters = list(filters)
    refused = [sources for mode, sources in filters if mode == "exclude"]
    named = frozenset[str]().union(*(s for mode, s in filters if mode == "include"))
    if refused:
        return "exclude", frozenset.intersection(*refused) - named
    return ("include", named) if named else None


class Wishes:
    """Of all owners on all interfaces, with their history."""

    def __init__(self) -> None:
        self.of = {(name, owner): Wanted() for name in PROTOCOLS for owner in OWNERS}

    def now(self, name: str) -> dict[str, Filter]:
        """By group, what a router on that interface must hold."""
        groups = {group for owner in OWNERS for group in self.of[name, owner].changes}
        return {
            group: found
            for group in groups
            if (found := merged(self._each(name, group, OWNERS))) is not None
        }

    def parts(self, name: str, group: str) -> tuple[Filter | None, ...]:
        """What the kernel alone and the agent alone have to say of the group."""
        agents = (*CLIENTS, CONFIGURED)
        return tuple(merged(self._each(name, group, each)) for each in (SOCKETS, agents))

    def _each(self, name: str, group: str, owners: Iterable[int]) -> Iterator[Filter]:
        for owner in owners:
            wanted = self.of[name, owner].now(group)
            if wanted is not None:
                yield wanted

    def held_by(self, name: str, owners: Iterable[int]) -> Iterator[tuple[int, str, Filter]]:
        """What these owners want now, each of them."""
        for owner in owners:
            for group in self.of[name, owner].changes:
                wanted = self.of[name, owner].now(group)
                if wanted is not None:
                    yield owner, group, wanted

    def groups(self, name: str) -> set[str]:
        """All that anybody ever wanted there."""
        return {group for owner in OWNERS for group in self.of[name, owner].changes}

    def changes(self, name: str, group: str) -> list[float]:
        """When some owner changed its mind about the group."""
        return [at for o in OWNERS for at, _ in self.of[name, o].changes.get(group, [])]

    def speaker(self, name: str, group: str, at: float) -> str | None:
        """Who has to speak for the group at that time: "kernel", "agent", or nobody."""
        for speaker, owners in (("kernel", SOCKETS), ("agent", (*CLIENTS, CONFIGURED))):
            if any(self.of[name, o].throughout(group, at, at)[-1] is not None for o in owners):
                return speaker
        return None
