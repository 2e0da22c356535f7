"""What can happen to a host; a received `Message` is an event too."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mcastd.gmp.config import HostConfig
from mcastd.gmp.family import Address
from mcastd.gmp.filters import SourceFilter
from mcastd.gmp.messages import Message


@dataclass(frozen=True, slots=True)
class Listen:
    """An application's whole request for a group (RFC 9776 §2): replaces its earlier one.

    INCLUDE without sources ends it. `is_known`: the routers have been told already, by whoever
    spoke for this host before; nothing is reported.
    """

    application: str
    group: Address
    filter: SourceFilter
    is_known: bool = False


class Change(Enum):
    """The delta operations of RFC 3678 §4.1."""

    JOIN_GROUP = "join_group"
    LEAVE_GROUP = "leave_group"
    JOIN_SOURCE = "join_source"
    LEAVE_SOURCE = "leave_source"
    BLOCK_SOURCE = "block_source"
    UNBLOCK_SOURCE = "unblock_source"


@dataclass(frozen=True, slots=True)
class ChangeListening:
    """An application's change of its request for a group (RFC 3678 §4.1)."""

    application: str
    change: Change
    group: Address
    source: Address | None = None


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The interface went down."""


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The interface came up."""


@dataclass(frozen=True, slots=True)
class Announce:
    """All groups are to be reported again, unsolicited: the link is up, and others are on it now.

    No RFC has it. Linux does so after a fail-over or a migration (NETDEV_RESEND_IGMP).
    """


@dataclass(frozen=True, slots=True)
class SourceAddressChanged:
    """The address that messages are sent from is another; all zeros: there is none now.

    MLD announces its groups when there is one for the first time (RFC 3590 §4, RFC 9777 §5.2.14).
    """

    address: Address


@dataclass(frozen=True, slots=True)
class SayAgain:
    """Say the group's filter now, once more: something was said that takes away from it."""

    group: Address


@dataclass(frozen=True, slots=True)
class Resume:
    """Whoever spoke for this host before is gone: all groups are told once, as if somebody asked.

    The routers know of them; what was said meanwhile may have taken something away.
    """


@dataclass(frozen=True, slots=True)
class Configure:
    """An operator's change of tunables."""

    config: HostConfig


InterfaceEvent = LinkDown | LinkUp | Announce | SourceAddressChanged

Event = Listen | ChangeListening | InterfaceEvent | SayAgain | Resume | Configure | Message
