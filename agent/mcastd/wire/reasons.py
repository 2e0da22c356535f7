"""Lists why a packet is refused, numbered as in `bpf/abi.h`, in the order of the checks."""

from __future__ import annotations

from enum import IntEnum

from mcastd._native import lib


class Reason(IntEnum):
    """The first thing that is wrong with a packet."""

    FRAGMENT = lib.MCAST_FRAGMENT
    TOO_SHORT = lib.MCAST_TOO_SHORT
    BAD_LENGTH = lib.MCAST_BAD_LENGTH
    BAD_CHECKSUM = lib.MCAST_BAD_CHECKSUM
    BAD_TTL = lib.MCAST_BAD_TTL
    NO_ROUTER_ALERT = lib.MCAST_NO_ROUTER_ALERT
    BAD_SOURCE = lib.MCAST_BAD_SOURCE
    BAD_DESTINATION = lib.MCAST_BAD_DESTINATION
    BAD_GROUP = lib.MCAST_BAD_GROUP
    BAD_SOURCE_COUNT = lib.MCAST_BAD_SOURCE_COUNT
    UNKNOWN_TYPE = lib.MCAST_UNKNOWN_TYPE
    LOOPBACK = lib.MCAST_LOOPBACK
    UNLISTED_QUERIER = lib.MCAST_UNLISTED_QUERIER

    @property
    def label(self) -> str:
        """The label in metrics and files."""
        return self.name.lower()
