"""Pairs: one stream that is sent twice, over two networks (SMPTE ST 2022-7): its legs a and b."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, NamedTuple

from mcastd._native import ffi, lib
from mcastd.gmp.time import milliseconds
from mcastd.streams.lines import endpoint

MOST_PAIRS: int = lib.MCAST_PAIRS
NUMBERS: int = lib.MCAST_PAIR_NUMBERS
"""Of the window: a number is decided when the highest one is so far above it."""

WINDOW = milliseconds(150)
"""A number is decided, too, so long after it had come or been passed over."""

ANYWHERE, NOWHERE = (each & 0xFFFF_FFFF for each in (lib.MCAST_LEG_ANYWHERE, lib.MCAST_LEG_NOWHERE))
"""Indices of no interface: the leg may come on any, or comes on none that is there."""

EXAMPLE = "such as eth0 239.1.1.1:5004"


class PairError(ValueError):
    """A pair that cannot be: says what is wrong, and what may be given."""


class Leg(NamedTuple):
    """`interface`: None where it may come on any."""

    interface: str | None
    group: IPv4Address | IPv6Address
    port: int

    def __str__(self) -> str:
        stream = endpoint(str(self.group), self.port)
        return f"{self.interface} {stream}" if self.interface else stream


class Pair(NamedTuple):
    """The two legs."""

    a: Leg
    b: Leg

    def __str__(self) -> str:
        return f"{self.a}, {self.b}"


def parse_leg(text: str, *, interface: str | None = None) -> Leg:
    """GROUP:PORT, of IPv6 [GROUP]:PORT. PairError."""
    group, colon, port = text.rpartition(":")
    if not colon:
        raise PairError(f"{text}: no port; give GROUP:PORT, {EXAMPLE}")
    bracketed = group.startswith("[") and group.endswith("]")
    try:
        address = ip_address(group[1:-1] if bracketed else group)
    except ValueError:
        raise PairError(f"{text}: no address; give GROUP:PORT, {EXAMPLE}") from None
    if (address.version == 6) is not bracketed:
        raise PairError(f"{text}: IPv6 groups, and no others, are in brackets: [ff3e::1]:5004")
    if not address.is_multicast:
        raise PairError(f"{text}: not multicast; groups are in 224.0.0.0/4 or ff00::/8")
    if not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise PairError(f"{text}: port {port or 'missing'}; from 1 to 65535")
    return Leg(interface, address, int(port))


def parse_interface_leg(text: str) -> Leg:
    """INTERFACE GROUP:PORT. PairError."""
    words = text.split()
    if len(words) != 2:
        raise PairError(f"{text!r}: give the interface and GROUP:PORT, {EXAMPLE}")
    return parse_leg(words[1], interface=words[0])


def parse_pair(text: str) -> Pair:
    """Two legs, of a file: with interfaces before both, or before none. PairError."""
    words = text.split()
    if len(words) == 4:
        pair = Pair(*(parse_interface_leg(" ".join(words[at : at + 2])) for at in (0, 2)))
    elif len(words) == 2:
        pair = Pair(*(parse_leg(each) for each in words))
    else:
        raise PairError(f"{text!r}: give two legs, such as '239.1.1.1:5004 239.1.1.2:5004'")
    return pair


def checked_pairs(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """These, if no leg is there twice, and they are not too many. PairError."""
    if len(pairs) > MOST_PAIRS:
        raise PairError(f"{len(pairs)} of them; {MOST_PAIRS} at most")
    seen: dict[Leg, Pair] = {}
    for pair in pairs:
        for leg in pair:
            if leg in seen:
                raise PairError(f"{leg} is a leg twice; a stream belongs to one pair, as one leg")
            seen[leg] = pair
    return tuple(pairs)


def packed_legs(pairs: Sequence[Pair | None], indices: Mapping[str, int]) -> Any:
    """struct mcast_leg_key[], two of each pair; none comes where there is no pair.

    `indices`: of the interfaces that are there, by name.
    """
    made = ffi.new("struct mcast_leg_key[]", max(2 * len(pairs), 1))
    for number, pair in enumerate(pairs):
        for place, leg in zip(made[2 * number : 2 * number + 2], pair or (), strict=False):
            place.ifindex = ANYWHERE
            if leg.interface is not None:
                place.ifindex = indices.get(leg.interface, NOWHERE)
            place.port, place.width = leg.port, len(leg.group.packed)
            place.group[0 : place.width] = leg.group.packed
    return made
