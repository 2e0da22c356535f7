"""The same stories with the kernel alone and beside the agent: nobody can tell the two apart.

`make twins ROUNDS=N SEED=M` tells more of them, and shrinks and keeps those that fail.
"""

from __future__ import annotations

import random
import time

import pytest
from support.twin_stories import random_story
from support.twins import twins

pytestmark = pytest.mark.lab

SECONDS = 40.0
"""Of new stories; at least one is told."""


def test_twins_cannot_be_told_apart() -> None:
    deadline = time.monotonic() + SECONDS
    with twins() as made:
        number = 0
        while number == 0 or time.monotonic() < deadline:
            story = random_story(random.Random(f"suite/{number}"))
            assert made.tell(story) == [], story
            number += 1
