"""What happens to interfaces: a closed union of values, for the log and for those who watch.

An event of a family is what its observer returns; one of an interface concerns both. They hold
addresses as bytes: text is made by `describe`, and only for somebody who reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcastd.fastpath.hooks import Hook
    from mcastd.gmp.family import Address
    from mcastd.gmp.filters import SourceFilter
    from mcastd.gmp.time import Duration
    from mcastd.service.floods import Flood
    from mcastd.service.mode import Mode
    from mcastd.streams.pair_states import PairEvent
    from mcastd.streams.states import Event as StreamChange


# Of one family on an interface.


@dataclass(frozen=True, slots=True)
class Joined:
    """A group is received now that was not; `application` asked for it."""

    group: Address
    application: str
    filter: SourceFilter


@dataclass(frozen=True, slots=True)
class FilterChanged:
    """A group is received from other sources now; `application` asked for that."""

    group: Address
    application: str
    filter: SourceFilter


@dataclass(frozen=True, slots=True)
class Left:
    """A group is no longer received; `application` was the last to ask for it."""

    group: Address
    application: str


@dataclass(frozen=True, slots=True)
class QuerierChanged:
    """Another querier asks now, or the same one in another version."""

    address: Address
    version: int


@dataclass(frozen=True, slots=True)
class UnlistedQuerier:
    """A querier asks that is none of those that the settings name."""

    address: Address
    version: int


@dataclass(frozen=True, slots=True)
class VersionChanged:
    """Another version is spoken now.

    `querier`: whose query made it an older one. `forgotten_in`: for how long that is remembered;
    None if no older querier is.
    """

    previous: int
    version: int
    querier: Address | None
    forgotten_in: Duration | None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """So many queries got no report of this host in time."""

    queries: int


@dataclass(frozen=True, slots=True)
class Warned:
    """The engine warns an operator."""

    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The engine does not take a request."""

    text: str


FamilyEvent = (
    Joined
    | FilterChanged
    | Left
    | QuerierChanged
    | UnlistedQuerier
    | VersionChanged
    | Unanswered
    | Warned
    | Refused
)
"""What happens to one family on an interface."""


# Of an interface.


class Cause(StrEnum):
    """Why all groups are reported again."""

    IGMP_RESEND = "igmp_resend"
    COPIES_LOST = "copies_lost"


@dataclass(frozen=True, slots=True)
class Announced:
    """All groups are reported again on a link that stays up."""

    cause: Cause


@dataclass(frozen=True, slots=True)
class Attached:
    """The programs are on the interface."""

    hook: Hook


@dataclass(frozen=True, slots=True)
class Detached:
    """Somebody else took a program away."""


@dataclass(frozen=True, slots=True)
class Deaf:
    """The programs are there, and hand nothing over."""


@dataclass(frozen=True, slots=True)
class ProblemBegan:
    """Something keeps the interface from being run as it should be."""

    text: str


@dataclass(frozen=True, slots=True)
class ProblemEnded:
    """The problem is over."""

    text: str


@dataclass(frozen=True, slots=True)
class ModeChanged:
    """The agent has taken the interface over, or given it back."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The link is up and has a carrier, or no longer so."""

    is_running: bool


@dataclass(frozen=True, slots=True)
class MulticastSwitched:
    """Multicast was switched on or off for the device."""

    on: bool


@dataclass(frozen=True, slots=True)
class FailedOver:
    """A bond has another active port; None for one whose name is not known."""

    before: str | None
    now: str | None


@dataclass(frozen=True, slots=True)
class Renamed:
    """The device has another name now."""

    name: str


@dataclass(frozen=True, slots=True)
class Gone:
    """The device is no longer there."""


@dataclass(frozen=True, slots=True)
class FloodChanged:
    """A flood has `started`, or `ended`."""

    state: str
    ring: str
    flood: Flood


@dataclass(frozen=True, slots=True)
class StreamChanged:
    """A stream, or a group from which nothing comes, is in another state."""

    change: StreamChange


@dataclass(frozen=True, slots=True)
class PairChanged:
    """A pair, one stream that is sent twice, is in another state; told of a leg's interface."""

    change: PairEvent


RunEvent = Announced | Attached | Detached | Deaf | ProblemBegan | ProblemEnded | ModeChanged
"""What happens to how an interface is run."""

DeviceEvent = LinkChanged | MulticastSwitched | FailedOver | Renamed | Gone
"""What happens to the device."""

InterfaceEvent = RunEvent | DeviceEvent | FloodChanged | StreamChanged | PairChanged
"""What happens to an interface as a whole."""

Event = FamilyEvent | InterfaceEvent
