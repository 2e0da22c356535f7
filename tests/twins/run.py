"""Tells stories to twins, and keeps those that fail, shrunk.

    python tests/twins/run.py [ROUNDS [SEED [FILE]]]

Each ROUNDS_A_LAB rounds have a lab of their own. FILE: a story that was kept, to be told again.
Exit status 1 if a story failed. Needs root.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.twins import random_story, shrunk, twins  # noqa: E402

KEPT = ROOT / "build" / "twins"
ROUNDS_A_LAB = 20


def main(rounds: int = 100, seed: int = 1) -> int:
    failed, begun = 0, time.monotonic()
    for first in range(0, rounds, ROUNDS_A_LAB):
        with twins() as made:
            for number in range(first, min(first + ROUNDS_A_LAB, rounds)):
                story = random_story(random.Random(f"{seed}/{number}"))
                problems = made.tell(story)
                if problems:
                    failed += 1
                    keep(f"{seed}-{number}", story, problems)
                    break  # what it left behind is not the next story's affair
        done = min(first + ROUNDS_A_LAB, rounds)
        print(f"seed {seed}: {done} of {rounds}, {failed} failed, {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


def keep(name: str, story: list[tuple[object, ...]], problems: list[str]) -> None:
    print(f"story {name}:", *problems, sep="\n  ")
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"{name}.json"
    document = {"problems": problems, "story": story}
    path.write_text(json.dumps(document, indent=1))
    path.write_text(json.dumps(document | {"story": shrunk(story), "whole": story}, indent=1))


def again(path: Path) -> int:
    story = json.loads(path.read_text())["story"]
    with twins() as made:
        problems = made.tell([tuple(step) for step in story])
    print(*(problems or ["the twins cannot be told apart"]), sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    if len(sys.argv) > 3:
        sys.exit(again(Path(sys.argv[3])))
    sys.exit(main(*map(int, sys.argv[1:])))
