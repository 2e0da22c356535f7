"""A device is called otherwise now: what belongs to it goes with it, in memory and in the files.

A device is known by its index. What was asked for on it, what was counted and seen there and what
was set by hand goes on under its new name; what is configured stays with the name that it is
configured for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping

from mcastd.net.rtnetlink import Change, LinkChanged
from mcastd.service import events
from mcastd.service.agent import Agent
from mcastd.service.interface import Interface
from mcastd.service.interface_settings import InterfaceSettings
from mcastd.service.owned import Owned

NOBODYS = "/"
"""No device can be called so."""

log = logging.getLogger("mcastd")


class Renaming:
    """Of the devices that an agent runs. `release` lets go of one; `run_as_wanted` runs one as is
    configured, and is told the memberships that were in force.
    """

    def __init__(
        self,
        agent: Agent,
        release: Callable[[Interface], None],
        run_as_wanted: Callable[[Interface, InterfaceSettings, list[Owned]], None],
    ) -> None:
        self._agent = agent
        self._release = release
        self._run_as_wanted = run_as_wanted
        self._coming: dict[int, str] = {}

    def expect(self, batch: Iterable[Change]) -> None:
        """These changes are taken now. Each tells how its device is called in the end, so that a
        name may be seen at its new device before the old one is told to have another.
        """
        links = (each.link for each in batch if isinstance(each, LinkChanged))
        self._coming = {link.index: link.name for link in links}

    def rename(self, interface: Interface, name: str) -> None:
        """The device is the same: it is followed under its new name."""
        names = self._together(interface, name)
        for old, new in names.items():
            log.warning("%s is called %s now", old, new)
            self._agent.teller.announce(old, events.Renamed(new))
        rename(self._agent, names)
        for old, new in names.items():
            self._run(self._agent.interfaces[new], old)
        for new in names.values():
            self.is_taken(new)

    def clear(self, name: str) -> None:
        """A new device has the name; the one that had it is called otherwise, or was lost."""
        interface = self._agent.interfaces.get(name)
        if interface is None or interface.index is None:
            return
        coming = self._coming.get(interface.index, name)
        if coming == name:
            self._release(interface)
        else:
            self.rename(interface, coming)

    def is_taken(self, name: str) -> None:
        """What is configured for the name is for this device alone."""
        for each in self._agent.by_index.values():
            if each.run_as == name:
                self._agent.memberships.configure(each, list(each.own.values()))

    def _together(self, interface: Interface, name: str) -> dict[str, str]:
        """New names by old ones: the device's, and of those whose names go on to others with it."""
        names = {interface.name: name}
        there = self._agent.interfaces
        while (other := there.get(name)) is not None and other.name not in names:
            name = self._coming.get(other.index or 0, other.name)
            if name == other.name:
                if other.index is not None:
                    self._release(other)  # nothing tells what became of it
                break
            names[other.name] = name
        return names

    def _run(self, interface: Interface, old: str) -> None:
        """As is configured for the new name; if nothing is, as before until the files are read."""
        agent, in_force = self._agent, list(interface.own.values())
        wanted = agent.settings_of(interface.name, interface.alternative_names)
        if wanted is not None:
            self._run_as_wanted(interface, wanted, in_force)
            return
        interface.run_as = interface.run_as or old
        agent.memberships.configure(interface, in_force)
        agent.remark(interface)


def rename(agent: Agent, names: Mapping[str, str]) -> None:
    """Devices are called so now, by their old names; also if they have swapped them.

    What waits for a device of a new name, because the last one is gone, is for this one now.
    """
    for old, new in in_turn(names):
        _move(agent, old, new)
    agent.owned.rewrite()
    agent.memberships.keep_configured()
    agent.turns.known_changed()


def in_turn(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """One after the other, so that none takes a name that is another's still."""
    left = dict(names)
    while left:
        free = next((old for old, new in left.items() if new not in left), None)
        if free is not None:
            yield free, left.pop(free)
        else:  # they go round in a circle
            old = next(iter(left))
            left[NOBODYS] = left.pop(old)
            yield old, NOBODYS


def _move(agent: Agent, old: str, new: str) -> None:
    interface = agent.interfaces.pop(old)
    earlier = agent.interfaces.pop(new, None) or agent.former.pop(new, None)
    if earlier is not None:
        interface.go_on_from(earlier)
    interface.rename(new)
    agent.interfaces[new] = interface
    agent.by_hand.rename(old, new)
    agent.fast_path.rename(old, new)
    agent.look.rename(old, new)
    agent.streams.rename(old, new)
    agent.known_queriers.rename(old, new)
    moved = agent.owned.rename(old, new)
    agent.after_leave.rename(moved)
    for told in agent.changed:
        told(moved)
