"""Pairs as the natively compiled text counts them, against an independent reference."""

from __future__ import annotations

import os
from collections import Counter

from support.pair_packets import PairStory, native_pair, reference_pair, said

STORIES = int(os.environ.get("MCASTD_TEST_PAIR_STORIES", "150"))
"""20,000 take twenty minutes."""


def test_the_pairs_of_random_stories_are_what_the_reference_says() -> None:
    seen: Counter[str] = Counter()
    for seed in range(STORIES):
        story = PairStory(seed)
        for until in (None, len(story.frames) // 2):
            frames = story.frames[:until]
            found, told = native_pair(story, frames), reference_pair(story, frames)
            assert found == told, f"seed {seed}, {until} frames: {said(found)}\n{said(told)}"
        seen.update(name for name, value in said(told).items() if value)
    # Of each kind there was something: or nothing was compared.
    assert all(seen[name] for name in (
        "both", "neither", "a alone", "b alone", "late", "strangers", "apart", "begun anew",
        "undecided", "skews", "skews below 0",
    ))  # fmt: skip
