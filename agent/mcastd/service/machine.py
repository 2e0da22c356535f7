"""What the agent wants of the kernel it runs on, besides its programs: sockets, locks, lists.

All of it is here so that a test can put another machine in its place, and needs no rights.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from mcastd.fastpath.others import users_of
from mcastd.gmp.family import Address
from mcastd.net.links import carrier_losses
from mcastd.net.membership import SocketMembership
from mcastd.net.proc import Receives, receives
from mcastd.service.filters import HardwareFilter
from mcastd.service.lock import Locks
from mcastd.service.signs import SignOnLink, agents_on
from mcastd.service.transmit import FrameSender, Sender

EGRESS = "mcast_egress"
"""The program that each agent has at the egress hook of its interfaces."""


class Filter(Protocol):
    """Multicast addresses that the NIC lets through for this process."""

    def add(self, index: int, group: Address) -> None:
        """OSError if the interface cannot have it, or is gone (ENODEV)."""

    def drop(self, index: int, group: Address) -> None:
        """OSError; nothing happens if it was not added, or the interface is gone."""

    def close(self) -> None: ...


class Membership(Protocol):
    """A group that a socket of this process has joined."""

    def close(self) -> None: ...


class InterfaceLocks(Protocol):
    """The interfaces that this process speaks for."""

    def take(self, index: int) -> int | None:
        """Takes the interface; or the process that has it, 0 if that is in another container."""

    def leave(self, index: int) -> None: ...


class Sign(Protocol):
    """Says to other agents which interfaces this one runs."""

    def update(self, indices: Collection[int]) -> None:
        """It runs these now."""

    def close(self) -> None: ...


class AgentLocks:
    """Locks, which agents of other users hold, too."""

    def __init__(self) -> None:
        self._locks = Locks()

    def take(self, index: int) -> int | None:
        return self._locks.take(index, lambda user: user in (users_of(EGRESS, index) or ()))

    def leave(self, index: int) -> None:
        self._locks.leave(index)


class Machine:
    """The machine that this process runs on."""

    def receives(self) -> Receives:
        """Which groups the kernel receives. OSError."""
        return receives()

    def carrier_losses(self, index: int) -> int:
        """How often a link's carrier has gone so far. OSError if it is gone."""
        return carrier_losses(index)

    def sender(self) -> FrameSender:
        """Sends frames. OSError if packet sockets are not permitted."""
        return Sender()

    def filter(self) -> Filter:
        return HardwareFilter()

    def locks(self) -> InterfaceLocks:
        return AgentLocks()

    def sign(self) -> Sign:
        return SignOnLink()

    def agents_on(self, indices: Collection[int]) -> dict[int, int]:
        """How many agents run each of these interfaces, this one among them."""
        return agents_on(indices)

    def join(
        self, index: int, group: Address, sources: Sequence[Address], *, exclude: bool
    ) -> Membership:
        """Has the kernel join the group, for these sources or all but these. OSError."""
        return SocketMembership(index, group, sources, exclude=exclude)
