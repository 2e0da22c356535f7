"""Formats that are configured: for which groups and port, and where the numbers are."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from mcastd.streams.sample import FORMATS

SIZES = (1, 2, 4, 8)
"""Bytes that a custom number may have."""

MOST_OFFSET = 65_527
"""No UDP payload is longer."""

MOST_COUNT = (1 << 32) - 1


class FormatError(ValueError):
    """A format that cannot be: says what is wrong."""


class StreamFormat(NamedTuple):
    """`port`: None for any. `offset`, `width` (bytes) and `step` (a packet): of a custom number."""

    groups: IPv4Network | IPv6Network
    port: int | None
    format: str
    offset: int = 0
    width: int = 0
    step: int = 1

    def checked(self) -> StreamFormat:
        """Itself. FormatError."""
        if not self.groups.is_multicast:
            raise FormatError(f"{self.groups}: not multicast")
        if self.port is not None and not 0 < self.port < 1 << 16:
            raise FormatError(f"port {self.port}: from 1 to 65535")
        if self.format not in FORMATS:
            raise FormatError(f"format {self.format!r}: one of {', '.join(FORMATS)}")
        if self.format == "custom" and self.width not in SIZES:
            raise FormatError(f"width {self.width}: one of 1, 2, 4, 8 bytes")
        if not 0 <= self.offset <= MOST_OFFSET:
            raise FormatError(f"offset {self.offset}: from 0 to {MOST_OFFSET}")
        if not 1 <= self.step <= MOST_COUNT:
            raise FormatError(f"count {self.step}: from 1 to {MOST_COUNT}")
        return self


def networks(text: str) -> IPv4Network | IPv6Network:
    """A group, or groups by prefix. FormatError."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise FormatError(str(error)) from None


def parse_format(text: str) -> StreamFormat:
    """GROUP:PORT=FORMAT; FormatError.

    GROUP may be a prefix (239.1.0.0/16), of IPv6 in brackets; PORT may be `*`. FORMAT may be
    custom:OFFSET,WIDTH[,COUNT].
    """
    where, equals, name = text.rpartition("=")
    groups, colon, port = where.rpartition(":")
    if not (equals and colon):
        raise FormatError(f"{text}: give GROUP:PORT=FORMAT, such as 239.1.1.1:5004=rtp")
    numbers: tuple[int, ...] = ()
    name, colon, rest = name.partition(":")
    try:
        number = None if port == "*" else int(port)
        if colon:
            numbers = tuple(int(each) for each in rest.split(","))
    except ValueError:
        raise FormatError(f"{text}: not a number") from None
    if (name == "custom") != (len(numbers) in (2, 3)) or (numbers and name != "custom"):
        raise FormatError(f"{text}: give custom:OFFSET,WIDTH or custom:OFFSET,WIDTH,COUNT")
    return StreamFormat(networks(groups.strip("[]")), number, name, *numbers).checked()
