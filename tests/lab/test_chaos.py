"""Chaos for half a minute: whatever befalls the host, at quiet points routers hold what is wanted.

`make chaos SECONDS=N SEED=M` goes on for longer, and shrinks and keeps the stories that fail.
"""

from __future__ import annotations

import random
import time

import pytest
from support.chaos.steps import random_story
from support.chaos.telling import chaos

pytestmark = pytest.mark.lab

SECONDS = 1.0
"""In which stories begin; at least one is told, and the last one is told to its end."""

STEPS = 6


def test_at_quiet_points_all_is_as_wanted() -> None:
    with chaos() as made:
        begun, number = time.monotonic(), 0
        while number == 0 or time.monotonic() - begun < SECONDS:
            story = random_story(random.Random(f"suite/{number}"), STEPS)
            assert made.tell(story) == [], story
            number += 1
