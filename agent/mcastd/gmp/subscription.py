"""Requests of applications: which are granted, and what a change of one amounts to.

A request is granted as it was made or refused with the name of an errno (RFC 3678 §4.1); it is
never widened (RFC 9776 §3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from mcastd.gmp.config import HostConfig
from mcastd.gmp.effects import Refused
from mcastd.gmp.events import Change, ChangeListening
from mcastd.gmp.family import Address, ProtocolFamily
from mcastd.gmp.filters import FilterMode, SourceFilter, exclude, include
from mcastd.native import SourceList


def refusal(
    family: ProtocolFamily, config: HostConfig, group: Address, requested: SourceFilter
) -> Refused | None:
    """Why a request is not granted; None if it is."""
    if not family.is_multicast(group):
        return Refused("EINVAL", f"{readable(family, group)} is not a multicast group")
    sources = requested.sources
    if sources.width != family.address_width or not all_unicast(family, sources):
        return Refused("EINVAL", "a source is not a unicast address of the group's family")
    if len(sources) > config.max_sources_per_filter:
        most = config.max_sources_per_filter
        return Refused("ENOBUFS", f"{len(sources)} sources where {most} are allowed")
    if requested.mode is FilterMode.EXCLUDE and config.ssm_enforce:
        return _any_source_refusal(family, config, group)
    return None


def _any_source_refusal(
    family: ProtocolFamily, config: HostConfig, group: Address
) -> Refused | None:
    """RFC 4604 §2.1: only source-specific requests make sense in the source-specific range."""
    if not config.is_source_specific(group):
        return None
    text = f"{readable(family, group)} is source-specific: name the sources to include"
    return Refused("EINVAL", text)


def all_unicast(family: ProtocolFamily, sources: SourceList) -> bool:
    """Whether all of them can be sources (RFC 9776 §2)."""
    packed, width = sources.packed, family.address_width
    between = packed[:width] > family.unspecified and packed[-width:] < family.lowest_multicast
    return not packed or between or all(map(family.is_unicast, sources))


def readable(family: ProtocolFamily, address: Address) -> str:
    """For texts that may also be about bytes that are no address at all."""
    return family.format(address) if len(address) == family.address_width else address.hex()


@dataclass(frozen=True, slots=True)
class _Delta:
    """`mode`: of requests it can follow. `listed`: whether the source must be there before."""

    mode: FilterMode
    listed: bool
    apply: Callable[[SourceList, SourceList], SourceList]
    may_begin: bool = False


_SOURCE_CHANGES: Final[Mapping[Change, _Delta]] = {
    Change.JOIN_SOURCE: _Delta(FilterMode.INCLUDE, False, SourceList.__or__, may_begin=True),
    Change.LEAVE_SOURCE: _Delta(FilterMode.INCLUDE, True, SourceList.__sub__),
    Change.BLOCK_SOURCE: _Delta(FilterMode.EXCLUDE, False, SourceList.__or__),
    Change.UNBLOCK_SOURCE: _Delta(FilterMode.EXCLUDE, True, SourceList.__sub__),
}
"""RFC 3678 §4.1: each works on requests of one mode only."""


def changed(
    family: ProtocolFamily, current: SourceFilter | None, event: ChangeListening
) -> SourceFilter | Refused:
    """The application's whole request after the change; `current` None: it has none."""
    if event.change in _SOURCE_CHANGES:
        return _source_changed(family, current, event)
    if event.source is not None:
        return Refused("EINVAL", f"{event.change.value} takes no source")
    if event.change is Change.LEAVE_GROUP:
        return include(family.no_sources) if current else _not_joined(family, event)
    return _joined(family, current, event)


def _joined(
    family: ProtocolFamily, current: SourceFilter | None, event: ChangeListening
) -> SourceFilter | Refused:
    if current is None:
        return exclude(family.no_sources)
    if current.mode is FilterMode.INCLUDE:
        return _mixed(family, event)
    return Refused("EADDRINUSE", f"{readable(family, event.group)} is joined already")


def _source_changed(
    family: ProtocolFamily, current: SourceFilter | None, event: ChangeListening
) -> SourceFilter | Refused:
    delta, source = _SOURCE_CHANGES[event.change], event.source
    if source is None or not family.is_unicast(source):
        return Refused("EINVAL", f"{event.change.value} needs a unicast source")
    if current is None and not delta.may_begin:
        return _not_joined(family, event)
    before = current or SourceFilter(delta.mode, family.no_sources)
    if before.mode is not delta.mode:
        return _mixed(family, event)
    if (source in before.sources) != delta.listed:
        state = "not listed" if delta.listed else "listed already"
        return Refused("EADDRNOTAVAIL", f"{readable(family, source)} is {state}")
    one = SourceList(source, family.address_width)
    return SourceFilter(delta.mode, delta.apply(before.sources, one))


def _not_joined(family: ProtocolFamily, event: ChangeListening) -> Refused:
    return Refused("EADDRNOTAVAIL", f"{readable(family, event.group)} is not joined")


def _mixed(family: ProtocolFamily, event: ChangeListening) -> Refused:
    text = f"{event.change.value} does not go with the earlier request for"
    return Refused("EINVAL", f"{text} {readable(family, event.group)}")
