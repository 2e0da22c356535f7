"""Mutated input for what Python parses.

    python tests/fuzz/parsers.py [SECONDS [SEED]] [--inputs COUNT] [TARGET ...]

For each target so many seconds, or so many inputs; how many were tried, and the first that ended
with anything but an answer or its own error.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from fuzz.targets import Target, all_of

PIECES = (
    b"\0", b"\xff", b"NaN", b"1e999", b"null", b'"', b"\\ud800", b"\n", b"\r\n", b"\r\n\r\n",
    b"true", b"{}", b"[]", b"=", b";", b"\x1b[2J", b"-1", b"239.1.1.1", b"::", b"x" * 300,
)  # fmt: skip
LONG_PIECES = (b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b"0x" + b"f" * 5000)
"""They take a hundred times as long to read, and are met as much more seldom."""

SELDOM = 100
AT_ONCE = 64
"""Inputs between two looks at the clock."""


def mutated(rng: random.Random, seed: bytes) -> bytes:
    """With a few bytes changed, taken out, said twice, or replaced by something strange."""
    content = bytearray(seed)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content) + 1)
        match rng.randrange(4):
            case 0 if at < len(content):
                content[at] = rng.randrange(256)
            case 1:
                del content[at : at + rng.randint(1, 12)]
            case 2:
                content[at:at] = content[at : at + rng.randint(1, 40)]
            case _:
                pieces = PIECES if rng.randrange(SELDOM) else LONG_PIECES
                content[at : at + rng.randint(0, 8)] = rng.choice(pieces)
    return bytes(content)


def run(name: str, target: Target, lasting: float, most: float, rng: random.Random) -> bool:
    """Whether all inputs were answered."""
    tried, begun = 0, time.monotonic()
    while tried < most and time.monotonic() < begun + lasting:
        for _ in range(AT_ONCE):
            content = mutated(rng, rng.choice(target.seeds))
            tried += 1
            try:
                target.run(content)
            except Exception as error:
                print(f"{name}: input {tried}: {error!r}\n{content[:2000]!r}")
                return False
    print(f"{name}: {tried} inputs in {time.monotonic() - begun:.0f} s, all answered or refused",
          flush=True)  # fmt: skip
    return tried > 0


def fuzz(
    lasting: float, seed: int, *, most: float = float("inf"), wanted: Collection[str] = ()
) -> bool:
    """All targets, each so long or until it has had so many inputs; whether all were answered."""
    print(f"seed {seed}")
    logging.disable()  # of what is refused pyroute2 says more than a terminal can show
    # A file for each input: in memory, where that can be had.
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as made:
        targets = all_of(Path(made))
        good = [
            run(name, target, lasting, most, random.Random(seed))
            for name, target in targets
            if not wanted or name in wanted
        ]
    logging.disable(logging.NOTSET)
    return all(good)


def main() -> int:
    parser = argparse.ArgumentParser(description="Mutated input for what Python parses.")
    parser.add_argument("seconds", nargs="?", type=float, default=5.0)
    parser.add_argument("seed", nargs="?", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--inputs", type=float, default=float("inf"))
    parser.add_argument("--only", nargs="*", default=[])
    args = parser.parse_args()
    return 0 if fuzz(args.seconds, args.seed, most=args.inputs, wanted=args.only) else 1


if __name__ == "__main__":
    sys.exit(main())
