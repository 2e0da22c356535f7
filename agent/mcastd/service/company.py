"""Stands for an agent that runs one network namespace only.

How clients come, what is told to who scrapes the metrics, and who else a reload is for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from mcastd.service.agent import Agent
from mcastd.service.config import Settings
from mcastd.service.control import Control

if TYPE_CHECKING:
    from mcastd.service.rendering import Renderings

log = logging.getLogger("mcastd")

Fail = Callable[[Exception | None], None]
"""Has the agent end: with an error, or without one."""


class LostError(Exception):
    """What the agent cannot go on without has ended by itself; one line for the operator."""


class Alone:
    """An agent that knows of no other."""

    def control(self, agent: Agent, fail: Fail) -> Control:
        """How it is asked."""
        return Control(agent)

    def renderings(self, agent: Agent) -> Renderings:
        """Of its metrics, of which most starts know nothing until they are up."""
        from mcastd.service.metrics import AgentCollector  # noqa: PLC0415
        from mcastd.service.rendering import Renderings  # noqa: PLC0415

        return Renderings(AgentCollector(agent).collect)

    def configured(self, settings: Settings, *, undo: bool = False) -> None:
        """Other settings are in force."""
        if settings.namespaces:
            log.warning("[namespace] sections take effect when mcastd is restarted")

    async def close(self) -> None:
        """Nobody is asked any more."""
