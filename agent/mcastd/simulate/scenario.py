"""A scenario as values: what happens to a host, when, and what is expected of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface

from mcastd.gmp.config import HostConfig
from mcastd.gmp.events import Configure, LinkDown, LinkUp, Listen
from mcastd.gmp.family import ProtocolFamily
from mcastd.gmp.time import Instant
from mcastd.simulate.delays import DelayScript

InterfaceAddress = IPv4Interface | IPv6Interface

JSON = None | bool | int | float | str | list["JSON"] | dict[str, "JSON"]


@dataclass(frozen=True, slots=True)
class Receive:
    """A packet arrives; `packet` begins with the IP header."""

    packet: bytes


@dataclass(frozen=True, slots=True)
class AddressAdded:
    """An address becomes usable."""

    address: InterfaceAddress


@dataclass(frozen=True, slots=True)
class AddressRemoved:
    """An address goes away."""

    address: InterfaceAddress


@dataclass(frozen=True, slots=True)
class MtuChanged:
    """The interface's MTU is another."""

    mtu: int


Action = (
    Listen | Receive | LinkDown | LinkUp | AddressAdded | AddressRemoved | MtuChanged | Configure
)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens at an instant; `number` counts the scenario's steps from 1."""

    number: int
    at: Instant
    action: Action


@dataclass(frozen=True, slots=True)
class Window:
    """From `first` to `last`, both included."""

    first: Instant
    last: Instant

    def __contains__(self, instant: Instant) -> bool:
        return self.first <= instant <= self.last


@dataclass(frozen=True, slots=True)
class Expected:
    """A line of the output that must come in a window.

    `kind` is the line's own key: `send`, `mode`, `reject` or `error`. `value` holds the fields that
    are compared. `count`: so many lines (None where the entry does not say). `merged`: the records
    of all messages of one instant are compared together. `longest`: no packet has more bytes.
    `packet`: its very bytes.
    """

    line: int
    window: Window
    kind: str
    value: JSON
    count: int | None = None
    merged: bool = False
    longest: int | None = None
    packet: bytes | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """Nothing is sent in a window."""

    line: int
    window: Window


@dataclass(frozen=True, slots=True)
class ExpectedEnd:
    """Fields of the last line, and when it comes if that is said."""

    line: int
    value: Mapping[str, JSON]
    window: Window | None = None


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of these lists of entries holds."""

    alternatives: tuple[tuple[Expectation, ...], ...]


Expectation = Expected | Silent | ExpectedEnd | AnyOf


@dataclass(frozen=True, slots=True)
class Scenario:
    """One document of a scenario file.

    `until` is None where it is left open: the run ends when nothing is pending any more.
    """

    file: str
    line: int
    name: str
    family: ProtocolFamily
    mtu: int
    addresses: tuple[InterfaceAddress, ...]
    config: HostConfig
    delays: DelayScript
    until: Instant | None
    steps: tuple[Step, ...]
    expectations: tuple[Expectation, ...] = ()
    exhaustive: bool = True
