"""Holds one interface: its link, its hooks, and an observer for each family."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from mcastd.fastpath.attach import Attachment
from mcastd.fastpath.ring import Captured, Fate
from mcastd.gmp.config import HostConfig
from mcastd.gmp.family import FAMILIES, ProtocolFamily
from mcastd.gmp.messages import MembershipReport, Query, RecordReport
from mcastd.gmp.time import Instant
from mcastd.net.names import given
from mcastd.net.rtnetlink import Link
from mcastd.service.events import FamilyEvent
from mcastd.service.guard import Guard
from mcastd.service.joined import Joined
from mcastd.service.kernel_version import KernelVersion
from mcastd.service.machine import Membership
from mcastd.service.mode import Mode
from mcastd.service.observer import Observer
from mcastd.service.own_addresses import OwnAddresses
from mcastd.service.owned import Key, Owned
from mcastd.wire import Reason, Received, ReceptionContext, Rejected, decode_event

if TYPE_CHECKING:
    from mcastd.service.config import Settings
    from mcastd.service.interface_settings import InterfaceSettings

CLASSIFIED = ReceptionContext(addresses_known=False)
"""The programs have asked for the addresses already."""

PRIORITY_TAG = 0
"""The VLAN identifier of a frame that has a priority and no VLAN (IEEE 802.1Q)."""


class Event(NamedTuple):
    """A decoded event of the fast path."""

    captured: Captured
    decoded: Received | Rejected

    @property
    def went_to_many(self) -> bool:
        """Whether the frame went to a multicast or broadcast address."""
        return bool(self.captured.frame[0] & 1)


REMEMBERED = 256
"""Messages: of a flood most are alike, and a querier says the same all the time."""

REMEMBERED_LENGTH = 160
"""Bytes; longer frames are decoded anew."""


class Decoder:
    """Decodes events, and knows again what it has decoded lately."""

    def __init__(self) -> None:
        self._known: dict[bytes, Received | Rejected | None] = {}

    def __call__(self, captured: Captured) -> Event | None:
        """None for what is no message at all."""
        if captured.frame_length > REMEMBERED_LENGTH:
            decoded = decode_event(captured.frame, captured, CLASSIFIED)
        else:
            try:
                decoded = self._known[captured.content]
            except KeyError:
                decoded = self._learn(captured)
        return None if decoded is None else Event(captured, decoded)

    def _learn(self, captured: Captured) -> Received | Rejected | None:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        decoded = decode_event(captured.frame, captured, CLASSIFIED)
        self._known[captured.content] = decoded
        return decoded


@dataclass(slots=True)
class Interface:
    """An interface that the agent runs.

    `wanted_mode`: what settings or operator last said; `mode` is another while that cannot be.
    `problem`: why it is not run as it should be; None if it is. `alternative_names`: by which it
    may be called, too. `own`: the agent's own memberships in force. `known_queriers`: whose queries
    the programs know. `sockets`: those memberships that the kernel speaks for. `kernel_versions`:
    what the kernel speaks, by family. `own_addresses`: where the programs are told which groups
    are received here. `run_as`: the last name of the device that is configured, if its own is not.
    """

    name: str
    configs: dict[str, HostConfig]
    guard: Guard
    mode: Mode = Mode.OBSERVE
    wanted_mode: Mode = Mode.OBSERVE
    link: Link | None = None
    attachment: Attachment | None = None
    problem: str | None = None
    alternative_names: tuple[str, ...] = ()
    observers: dict[str, Observer] = field(default_factory=dict)
    own: dict[Key, Owned] = field(default_factory=dict)
    known_queriers: set[bytes] = field(default_factory=set)
    sockets: dict[Key, Membership] = field(default_factory=dict)
    kernel_versions: dict[str, KernelVersion] = field(default_factory=dict)
    own_addresses: OwnAddresses | None = None
    run_as: str | None = None

    def __post_init__(self) -> None:
        for name, family in FAMILIES.items():
            observer = self.observers[name] = Observer(family, self.configs[name])
            observer.group_changed = self._group_changed
            self.kernel_versions[name] = KernelVersion(family)

    @property
    def index(self) -> int | None:
        return self.link.index if self.link else None

    def _group_changed(self, group: bytes, is_received: bool) -> None:
        if self.index is None or self.own_addresses is None:
            return
        if is_received:
            self.own_addresses.add(self.index, [group])
        else:
            self.own_addresses.remove(self.index, [group])

    def written(
        self, settings: Settings, *, taken: Container[str] = ()
    ) -> InterfaceSettings | None:
        """What is configured for it; if its name is not, for its last one that is.

        `taken`: names under which nothing more is configured for it.
        """
        found = settings.of(self.name, self.alternative_names)
        if found is None and self.run_as is not None and self.run_as not in taken:
            return settings.of(self.run_as)
        return found

    def rename(self, name: str) -> None:
        """What the agent receives here is asked for under the new name."""
        self.name = name
        moved = [(key, each._replace(interface=name)) for key, each in self.own.items()]
        self.sockets = {each.key: self.sockets[key] for key, each in moved if key in self.sockets}
        self.own = {each.key: each for _, each in moved}

    def go_on_from(self, earlier: Interface) -> None:
        """Counts on where the one before it under this name has ended."""
        for name, observer in self.observers.items():
            observer.go_on_from(earlier.observers[name])

    def close_sockets(self) -> None:
        for each in self.sockets.values():
            each.close()
        self.sockets.clear()

    def of(self, family: ProtocolFamily) -> Observer:
        return self.observers[family.name]

    def of_width(self, width: int) -> Observer:
        return next(e for e in self.observers.values() if e.family.address_width == width)

    def keeps_kernel_newest(self, protocol: str) -> bool:
        """Whether older queries are kept from the kernel, which so stays in the newest version."""
        config = self.configs[protocol]
        capped = config.is_capped(FAMILIES[protocol])
        return self.mode is Mode.HOST and (capped or not config.compat_enable)

    @property
    def is_holding(self) -> bool:
        """Whether the agent speaks for the kernel, in either family."""
        return any(each.is_holding for each in self.observers.values())

    def hear(self, event: Event) -> list[FamilyEvent]:
        """A message from outside. Those in a VLAN are not this interface's own business.

        A report to this host alone was heard by no querier: it makes nothing unnecessary, neither
        here nor for the kernel.
        """
        decoded, at = event.decoded, Instant(event.captured.at)
        if is_tagged(decoded.vlan):
            return []
        name, message = decoded.family.name, decoded.message
        observer = self.observers[name]
        if isinstance(decoded, Rejected):
            return self._hear_refused(observer, at, decoded)
        if isinstance(message, MembershipReport) and not event.went_to_many:
            return []
        if isinstance(message, Query) and not (
            message.version < decoded.family.newest and self.keeps_kernel_newest(name)
        ):
            self.kernel_versions[name].hear(at, message)
        return observer.hear(at, decoded)

    def _hear_refused(
        self, observer: Observer, at: Instant, refused: Rejected
    ) -> list[FamilyEvent]:
        """Of all that is refused only the queries of strangers concern the kernel."""
        query = refused.message
        if refused.reason is not Reason.UNLISTED_QUERIER or not isinstance(query, Query):
            return []
        if self.mode is not Mode.HOST:
            self.kernel_versions[observer.family.name].hear(at, query)
        return observer.hear_unlisted(at, query)

    def overhear(self, event: Event) -> list[FamilyEvent]:
        """A message of this host's kernel."""
        decoded = event.decoded
        if isinstance(decoded, Rejected) or is_tagged(decoded.vlan):
            return []
        held, at = event.captured.fate == Fate.HELD_BACK, Instant(event.captured.at)
        message, observer = decoded.message, self.of(decoded.family)
        if isinstance(message, MembershipReport | RecordReport):
            self.kernel_versions[decoded.family.name].speaks(at, message.version)
        return observer.overhear(at, message, held=held)

    def groups(self) -> Iterator[bytes]:
        """All that are received, of both families."""
        return (group for each in self.observers.values() for group in each.received.groups)

    def holds(self, protocol: str) -> bool:
        """Whether the agent is to speak for the kernel: under a cap, or while the kernel keeps to
        an older version that is not to be gone by."""
        config, kernel = self.configs[protocol], self.kernel_versions[protocol]
        capped = config.is_capped(FAMILIES[protocol])
        return self.mode is Mode.HOST and (capped or (not config.compat_enable and kernel.is_older))

    def kernel(self) -> dict[bytes, Joined]:
        """What is known of what the kernel receives, of both families."""
        return {
            group: each
            for o in self.observers.values()
            for group, each in o.received.kernel.items()
        }

    def kernel_receives(
        self, now: Instant, group: bytes, joined: Joined | None
    ) -> list[tuple[str, FamilyEvent]]:
        """As it was looked up; None: the group no longer."""
        observer = self.of_width(len(group))
        found = observer.kernel_receives(now, group, joined)
        return [(observer.family.name, event) for event in found]

    def advance(self, now: Instant) -> Iterator[tuple[str, FamilyEvent]]:
        """What time brings, with the family's name."""
        for name, observer in self.observers.items():
            for event in observer.advance(now):
                yield name, event

    def next_deadline(self) -> Instant | None:
        deadlines = (observer.next_deadline() for observer in self.observers.values())
        return min((each for each in deadlines if each is not None), default=None)

    def configure(
        self, now: Instant, configs: Mapping[str, HostConfig]
    ) -> list[tuple[str, FamilyEvent]]:
        """Other tunables, at once."""
        self.configs = dict(configs)
        return [
            (name, event)
            for name, observer in self.observers.items()
            for event in observer.configure(now, configs[name])
        ]

    def announce(self, now: Instant) -> list[tuple[str, FamilyEvent]]:
        """All groups are to be reported again, on a link that stays up."""
        return [
            (name, event)
            for name, observer in self.observers.items()
            for event in observer.announce(now)
        ]

    def resume(self, now: Instant) -> list[tuple[str, FamilyEvent]]:
        """The agent speaks on for what it spoke for before a restart."""
        return [
            (name, event)
            for name, observer in self.observers.items()
            for event in observer.resume(now)
        ]

    def set_running(self, now: Instant, running: bool) -> list[tuple[str, FamilyEvent]]:
        return [
            (name, event)
            for name, observer in self.observers.items()
            for event in observer.link(now, running=running)
        ]


def called(interfaces: Mapping[str, Interface], name: str) -> str:
    """The name of the interface that is called so by an operator; what none is called, as it is."""
    shown = given(name)
    if name in interfaces or shown in interfaces:
        return name if name in interfaces else shown
    found = (each.name for each in interfaces.values() if shown in each.alternative_names)
    return next(found, name)


def is_tagged(vlan: Iterable[int]) -> bool:
    return any(tag != PRIORITY_TAG for tag in vlan)
