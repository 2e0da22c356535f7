"""Tells stories to twins, and keeps those that fail, shrunk.

    python tests/twins/run.py [--rounds N] [--seed M] [--seeds K] [--together J] [--router frr]
    python tests/twins/run.py --story FILE

N rounds for each of K seeds from M on, by J processes side by side: they mostly wait. Some rounds
share a lab. --story: one that was kept, to be told again. Exit status 1 if a story failed. Needs
root.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.twin_stories import Step, random_story  # noqa: E402
from support.twins import twins  # noqa: E402

KEPT = ROOT / "build" / "twins"
ROUNDS_A_LAB = 15
SHRINKING_SECONDS = 60.0

Piece = tuple[str, int, range]
"""A router, a seed, and the numbers of its rounds."""


def main() -> int:
    given = arguments()
    if given.story:
        return again(given.story, given.router)
    pieces: list[Piece] = [
        (given.router, seed, range(first, min(first + ROUNDS_A_LAB, given.rounds)))
        for seed in range(given.seed, given.seed + given.seeds)
        for first in range(0, given.rounds, ROUNDS_A_LAB)
    ]
    told, failed, begun = 0, 0, time.monotonic()
    with multiprocessing.Pool(given.together) as pool:
        for seed, rounds, different in pool.imap_unordered(tell, pieces):
            told, failed = told + rounds, failed + different
            seconds = time.monotonic() - begun
            print(f"{told} rounds, {failed} different, {seconds:.0f} s (seed {seed})", flush=True)
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Stories for twins.")
    for name, default in (("rounds", 100), ("seed", 1), ("seeds", 1), ("together", 4)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--router", choices=("bridge", "frr"), default="bridge")
    parser.add_argument("--story", type=Path)
    return parser.parse_args()


def tell(piece: Piece) -> tuple[int, int, int]:
    """Its seed, how many rounds were told, and how many of them failed.

    What a failed story left behind is not the next one's affair: that gets a lab of its own.
    """
    router, seed, numbers = piece
    waiting, different = list(numbers), 0
    while waiting:
        with twins(router) as made:
            while waiting:
                number = waiting.pop(0)
                dice, net = random.Random(f"{seed}/{number}"), made.net
                story = random_story(dice, 14, net.protocols, has_version_1=net.has_version_1)
                problems = made.tell(story)
                if problems:
                    trace = made.trace()
                    break
            else:
                break
        different += 1
        keep(router, f"{router}-{seed}-{number}", story, problems, trace)
    return seed, len(numbers), different


def keep(
    router: str, name: str, story: Sequence[Step], problems: list[str], trace: list[str]
) -> None:
    print(f"story {name}:", *problems, sep="\n  ", flush=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{name}.json"
    document: dict[str, object] = {
        "router": router,
        "problems": problems,
        "trace": trace,
        "story": story,
    }
    path.write_text(json.dumps(document, indent=1))
    again = [fails(story, router) for _ in range(2)]
    document["failed_again"] = sum(map(bool, again))
    if any(again):
        document |= {"story": shrunk(story, router), "whole": story}
    path.write_text(json.dumps(document, indent=1))


def fails(story: Sequence[Step], router: str) -> list[str]:
    with twins(router) as made:
        return made.tell(story)


def shrunk(story: Sequence[Step], router: str) -> list[Step]:
    """A shorter story that fails, too: steps are left out one by one while there is time."""
    deadline, index, story = time.monotonic() + SHRINKING_SECONDS, 0, list(story)
    while index < len(story) and time.monotonic() < deadline:
        shorter = story[:index] + story[index + 1 :]
        if fails(shorter, router):
            story = shorter
        else:
            index += 1
    return story


def again(path: Path, router: str) -> int:
    kept = json.loads(path.read_text())
    with twins(kept.get("router", router)) as made:
        problems = made.tell([tuple(step) for step in kept["story"]])
        print(*made.trace(), *(problems or ["the twins cannot be told apart"]), sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
