"""What the agent needs of the programs on its interfaces: `mcastd.fastpath.FastPath` has it.

It is a protocol, so that a test can put programs of lists and dictionaries in their place
(tests/support/fake_fast_path.py) and needs neither a kernel nor rights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping, Sequence
    from socket import socket

    from mcastd.fastpath.attach import Attachment
    from mcastd.fastpath.counters import Counters
    from mcastd.fastpath.hooks import HookChoice
    from mcastd.fastpath.passers import Passer
    from mcastd.fastpath.policies import Policy
    from mcastd.fastpath.ring import Captured
    from mcastd.fastpath.sockets import SocketPart
    from mcastd.fastpath.streams import Streams


class EventRing(Protocol):
    """One ring, from which events come."""

    def fileno(self) -> int:
        """Readable while events wait."""

    def drain(self, most: int = ..., /) -> list[Captured]:
        """The oldest events, `most` at the most."""


class JoinedSockets(Protocol):
    """The sockets of this host, and what they have joined."""

    def read(self) -> Sequence[SocketPart]:
        """OSError."""


class Programs(Protocol):
    """All interfaces' programs, what they count and hand over, and what they are told."""

    @property
    def rings(self) -> Mapping[str, EventRing]:
        """`query`, `report` and `egress`."""

    @property
    def refused(self) -> Counter[str]:
        """What a map had no room for, by the map's name."""

    @property
    def asking(self) -> bytes:
        """The hardware address that questions to the kernel come from."""

    @property
    def sockets(self) -> JoinedSockets | None: ...

    @property
    def sockets_problem(self) -> str | None: ...

    @property
    def streams(self) -> Streams | None: ...

    @property
    def streams_problem(self) -> str | None: ...

    def attach(
        self,
        name: str,
        ifindex: int,
        policy: Policy,
        choice: HookChoice = ...,
        *,
        streams: bool = ...,
    ) -> Attachment:
        """OSError; FastPathError if there is no place, or the chosen hook is not to be had."""

    def forget(self, ifindex: int) -> None:
        """The interface is no longer ours."""

    def forget_gone(self, most: int) -> None:
        """Keeps the counters of only so many interfaces that are gone, the latest."""

    def outlast(
        self, attachments: Iterable[tuple[str, Attachment]], /, *, patience: float = ...
    ) -> bool:
        """Has the service manager keep what is attached; whether it does."""

    def rename(self, old: str, new: str) -> None:
        """Counters go on under the new name."""

    def set_policy(self, ifindex: int, policy: Policy) -> None: ...

    def hand_over_reports(self, on: bool, /) -> None:
        """Whether other hosts' reports are events too, or only counted."""

    def beat(self, until: int, /) -> None:
        """The programs may act on traffic until this instant (ns of CLOCK_MONOTONIC)."""

    def own(self, sock: socket, /) -> None:
        """What this socket sends is the agent's own."""

    def assign(self, ifindex: int, address: bytes, *, is_usable: bool = ...) -> None:
        """The address, or joined group, is the interface's own. OSError.

        `is_usable`: false while nothing but reports may come from the address.
        """

    def unassign(self, ifindex: int, address: bytes) -> None: ...

    def delay(self, ifindex: int, group: bytes, *, delaying: bool) -> None:
        """Whether other hosts' older reports for the group are handed over."""

    def know_querier(self, ifindex: int, address: bytes, *, known: bool = ...) -> None:
        """The querier's queries are handed over however many others there are, or no longer so."""

    def inject(self, ifindex: int, frame: bytes) -> None:
        """Hands a frame to this host alone, as if the interface had received it. OSError."""

    def probe(self, ifindex: int, /) -> None:
        """Has the interface's program see a question of the agent's own. OSError."""

    def is_drained(self) -> bool:
        """Whether all queries that were handed over have been taken."""

    def counters(self) -> Mapping[str, Counters]:
        """Of each interface by name, also of those that are gone."""

    def passers(self) -> list[Passer]:
        """Who lately reported beside the agent where the kernel's own reports are held back."""
