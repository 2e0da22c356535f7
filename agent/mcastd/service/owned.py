"""Describes a membership of the agent's own, from the configuration or the control socket."""

from __future__ import annotations

from types import NoneType
from typing import NamedTuple

from mcastd.gmp.family import FAMILIES, Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.native import SourceList
from mcastd.service.documents import Own

CONFIG = "config"

Key = tuple[str, str, str]
"""Interface, group and application."""


class Owned(NamedTuple):
    """A membership, by who asked for it. `held`: it ends with the connection that asked. `kernel`:
    it is held by sockets of the agent's own, and the kernel speaks for it.
    `hold_after_leave`: seconds for which it stays in force when it was left.

    `application`: "config", or "api:" and a name. Addresses are text: this is what is kept.
    """

    interface: str
    group: str
    mode: str
    sources: tuple[str, ...]
    application: str
    uid: int | None = None
    pid: int | None = None
    since: float = 0.0
    held: bool = False
    kernel: bool = False
    hold_after_leave: float = 0

    @property
    def family(self) -> ProtocolFamily:
        return FAMILIES["mld" if ":" in self.group else "igmp"]

    @property
    def address(self) -> Address:
        """ValueError, naming the text, if it is none."""
        return self.family.parse(self.group)

    @property
    def filter(self) -> SourceFilter:
        """ValueError, naming the text, for a source that is no address of the group's family."""
        family = self.family
        sources = SourceList.of(map(family.parse, self.sources), family.address_width)
        return SourceFilter(FilterMode(self.mode), sources)

    @property
    def document(self) -> Own:
        """What is kept of it; owned_of reads it. What came later is there only if it is used."""
        later = {"hold_after_leave"} if not self.hold_after_leave else set()
        return {name: value for name, value in self._asdict().items() if name not in later}

    @property
    def key(self) -> Key:
        return self.interface, self.group, self.application


KINDS: tuple[tuple[type, ...], ...] = (
    *((str,), (str,), (str,), (tuple,), (str,)),
    *((int, NoneType), (int, NoneType), (int, float), (bool,), (bool,), (int, float)),
)
"""Of a membership's fields, in their order."""


def fits(value: object, kinds: tuple[type, ...]) -> bool:
    return type(value) in kinds


def is_text(value: object) -> bool:
    return isinstance(value, str)


def owned_of(fields: Own) -> Owned:
    """From what was kept; KeyError, TypeError or ValueError if it is not that."""
    membership = Owned(**{**fields, "sources": tuple(fields["sources"])})
    if not all(map(fits, membership, KINDS)) or not all(map(is_text, membership.sources)):
        raise ValueError("a membership with fields of other kinds")
    if membership.filter.is_empty:
        raise ValueError(f"{membership.group}: no filter")
    if not membership.family.is_multicast(membership.address):
        raise ValueError(f"{membership.group}: not a multicast group")
    return membership
