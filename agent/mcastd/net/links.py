"""Interfaces and their addresses as the kernel tells of them: what there is, then what changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from mcastd.net.fitness import ARPHRD_ETHER, IFF_LOOPBACK, IFF_MULTICAST, unfitness

IFF_UP, IFF_RUNNING = 0x1, 0x40
IFA_F_DADFAILED, IFA_F_TENTATIVE = 0x08, 0x40


@dataclass(frozen=True, slots=True)
class Link:
    """An interface. `master_kind`: of the device it is a port of, such as "bridge"."""

    index: int
    name: str
    is_running: bool
    is_loopback: bool
    is_ethernet: bool
    has_multicast: bool
    mtu: int
    hardware_address: str
    kind: str
    master_kind: str

    @property
    def unfit(self) -> str | None:
        """Why it cannot be run at all; None if it can."""
        return unfitness(
            self.name,
            is_loopback=self.is_loopback,
            is_ethernet=self.is_ethernet,
            has_multicast=self.has_multicast,
        )


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """A link is there, or something about it is new."""

    link: Link


@dataclass(frozen=True, slots=True)
class LinkGone:
    index: int


@dataclass(frozen=True, slots=True)
class AddressChanged:
    """A unicast address; `usable` is false when it is gone, and while it is still being probed."""

    index: int
    address: bytes
    usable: bool


Change = LinkChanged | LinkGone | AddressChanged


def link_of(message: Any) -> Link:
    """From an RTM_NEWLINK message."""
    flags = message["flags"]
    info = message.get("linkinfo")
    return Link(
        index=message["index"],
        name=message.get("ifname"),
        is_running=bool(flags & IFF_UP and flags & IFF_RUNNING),
        is_loopback=bool(flags & IFF_LOOPBACK),
        is_ethernet=message["ifi_type"] == ARPHRD_ETHER,
        has_multicast=bool(flags & IFF_MULTICAST),
        mtu=message.get("mtu") or 0,
        hardware_address=message.get("address") or "",
        kind=(info.get("kind") if info else None) or "",
        master_kind=(info.get("slave_kind") if info else None) or "",
    )


def address_of(message: Any) -> AddressChanged | None:
    """From an RTM_NEWADDR or RTM_DELADDR message."""
    text = message.get("local") or message.get("address")
    if text is None:
        return None
    flags = message.get("flags") or 0
    usable = message["event"] != "RTM_DELADDR" and not flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)
    return AddressChanged(message["index"], ip_address(text).packed, usable)


class LinkWatcher:
    """An asynchronous context; inside it, `changes` never ends."""

    def __init__(self) -> None:
        # Only now: importing pyroute2 takes as long as all else that comes before attaching.
        from mcastd.net.netlink import AsyncIPRoute  # noqa: PLC0415

        self._netlink = AsyncIPRoute()

    async def __aenter__(self) -> LinkWatcher:
        await self._netlink.__aenter__()
        await self._netlink.bind()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._netlink.__aexit__(*exception)

    async def snapshot(self) -> list[Change]:
        """All addresses, then all links: so that each link is met with its addresses.

        What changes meanwhile comes through `changes`.
        """
        links: list[Change] = [
            LinkChanged(link_of(message)) async for message in await self._netlink.get_links()
        ]
        addresses = [address_of(message) async for message in await self._netlink.get_addr()]
        return [*(each for each in addresses if each is not None), *links]

    async def changes(self) -> AsyncIterator[Change]:
        """What changes from now on, as it happens."""
        while True:
            async for message in self._netlink.get():
                change = change_of(message)
                if change is not None:
                    yield change


def change_of(message: Any) -> Change | None:
    match message["event"]:  # not get(): that would look for an attribute of the name first
        case "RTM_NEWLINK":
            return LinkChanged(link_of(message))
        case "RTM_DELLINK":
            # A bridge says the same of a port that leaves it: the family tells.
            return LinkGone(message["index"]) if message["family"] == 0 else None
        case "RTM_NEWADDR" | "RTM_DELADDR":
            return address_of(message)
        case _:
            return None
