"""What stands in for parts of the daemon where a test is of what is around them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from mcastd.service.bus import Bus
from mcastd.service.config import Settings
from mcastd.service.connections import Connection, Door
from mcastd.service.faults import Faults
from mcastd.service.memberships import OwnedMemberships


class IdleAgent:
    """An agent without an interface; `reloaded` is what a reload answers."""

    def __init__(self, reloaded: str | None = None) -> None:
        self.settings = Settings()
        self.interfaces: dict[str, Any] = {}
        self.bus = Bus(lambda interest: None)
        self.teller = self
        self.owned = OwnedMemberships(None)
        self.faults = Faults()
        self.doors: list[Door] = []
        self.changed: list[Any] = []
        self.reload: Callable[[bool], str | None] = lambda undo: reloaded


class OpenGuest:
    """Lets everybody in at a door; what is done with them is a test's."""

    def admit(self, connection: Connection, others: set[Connection]) -> bool | bytes:
        return True

    def is_privileged(self, sock: socket.socket) -> bool:
        return False

    def has_room(self, others: set[Connection]) -> bool:
        return True
