"""rtnetlink's messages: requests for dumps, and links and addresses out of what the kernel says.

pyroute2 reads and writes them; of its package only the messages are imported, when links are
followed. What has no interest is told by its type and not read: pyroute2 takes a millisecond for a
link. Pure; whatever the bytes, nothing is raised. Source: rtnetlink(7).
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from ipaddress import ip_address
from types import ModuleType
from typing import Any, NamedTuple

from mcastd.net.fitness import ARPHRD_ETHER, IFF_LOOPBACK, IFF_MULTICAST, unfitness
from mcastd.net.names import shown

HEADER = struct.Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence number, port."""

NUMBER = struct.Struct("=i")

NLM_F_REQUEST, NLM_F_DUMP_INTR, NLM_F_DUMP = 0x1, 0x10, 0x300
AF_UNSPEC, AF_INET, AF_INET6 = 0, 2, 10


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

RTEXT_FILTER_SKIP_STATS = 8

IGMP_RESEND = 5
"""IFLA_EVENT_IGMP_RESEND."""


class Message(NamedTuple):
    """One message: its type, flags, and all of it, the header too."""

    type: int
    flags: int
    data: bytes


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
            kind=self.kind,
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
    is_probed: bool = False


Change = LinkChanged | LinkGone | AddressChanged


def messages(data: bytes | memoryview) -> Iterator[Message]:
    """The messages of one datagram; what follows a length that cannot be is left."""
    view, at = memoryview(data), 0
    while at + HEADER.size <= len(view):
        length, kind, flags, _, _ = HEADER.unpack_from(view, at)
        if length < HEADER.size or at + length > len(view):
            return
        yield Message(kind, flags, bytes(view[at : at + length]))
        at += length + 3 & ~3


@cache
def message_class(name: str) -> Any:
    """One of pyroute2's, such as "ifinfmsg", without all the rest of that package.

    Its `__init__` imports a database, remote execution and more, which takes as long as all else
    the agent does until it is attached, and six MiB.
    """
    package, module = "pyroute2", f"pyroute2.netlink.rtnl.{name}"
    spec = find_spec(package)
    if package not in sys.modules and spec is not None and spec.submodule_search_locations:
        bare = ModuleType(package)
        bare.__path__ = list(spec.submodule_search_locations)
        bare.__spec__ = spec
        sys.modules[package] = bare
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError):
            pass  # it is made otherwise one day
        finally:
            del sys.modules[package]
    return getattr(import_module(module), name)


def dump_of_links(sequence: int) -> bytes:
    """A request for all links, without their statistics."""
    request = message_class("ifinfmsg")()
    request["attrs"] = [("IFLA_EXT_MASK", RTEXT_FILTER_SKIP_STATS)]
    return _dump(request, Kind.GET_LINK, sequence)


def dump_of_addresses(sequence: int, index: int = 0) -> bytes:
    """A request for all unicast addresses of both families; of one link alone where `index` is
    given and the socket has strict checks (netlink(7), NETLINK_GET_STRICT_CHK)."""
    request = message_class("ifaddrmsg")()
    request["index"] = index
    return _dump(request, Kind.GET_ADDRESS, sequence)


def _dump(request: Any, kind: Kind, sequence: int) -> bytes:
    header = request["header"]
    header["type"], header["flags"] = int(kind), NLM_F_REQUEST | NLM_F_DUMP
    header["sequence_number"] = sequence
    request.encode()
    return bytes(request.data)


def error_of(message: Message) -> int:
    """The errno that an ERROR, or the DONE of a dump, carries; 0 for none."""
    if len(message.data) < HEADER.size + NUMBER.size:
        return 0
    return -int(NUMBER.unpack_from(message.data, HEADER.size)[0])


READERS = {
    Kind.NEW_LINK: "ifinfmsg",
    Kind.DEL_LINK: "ifinfmsg",
    Kind.NEW_ADDRESS: "ifaddrmsg",
    Kind.DEL_ADDRESS: "ifaddrmsg",
}


def change_of(message: Message) -> Change | None:
    """What a message tells of links and addresses; None for any other, and for half a message."""
    reader = READERS.get(message.type)  # type: ignore[call-overload]
    if reader is None:
        return None
    try:
        read = message_class(reader)(message.data)
        read.decode()
        match message.type:
            case Kind.NEW_LINK:
                return _link_changed(read)
            case Kind.DEL_LINK:
                # A bridge says the same of a port that leaves it: the family tells.
                return LinkGone(read["index"]) if read["family"] == AF_UNSPEC else None
            case _:
                return _address_changed(read, is_new=message.type == Kind.NEW_ADDRESS)
    except Exception:  # whatever the bytes make of the library: it is no message of a kernel
        return None


def _link_changed(read: Any) -> LinkChanged | None:
    name = _text(read.get_attr("IFLA_IFNAME"))
    # A bridge tells of its ports, a WLAN of its scans: half a message, and of another kind.
    if read["family"] != AF_UNSPEC or not name or read.get_attr("IFLA_WIRELESS") is not None:
        return None
    flags, info = read["flags"], read.get_attr("IFLA_LINKINFO")
    kind = _text(_attribute(info, "IFLA_INFO_KIND"))
    data = _attribute(info, "IFLA_INFO_DATA") if kind == "bond" else None
    link = Link(
        index=read["index"],
        name=name,
        is_running=bool(flags & IFF_UP and flags & IFF_RUNNING),
        is_loopback=bool(flags & IFF_LOOPBACK),
        has_multicast=bool(flags & IFF_MULTICAST),
        hardware_type=read["ifi_type"],
        mtu=read.get_attr("IFLA_MTU") or 0,
        hardware_address=read.get_attr("IFLA_ADDRESS") or "",
        kind=kind,
        master_kind=_text(_attribute(info, "IFLA_INFO_SLAVE_KIND")),
        alternative_names=_alternative_names(read.get_attr("IFLA_PROP_LIST")),
        active_port=_attribute(data, "IFLA_BOND_ACTIVE_SLAVE") or 0,
        carrier_losses=read.get_attr("IFLA_CARRIER_DOWN_COUNT") or 0,
    )
    return LinkChanged(link, resends=read.get_attr("IFLA_EVENT") == IGMP_RESEND)


def _attribute(nested: Any, name: str) -> Any:
    """Of a nested attribute's own; None if either is not there."""
    return nested.get_attr(name) if nested is not None else None


def _alternative_names(properties: Any) -> tuple[str, ...]:
    found = properties.get_attrs("IFLA_ALT_IFNAME") if properties is not None else ()
    return tuple(filter(None, map(_text, found)))


def _address_changed(read: Any, *, is_new: bool) -> AddressChanged | None:
    text = read.get_attr("IFA_LOCAL") or read.get_attr("IFA_ADDRESS")
    address = ip_address(text).packed
    if len(address) != {AF_INET: 4, AF_INET6: 16}[read["family"]]:
        return None
    flags = read.get_attr("IFA_FLAGS")
    flags = read["flags"] if flags is None else flags
    here = is_new and not flags & IFA_F_DADFAILED
    is_probed = bool(here and flags & IFA_F_TENTATIVE)
    return AddressChanged(read["index"], address, here and not is_probed, is_probed)


def _text(value: str | bytes | None) -> str:
    """pyroute2 leaves bytes that are no UTF-8 as they are, with the zero that ends them."""
    raw = value.encode() if isinstance(value, str) else value or b""
    return shown(raw.partition(b"\0")[0])
