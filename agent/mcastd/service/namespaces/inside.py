"""Knows in which named network namespace this process runs.

An interface of another namespace than the agent's own is called by both names, "blue/eth0": no
interface has a "/" in its name, and no namespace either.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mcastd.net.names import word

DIRECTORY = Path("/run/netns")
"""Where ip-netns(8) keeps names."""


class Place(NamedTuple):
    """The name, and where the namespace is found, if not under its name."""

    name: str
    path: str | None = None


_place: Place | None = None


def enter(place: Place | None) -> None:
    """From now on this process speaks of the namespace; None: of the one that needs no name."""
    global _place  # noqa: PLW0603 (a process is in one network namespace)
    _place = place


def name() -> str | None:
    return _place.name if _place else None


def qualified(interface: str) -> str:
    """The interface's name, as an operator has to write it."""
    return joined(name(), interface)


def command(text: str) -> str:
    """A command that is to be typed, in this namespace."""
    if _place is None:
        return text
    if _place.path is None:
        return f"ip netns exec {word(_place.name)} {text}"
    return f"nsenter --net={word(_place.path)} {text}"


def joined(namespace: str | None, interface: str) -> str:
    return interface if namespace is None else f"{namespace}/{interface}"


def parted(text: str) -> tuple[str | None, str]:
    """Namespace and interface; the latter is empty if all of the namespace's are meant: "blue/"."""
    namespace, separator, interface = text.partition("/")
    return (namespace, interface) if separator else (None, text)
