"""Weeks of the protocol on a clock of its own: python tests/soak/weeks.py [WEEKS [SEED]].

Prints what each tenth of them left behind. Exit status 1 if that grows.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from support.soak.weeks import grows, left_after


def main(weeks: int = 20, seed: int = 1) -> int:
    begun = time.monotonic()
    found, said = left_after(weeks, seed)
    for number in {*range(0, weeks, max(1, weeks // 10)), weeks - 1}:
        print(f"week {number + 1}: {found[number].objects} objects, {found[number].blocks} blocks")
    print(f"{said} messages said; {time.monotonic() - begun:.0f} s")
    return 1 if grows(found) else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
