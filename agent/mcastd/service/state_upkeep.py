"""Keeps the state files true while the agent runs: touches them, and tries again what failed.

What a restart takes over is only as good as what these files say, and since when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from mcastd.service.interface import Interface
from mcastd.service.known_queriers import KnownQueriers
from mcastd.service.memberships import OwnedMemberships

STILL_IN_FORCE_SECONDS = 60.0
"""How often the state files are touched, so that their mtime says until when they were valid."""

RETRY_SECONDS = 5.0
"""Between two attempts to keep what could not be kept."""

KEEP_SECONDS = 1.0
"""After which a change of the queriers that are known is kept."""


class StateUpkeep:
    """Of memberships and known queriers; `interfaces`: those that are run."""

    def __init__(
        self,
        owned: OwnedMemberships,
        known_queriers: KnownQueriers,
        interfaces: Mapping[int, Interface],
    ) -> None:
        self._owned, self._known_queriers = owned, known_queriers
        self._interfaces = interfaces
        self._keep_timer: asyncio.TimerHandle | None = None

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins, on this loop."""
        self._loop = loop
        loop.call_later(STILL_IN_FORCE_SECONDS, self._still_in_force)
        loop.call_later(RETRY_SECONDS, self._retry)

    def _still_in_force(self) -> None:
        self._owned.touch()
        self._known_queriers.touch()
        self._loop.call_later(STILL_IN_FORCE_SECONDS, self._still_in_force)

    def _retry(self) -> None:
        """What could not be written is tried again: the disk may have room now."""
        self._owned.retry()
        self._known_queriers.retry()
        self._loop.call_later(RETRY_SECONDS, self._retry)

    def queriers_changed(self) -> None:
        """Has all changes of the next second kept together."""
        if self._keep_timer is None:
            loop = asyncio.get_running_loop()
            self._keep_timer = loop.call_later(KEEP_SECONDS, self._keep_queriers)

    def _keep_queriers(self) -> None:
        self._keep_timer = None
        self._known_queriers.keep(
            (interface.name, protocol, observer.family.format(address))
            for interface in self._interfaces.values()
            for protocol, observer in interface.observers.items()
            for address in observer.queriers.known
        )

    def close(self) -> None:
        self._owned.close()
        if self._keep_timer is not None:
            self._keep_timer.cancel()
            self._keep_queriers()
        self._known_queriers.close()
