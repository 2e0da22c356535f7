"""One of Python's parsers by atheris: its input grows towards code that was not reached before.

    python tests/fuzz/guided.py TARGET [libFuzzer's options] [CORPUS ...]

atheris is of the extra "fuzz". What it finds that is new can be kept below tests/fuzz/corpus/.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import atheris

with atheris.instrument_imports(include=["mcastd", "h11"]):
    from fuzz.targets import all_of


def main() -> None:
    name = sys.argv.pop(1)
    logging.disable()
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as made:
        target = dict(all_of(Path(made)))[name]
        seeds = Path(made) / "seeds"
        seeds.mkdir()
        for number, seed in enumerate(target.seeds):
            (seeds / f"{number}").write_bytes(seed)
        atheris.Setup([*sys.argv, str(seeds)], target.run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
