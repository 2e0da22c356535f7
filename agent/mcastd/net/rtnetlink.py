"""rtnetlink's messages: requests for dumps, and links and addresses out of what the kernel says.

Read here, and not by a library, for what a burst costs: a link is read in a fiftieth of the time,
and names may be any bytes. Pure; whatever the bytes, nothing is raised. Source: rtnetlink(7),
include/uapi/linux/{netlink,rtnetlink,if_link,if_addr}.h.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from mcastd.net.fitness import ARPHRD_ETHER, IFF_LOOPBACK, IFF_MULTICAST, unfitness
from mcastd.net.names import shown

HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence number, port."""

LINK = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, ARPHRD type, index, flags, change."""

ADDRESS = struct.Struct("=BBBBI")
"""struct ifaddrmsg: family, prefix length, flags, scope, index."""

ATTRIBUTE = struct.Struct("=HH")
WORD = struct.Struct("=I")
NUMBER = struct.Struct("=i")

NLM_F_REQUEST, NLM_F_MULTI, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x2, 0x10, 0x300
AF_UNSPEC, AF_INET, AF_INET6 = 0, 2, 10
NLA_TYPE_MASK = 0x3FFF


class Kind(IntEnum):
    """Message types."""

    ERROR = 2
    DONE = 3
    NEW_LINK = 16
    DEL_LINK = 17
    GET_LINK = 18
    NEW_ADDRESS = 20
    DEL_ADDRESS = 21
    GET_ADDRESS = 22


IFF_UP, IFF_RUNNING = 0x1, 0x40
IFA_F_DADFAILED, IFA_F_TENTATIVE = 0x08, 0x40

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_WIRELESS, IFLA_LINKINFO = 1, 3, 4, 11, 18
IFLA_EXT_MASK, IFLA_EVENT, IFLA_CARRIER_DOWN_COUNT, IFLA_PROP_LIST = 29, 44, 48, 52
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND = 1, 2, 4
IFLA_ALT_IFNAME, IFLA_BOND_ACTIVE_SLAVE = 53, 2
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
RTEXT_FILTER_SKIP_STATS = 8

IFLA_EVENT_IGMP_RESEND = 5


class Message(NamedTuple):
    """One message: its type, flags, sequence number, and what follows the header."""

    type: int
    flags: int
    sequence: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """An interface, as the kernel tells of it.

    `master_kind`: of the device it is a port of, such as "bridge". `active_port`: the index of a
    bond's active port, 0 for what has none. `carrier_losses`: how often the carrier went.
    `hardware_type`: ARPHRD_ETHER and its like.
    """

    index: int
    name: str
    is_running: bool
    is_loopback: bool
    has_multicast: bool
    hardware_type: int = ARPHRD_ETHER
    mtu: int = 0
    hardware_address: str = ""
    kind: str = ""
    master_kind: str = ""
    alternative_names: tuple[str, ...] = ()
    active_port: int = 0
    carrier_losses: int = 0

    @property
    def unfit(self) -> str | None:
        """Why it cannot be run at all; None if it can."""
        return unfitness(
            self.name,
            is_loopback=self.is_loopback,
            hardware_type=self.hardware_type,
            has_multicast=self.has_multicast,
        )


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """A link is there, or something about it is new.

    `resends`: the kernel tells the link of all its groups again, after a fail-over or a migration.
    """

    link: Link
    resends: bool = False


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


def messages(data: bytes | memoryview) -> Iterator[Message]:
    """The messages of one datagram; what follows a length that cannot be is left."""
    view, at = memoryview(data), 0
    while at + HEADER.size <= len(view):
        length, kind, flags, sequence, _ = HEADER.unpack_from(view, at)
        if length < HEADER.size or at + length > len(view):
            return
        yield Message(kind, flags, sequence, bytes(view[at + HEADER.size : at + length]))
        at += length + 3 & ~3


def attributes(data: bytes, at: int = 0) -> dict[int, bytes]:
    """Attributes by type, of a repeated one the last; what follows a broken one is left."""
    return dict(each_attribute(data, at))


def each_attribute(data: bytes, at: int = 0) -> Iterator[tuple[int, bytes]]:
    """Types and payloads: struct nlattr, padded to four bytes."""
    end = len(data)
    while at + 4 <= end:
        length, kind = ATTRIBUTE.unpack_from(data, at)
        if length < 4 or at + length > end:
            return
        yield kind & NLA_TYPE_MASK, data[at + 4 : at + length]
        at += length + 3 & ~3


def dump_of_links(sequence: int) -> bytes:
    """A request for all links, without their statistics."""
    mask = ATTRIBUTE.pack(8, IFLA_EXT_MASK) + WORD.pack(RTEXT_FILTER_SKIP_STATS)
    return _dump(Kind.GET_LINK, sequence, LINK.pack(AF_UNSPEC, 0, 0, 0, 0) + mask)


def dump_of_addresses(sequence: int) -> bytes:
    """A request for all unicast addresses of both families."""
    return _dump(Kind.GET_ADDRESS, sequence, ADDRESS.pack(AF_UNSPEC, 0, 0, 0, 0))


def _dump(kind: Kind, sequence: int, body: bytes) -> bytes:
    length = HEADER.size + len(body)
    return HEADER.pack(length, kind, NLM_F_REQUEST | NLM_F_DUMP, sequence, 0) + body


def error_of(message: Message) -> int:
    """The errno that an ERROR, or the DONE of a dump, carries; 0 for none."""
    return -NUMBER.unpack_from(message.payload)[0] if len(message.payload) >= NUMBER.size else 0


def change_of(message: Message) -> Change | None:
    """What a message tells of links and addresses; None for any other, and for half a message."""
    match message.type:
        case Kind.NEW_LINK:
            return _link_changed(message.payload)
        case Kind.DEL_LINK:
            return _link_gone(message.payload)
        case Kind.NEW_ADDRESS | Kind.DEL_ADDRESS:
            return _address_changed(message.payload, is_new=message.type == Kind.NEW_ADDRESS)
        case _:
            return None


def _link_changed(payload: bytes) -> LinkChanged | None:
    if len(payload) < LINK.size:
        return None
    family, hardware_type, index, flags, _ = LINK.unpack_from(payload)
    found = attributes(payload, LINK.size)
    name = _text(found.get(IFLA_IFNAME, b""))
    # A bridge tells of its ports, a WLAN of its scans: half a message, and of another kind.
    if family != AF_UNSPEC or not name or IFLA_WIRELESS in found:
        return None
    info = attributes(found.get(IFLA_LINKINFO, b""))
    data = attributes(info.get(IFLA_INFO_DATA, b"")) if _is_bond(info) else {}
    link = Link(
        index=index,
        name=name,
        is_running=bool(flags & IFF_UP and flags & IFF_RUNNING),
        is_loopback=bool(flags & IFF_LOOPBACK),
        has_multicast=bool(flags & IFF_MULTICAST),
        hardware_type=hardware_type,
        mtu=_word(found.get(IFLA_MTU)),
        hardware_address=found.get(IFLA_ADDRESS, b"").hex(":"),
        kind=_text(info.get(IFLA_INFO_KIND, b"")),
        master_kind=_text(info.get(IFLA_INFO_SLAVE_KIND, b"")),
        alternative_names=_alternative_names(found.get(IFLA_PROP_LIST, b"")),
        active_port=_word(data.get(IFLA_BOND_ACTIVE_SLAVE)),
        carrier_losses=_word(found.get(IFLA_CARRIER_DOWN_COUNT)),
    )
    return LinkChanged(link, resends=_word(found.get(IFLA_EVENT)) == IFLA_EVENT_IGMP_RESEND)


def _is_bond(info: dict[int, bytes]) -> bool:
    """The numbers of a link's own attributes mean something else for each kind."""
    return _text(info.get(IFLA_INFO_KIND, b"")) == "bond"


def _alternative_names(data: bytes) -> tuple[str, ...]:
    found = (value for kind, value in each_attribute(data) if kind == IFLA_ALT_IFNAME)
    return tuple(filter(None, map(_text, found)))


def _link_gone(payload: bytes) -> LinkGone | None:
    """A bridge says the same of a port that leaves it: the family tells."""
    if len(payload) < LINK.size:
        return None
    family, _, index, _, _ = LINK.unpack_from(payload)
    return LinkGone(index) if family == AF_UNSPEC else None


def _address_changed(payload: bytes, *, is_new: bool) -> AddressChanged | None:
    if len(payload) < ADDRESS.size:
        return None
    family, _, flags, _, index = ADDRESS.unpack_from(payload)
    found = attributes(payload, ADDRESS.size)
    address = found.get(IFA_LOCAL) or found.get(IFA_ADDRESS) or b""
    if len(address) != {AF_INET: 4, AF_INET6: 16}.get(family):
        return None
    flags = _word(found.get(IFA_FLAGS), flags)
    usable = is_new and not flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)
    return AddressChanged(index, address, usable)


def _text(value: bytes) -> str:
    return shown(value.partition(b"\0")[0])


def _word(value: bytes | None, otherwise: int = 0) -> int:
    return WORD.unpack(value)[0] if value is not None and len(value) == WORD.size else otherwise
