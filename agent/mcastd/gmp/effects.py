"""What a host asks its surroundings to do, as values; nothing here is done by the core itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from mcastd.gmp.family import Address
from mcastd.gmp.records import GroupRecord
from mcastd.gmp.time import Duration


@dataclass(frozen=True, slots=True)
class SendRecords:
    """Report these records in the newest version; the codec splits them over packets that fit.

    `records` may be a `CurrentState`, made from the host's state when it is asked for: it is
    consumed before the host is given its next event, or its remaining records tell the state at
    that later time. It may turn out to be empty; then nothing is sent.
    """

    records: Iterable[GroupRecord]
    is_state_change: bool


@dataclass(frozen=True, slots=True)
class SendReport:
    """Report one group in an older version."""

    version: int
    group: Address


@dataclass(frozen=True, slots=True)
class SendLeave:
    """Tell the routers in an older version that the group is no longer received."""

    version: int
    group: Address


@dataclass(frozen=True, slots=True)
class VersionChanged:
    """The version spoken is another now."""

    previous: int
    version: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that was not granted; `code` is the errno's name (RFC 3678 §4.1)."""

    code: str
    text: str


class Listening(Enum):
    STARTED = "started"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ReportsMatter:
    """Other hosts' older reports for these groups can suppress ours from now on, or no longer can.

    `groups` None: no group's can, whatever was said before.
    """

    groups: tuple[Address, ...] | None
    listening: Listening


@dataclass(frozen=True, slots=True)
class Warn:
    """Something an operator should know; each cause speaks at most once every ten seconds."""

    text: str
    cause: str


@dataclass(frozen=True, slots=True)
class Refreshed:
    """All groups are reported `within` this time without a query; who speaks for this host besides
    should do so, too."""

    within: Duration


Effect = (
    SendRecords
    | SendReport
    | SendLeave
    | VersionChanged
    | Refused
    | ReportsMatter
    | Warn
    | Refreshed
)
