"""Finds who else reports through an interface where the kernel's reports are held back."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from mcastd.fastpath.kernel import Map

KEY = struct.Struct("=II6s2x")
"""struct mcast_passer."""

VALUE = struct.Struct("=Q16s")
"""struct mcast_passed."""


class Passer(NamedTuple):
    """A sender, and when it last said something of this kind (an instant in ns; `wire.Kind`'s
    number). `source`: 16 bytes, of which an IPv4 address is the first four."""

    ifindex: int
    kind: int
    hardware: bytes
    at: int
    source: bytes


def passers(kept: Map) -> Iterator[Passer]:
    """All that are known: those that were not heard for the longest time make room for others."""
    for key in kept.keys():  # noqa: SIM118 (it is no mapping)
        value = kept.lookup(key, VALUE.size)
        if value is not None:
            yield Passer(*KEY.unpack(key), *VALUE.unpack(value))
