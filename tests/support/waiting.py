"""Waiting for what is to come, for as long as a loaded machine may need.

Where everything is slower, as in a virtual machine without KVM, MCASTD_TEST_PATIENCE says how many
times longer all may take.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

STRETCH = float(os.environ.get("MCASTD_TEST_PATIENCE", "1"))

PATIENCE = 60.0
"""Seconds, before they are stretched: nobody waits so long where what is awaited comes about."""


def stretched(seconds: float) -> float:
    """How long to wait on this machine for what takes at most so long on an ordinary one."""
    return seconds * STRETCH


def eventually(probe: Callable[[], T], *, within: float = PATIENCE, what: str = "") -> T:
    """What the probe gives, once that is true; AssertionError with its last answer if it never is.

    An AssertionError of the probe counts as not yet.
    """
    deadline = time.monotonic() + stretched(within)
    while True:
        try:
            found = probe()
            if found:
                return found
            problem: object = found
        except AssertionError as error:
            problem = error
        assert time.monotonic() < deadline, f"{what or 'this'} did not come about: {problem}"
        time.sleep(0.02)


def first(events: Iterator[dict[str, Any]], **fields: object) -> dict[str, Any]:
    """The first event that has these fields; AssertionError if none comes in time."""
    deadline = time.monotonic() + stretched(PATIENCE)
    for event in events:
        if all(event.get(key) == value for key, value in fields.items()):
            return event
        assert time.monotonic() < deadline, f"no event with {fields}"
    raise AssertionError(f"the agent ended before an event with {fields}")
