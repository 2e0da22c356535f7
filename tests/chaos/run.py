"""Chaos: random faults and wishes, told to a host run by the agent, until the time is over.

    python tests/chaos/run.py [--seconds N] [--seed M] [--seeds COUNT] [--again FILE] [--summary]

Each seed has so many seconds, and a lab of its own; after a failure a new one. A story that fails
is shrunk, printed, and kept below build/chaos/. Exit status 1 if one failed. Needs root.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.chaos.steps import Step, random_story  # noqa: E402
from support.chaos.telling import Journal, chaos, shrunk  # noqa: E402

KEPT = ROOT / "build" / "chaos"
STEPS = 12
"""Of one story, from quiet point to quiet point."""

SHRINK_SECONDS = 120.0


def main() -> int:
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # labs are closed then, too
    if args.summary:
        return summary()
    if args.again:
        problems = told([tuple(step) for step in json.loads(args.again.read_text())["story"]])
        print(*(problems or ["all was as wanted"]), sep="\n")
        return 1 if problems else 0
    failed = sum(run(seed, args.seconds) for seed in range(args.seed, args.seed + args.seeds))
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--again", type=Path, metavar="FILE")
    parser.add_argument("--summary", action="store_true", help="of all that is kept")
    return parser.parse_args()


def run(seed: int, seconds: float) -> int:
    """How many stories failed."""
    journal, failures = Journal(), 0
    begun, number = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        told_here: list[Step] = []
        with chaos(journal) as made:
            while time.monotonic() - begun < seconds:
                story = random_story(random.Random(f"{seed}/{number}"), STEPS)
                number += 1
                told_here += story
                problems = attempted(made.tell, story)
                if problems:
                    log = made.service.agent.log()
                    break
        if problems:
            failures += 1
            keep(f"{seed}-{number - 1}", story, told_here, problems, log)
    spent = time.monotonic() - begun
    record(seed, spent, failures, journal)
    print(
        f"seed {seed}: {spent:.0f} s, {journal.quiet_points} quiet points, {failures} failed; "
        f"silence {journal.silence['kernel']:.2f} s (kernel), {journal.silence['agent']:.2f} s "
        f"(agent)",
        flush=True,
    )
    return failures


def attempted(tell: Callable[[Sequence[Step]], list[str]], story: Sequence[Step]) -> list[str]:
    """A fault of the runner is a failure, too."""
    try:
        return tell(story)
    except Exception:
        return [traceback.format_exc()]


def told(story: Sequence[Step]) -> list[str]:
    """What is wrong after the story, told to a host of its own."""
    with chaos() as made:
        return attempted(made.tell, story)


def keep(name: str, story: list[Step], whole: list[Step], problems: list[str], log: str) -> None:
    print(f"story {name}:", *problems, sep="\n  ", flush=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    path = KEPT / f"failed-{name}.json"
    document = {"problems": problems, "whole": whole, "log": log.splitlines()[-200:]}
    path.write_text(json.dumps(document | {"story": story}, indent=1))
    shortest = shrunk(story, lambda each: bool(told(each)), SHRINK_SECONDS)
    path.write_text(json.dumps(document | {"story": shortest}, indent=1))
    print(f"the shortest that was found, in {path}:", *shortest, sep="\n  ", flush=True)


def record(seed: int, seconds: float, failures: int, journal: Journal) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    document = {"seed": seed, "seconds": seconds, "failures": failures, **vars(journal)}
    (KEPT / f"seed-{seed}.json").write_text(json.dumps(document, indent=1))


def summary() -> int:
    """Of all seeds that are kept; 1 if there was a failure."""
    runs = [json.loads(path.read_text()) for path in KEPT.glob("seed-*.json")]
    steps = sum((Counter(each["steps"]) for each in runs), Counter[str]())
    failures = sum(each["failures"] for each in runs)
    print(f"{len(runs)} seeds, {sum(each['seconds'] for each in runs) / 3600:.2f} hours")
    quiet = sum(each["quiet_points"] for each in runs)
    print(f"{quiet} quiet points, {failures} stories that failed")
    for speaker in ("kernel", "agent"):
        print(f"longest silence, {speaker}: {max(e['silence'][speaker] for e in runs):.2f} s")
    for what in ("longest_settling", "longest_absence"):
        print(f"{what.replace('_', ' ')}: {max(each[what] for each in runs):.1f} s")
    print(f"starts: {sum(e['starts'] for e in runs)}, of these for want of memory: "
          f"{sum(e['ends'] for e in runs)}")  # fmt: skip
    print(f"not handed over by a full ring: {sum(each['unread'] for each in runs)}")
    print(*(f"{kind}: {count}" for kind, count in sorted(steps.items())), sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
