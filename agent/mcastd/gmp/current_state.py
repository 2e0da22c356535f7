"""The answer to a general query: what is held, one record a group, packed or one by one."""

from __future__ import annotations

from collections.abc import Iterator

from mcastd.gmp.family import Address
from mcastd.gmp.records import GroupRecord, current_state
from mcastd.gmp.state import HostState

RUN = 4096
"""Groups looked at together."""

Position = tuple[Address, Address]
"""How far the packing has come: behind a group, or a source of it; see `native.RecordTable`."""

START: Position = (b"", b"")


class CurrentState:
    """A record for each group that is reported, ascending (RFC 9776 §5.2, case 1).

    Made when it is asked for, with what the filters are then: of a group that is joined or left
    meanwhile it depends on its place whether it is told.
    """

    __slots__ = ("_state",)

    def __init__(self, state: HostState) -> None:
        self._state = state

    def pack(
        self, message_type: int, room: int, position: Position, most: int
    ) -> tuple[list[bytes], Position | None]:
        """At most so many messages from a position on, and the position behind them."""
        return self._state.records.pack(message_type, room, position, most)

    def __iter__(self) -> Iterator[GroupRecord]:
        state = self._state
        behind = b""
        while groups := state.records.groups(behind, RUN):
            behind = groups[-1]
            for group in groups:
                held = state.reception.filter(group)
                if state.is_told(group, held):
                    yield current_state(group, held)
