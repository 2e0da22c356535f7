"""Names the two modes in which the agent runs an interface."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """The values are those of files, commands and metrics."""

    OBSERVE = "observe"
    """The kernel speaks, and the agent looks on."""

    HOST = "host"
    """The agent speaks beside the kernel, or for it."""
