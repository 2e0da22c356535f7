"""Breaks one rule at a time and says whether the conformance suite notices.

    python tests/mutation/run.py [WORD]...     only mutations whose name has one of the words

Each mutation is made in a copy of the package. The scenarios judge it; what they let pass, the
conformance tests in Python may still catch. Exit 1 if one survives.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from mutation.mutations import MUTATIONS, Mutation  # noqa: E402

PACKAGE = ROOT / "agent" / "mcastd"
SUITE = ROOT / "tests" / "conformance"
NOT_OF_THE_ENGINE = ("test_scenarios.py", "test_coverage.py")
"""The scenarios have been run already; the table is another matter."""

LONGEST = 120
"""Seconds; what takes longer has been made to hang."""


def main(words: list[str]) -> int:
    chosen = [each for each in MUTATIONS if not words or any(w in each.name for w in words)]
    if not judge(None).startswith("survived"):
        print("the suite fails without any mutation", file=sys.stderr)
        return 2
    survivors = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutation, verdict in zip(chosen, pool.map(judge, chosen), strict=True):
            survivors += verdict.startswith("survived")
            print(f"{verdict:28} {mutation.name}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutations caught")
    return 1 if survivors else 0


def judge(mutation: Mutation | None) -> str:
    """What became of the mutation; None: of the package as it is."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "mcastd"
        shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
        if mutation is not None:
            (copy / mutation.file).write_text(mutated(mutation))
        return next((v for v in verdicts(directory) if v), "survived")


def mutated(mutation: Mutation) -> str:
    """The file's text with the mutation; ValueError if it does not apply any more."""
    text = (PACKAGE / mutation.file).read_text()
    if text.count(mutation.old) != 1:
        raise ValueError(f"{mutation.name}: found {text.count(mutation.old)} times")
    return text.replace(mutation.old, mutation.new)


def verdicts(directory: str) -> Iterator[str]:
    """Of the scenarios, then of the tests; empty for what lets it pass."""
    scenarios = map(str, sorted(SUITE.glob("*.yaml")))
    yield outcome(directory, "-m", "mcastd.cli.simulate", "--check", "--quiet", *scenarios)
    tests = (str(path) for path in SUITE.glob("test_*.py") if path.name not in NOT_OF_THE_ENGINE)
    yield outcome(directory, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *tests)


def outcome(directory: str, *command: str) -> str:
    environment = os.environ | {"PYTHONPATH": directory, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            [sys.executable, *command],
            env=environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "caught: it hangs"
    if done.returncode == 0:
        return ""
    if "Traceback" in done.stderr:
        return "caught: it crashes"
    if "mcastd.cli.simulate" in command:
        return f"caught: {done.stderr.splitlines()[-1].split(' of ')[0]} scenarios"
    return "caught: by a test"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
