"""Holds what this host receives on one interface of one family."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.gmp.reception import Held, ReceptionState
from mcastd.native import RecordTable
from mcastd.service.joined import Joined, only_included

KERNEL = "kernel"
"""The name under which the kernel's sockets ask for groups, all together."""

FEW = 256
"""Groups looked up together."""

NOTHING_TOLD = 0


class Received:
    """The kernel's memberships and the agent's own, merged for each group.

    `kernel`: what is known of the kernel's. `is_source_specific` says of a group whether any-source
    requests do not count (RFC 4604 §2.1). `beyond_link`: how many groups are not link-local.
    """

    def __init__(
        self, family: ProtocolFamily, is_source_specific: Callable[[Address], bool]
    ) -> None:
        self._state = ReceptionState(family, is_source_specific)
        self._order = RecordTable(family.address_width)
        self._family, self._width = family, family.address_width
        self._is_source_specific = is_source_specific
        self._nothing = self._state.filter(b"")
        self.kernel: dict[Address, Joined] = {}
        self.beyond_link = 0

    def put(self, application: str, group: Address, wanted: SourceFilter) -> None:
        """The application's whole request for the group; INCLUDE without sources ends it."""
        old, new = self._state.listen(application, group, wanted)
        if old.is_empty and not new.is_empty:
            self._order.put(group, NOTHING_TOLD, b"")
            self.beyond_link += self._is_beyond_link(group)
        elif new.is_empty and not old.is_empty:
            self._order.drop(group)
            self.beyond_link -= self._is_beyond_link(group)

    def _is_beyond_link(self, group: Address) -> bool:
        """Neither the link's own nor the host's, which no router forwards."""
        family = self._family
        return family.is_reportable(group) and not family.link_local_groups.matches(group)

    def put_kernel(self, group: Address, joined: Joined | None) -> None:
        """What the kernel receives of the group; None: nothing."""
        if joined is None:
            self.kernel.pop(group, None)
            self.put(KERNEL, group, self._nothing)
            return
        self.kernel[group] = joined
        counts = joined.filter
        if joined.is_exact and self._is_source_specific(group):
            counts = only_included(joined, self._width) or counts
        self.put(KERNEL, group, counts)

    def of_kernel(self, group: Address) -> SourceFilter | None:
        """What the kernel's sockets want of the group; None if that is not known exactly."""
        joined = self.kernel.get(group)
        if joined is None:
            return self._nothing
        return joined.filter if joined.is_exact else None

    @property
    def groups(self) -> Mapping[Address, SourceFilter]:
        """By group, its filter; never one that is empty."""
        return self._state.filters

    def ascending(self) -> Iterator[Address]:
        """The groups, ascending; they may come and go between two of them."""
        behind = b""
        while groups := self._order.groups(behind, FEW):
            yield from groups
            behind = groups[-1]

    def applications(self, group: Address) -> Mapping[str, SourceFilter]:
        """Who asks for the group, and how."""
        return self._state.applications(group)

    def held(self, mode: FilterMode) -> Held:
        """How many groups are received in this mode, and from how many sources."""
        return self._state.held(mode)
