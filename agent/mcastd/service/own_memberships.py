"""Puts the agent's own memberships in force, of the files and of the control socket.

In host mode the protocol engine speaks for them, and the NIC lets their groups through; those that
the kernel is to speak for are held by sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from mcastd.gmp.filters import FilterMode, SourceFilter
from mcastd.service.clock import now
from mcastd.service.config import Settings
from mcastd.service.events import FamilyEvent
from mcastd.service.faults import Fault, Faults
from mcastd.service.interface import Interface
from mcastd.service.machine import Machine
from mcastd.service.memberships import OwnedMemberships
from mcastd.service.mode import Mode
from mcastd.service.owned import CONFIG, Owned


class OwnMemberships:
    """Of all interfaces. `owned`: those of the control socket, and all that are kept.

    `settings` gives the files'; `listened` is called with what came of a change for a family, also
    if nothing did; `changed` when the kernel's sockets have changed.
    """

    def __init__(
        self,
        settings: Callable[[], Settings],
        owned: OwnedMemberships,
        interfaces: Mapping[str, Interface],
        *,
        listened: Callable[[Interface, str, list[FamilyEvent]], None],
        changed: Callable[[], None],
        machine: Machine,
        faults: Faults,
    ) -> None:
        self._settings = settings
        self._owned = owned
        self._interfaces = interfaces
        self._listened = listened
        self._changed = changed
        self._machine = machine
        self._faults = faults
        self._filter = machine.filter()

    def wanted(self, interface: Interface) -> list[Owned]:
        """What the agent itself is to receive on an interface: its file's, and what was asked.

        What is configured for a name that the device had is another's when that has the name.
        """
        there = {name for name, each in self._interfaces.items() if each.index is not None}
        settings = interface.written(self._settings(), taken=there)
        configured = settings.memberships if settings else ()
        asked = [each for each in self._owned if each.interface == interface.name]
        return [each._replace(interface=interface.name) for each in configured] + asked

    def put_all(self, interface: Interface, memberships: Iterable[Owned]) -> None:
        """Puts them in force. What the NIC's filter cannot have is told, and is no other's loss."""
        for membership in list(memberships):
            try:
                self.put(interface, membership)
            except OSError as error:
                what = f"{interface.name}: {membership.group} is not received"
                self._faults.tell_error(Fault.INTERFACE, what, error)

    def put(self, interface: Interface, membership: Owned) -> None:
        """Puts one in force. OSError if the NIC's filter, or the kernel, cannot have it."""
        if interface.index is None:
            return
        before = interface.own.get(membership.key)
        if before is not None and before.kernel != membership.kernel:
            self.withdraw(interface, before)
        if membership.kernel:
            self._hold(interface, membership)
            return
        group, observer = membership.address, interface.observers[membership.family.name]
        if observer.asked_by(membership.application, group) is None:
            self._filter.add(interface.index, group)
        interface.own[membership.key] = membership
        self.listen_for(interface, membership.application, group, membership.filter)

    def _hold(self, interface: Interface, membership: Owned) -> None:
        """By sockets, for which the kernel speaks. The new ones come before the old ones go."""
        assert interface.index is not None
        wanted = membership.filter
        held = self._machine.join(
            interface.index,
            membership.address,
            list(wanted.sources),
            exclude=wanted.mode is FilterMode.EXCLUDE,
        )
        earlier = interface.sockets.get(membership.key)
        interface.sockets[membership.key] = held
        interface.own[membership.key] = membership
        if earlier is not None:
            earlier.close()
        self._changed()

    def withdraw(self, interface: Interface, membership: Owned) -> None:
        """The application no longer asks for the group."""
        interface.own.pop(membership.key, None)
        held = interface.sockets.pop(membership.key, None)
        if held is not None:
            held.close()
            self._changed()
            return
        observer = interface.observers[membership.family.name]
        group = membership.address
        if interface.index is not None and observer.asked_by(membership.application, group):
            try:
                self._filter.drop(interface.index, group)
            except OSError as error:
                what = f"{interface.name}: {membership.group} is received on"
                self._faults.tell_error(Fault.INTERFACE, what, error)
        self.listen_for(interface, membership.application, group, observer.nothing)

    def listen_for(
        self, interface: Interface, application: str, group: bytes, wanted: SourceFilter
    ) -> None:
        observer = interface.of_width(len(group))
        told = observer.listen(now(), application, group, wanted)
        self._listened(interface, observer.family.name, told)

    def keep_configured(self) -> None:
        """Has the memberships of the files kept, where they are in force."""
        speaking = [each for each in self._interfaces.values() if each.mode is Mode.HOST]
        wanted = (membership for each in speaking for membership in self.wanted(each))
        self._owned.configure(each for each in wanted if each.application == CONFIG)

    def configure(self, interface: Interface, before: list[Owned]) -> None:
        """Puts in force what the files now want, and withdraws what they no longer do."""
        if interface.mode is not Mode.HOST:
            return
        wanted = {each.key: each for each in self.wanted(interface)}
        for membership in before:
            if membership.key not in wanted:
                self.withdraw(interface, membership)
        changed = (each for key, each in wanted.items() if interface.own.get(key) != each)
        self.put_all(interface, changed)
        self.keep_configured()

    def close(self) -> None:
        """The NIC lets the groups through no more; nothing is left at the routers."""
        self._filter.close()
        for interface in self._interfaces.values():
            interface.close_sockets()
