"""Mutated frames to the programs in the kernel: they must find what the native classifier finds.

    python tests/fuzz/kernel_classifier.py [COUNT [SEED]]

Of each frame the verdict and what is handed over of it are compared, of each batch what is counted;
COUNT is for all three programs together. Needs root.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from mcastd.fastpath.objects import obtain
from support.kernel_programs import (
    EVERYTHING,
    PASSES,
    PROGRAMS,
    KernelPrograms,
    expected,
    is_runnable,
    parts_of,
)
from support.mutants import OWN, mutants

BATCH = 200
"""Frames; the rings have room for what is handed over of them."""


def differences(programs: KernelPrograms, name: str, frames: list[bytes]) -> Iterator[str]:
    """What the program finds otherwise than the native classifier."""
    wanted = [expected(frame, name, OWN) for frame in frames]
    outcomes, seen = programs.run_many(name, frames)
    for frame, outcome in zip(frames, outcomes, strict=True):
        if outcome.value != PASSES[name] or outcome.frame != frame:
            yield f"{name}: verdict {outcome.value} for {frame.hex()}"
    counted = sorted(each for found in wanted for each in found.counted)
    if counted != sorted(seen.counted):
        yield f"{name}: {sorted(seen.counted)} is counted, and not {counted}"
    handed = [(f, w.message) for f, w in zip(frames, wanted, strict=True) if w.message is not None]
    if len(handed) != len(seen.events):
        yield f"{name}: {len(seen.events)} are handed over of {len(handed)}"
    for (frame, message), event in zip(handed, seen.events, strict=False):
        if parts_of(event) != message or event.frame != frame:
            yield f"{name}: {parts_of(event)} is found, and not {message}, in {frame.hex()}"


def fuzz(programs: KernelPrograms, count: int, seed: int) -> list[str]:
    """The first differences among so many frames; none if all is the same."""
    programs.use(EVERYTHING)
    programs.assign(*OWN)
    frames, tried = mutants(count, seed), 0
    for name in cycle(PROGRAMS):
        batch = list(islice(frames, BATCH))
        if not batch:
            break
        tried += len(batch)
        found = list(differences(programs, name, [e for e in batch if is_runnable(name, e)]))
        if found:
            return found[:3]
    return []


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as cache:
        programs = KernelPrograms(obtain(print, cache=Path(cache)))
    begun = time.monotonic()
    try:
        found = fuzz(programs, count, seed)
    finally:
        programs.close()
    print(*(found or [f"{count} frames, all the same, {time.monotonic() - begun:.0f} s"]), sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
