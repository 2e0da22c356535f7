"""What docs/reliability.md says can be done, and names, is there."""

from __future__ import annotations

import re
from pathlib import Path

from fuzz.targets import all_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def test_the_files_that_it_names_exist() -> None:
    tests = {f"tests/{each}" for each in re.findall(r"`((?:unit|lab|bpf)/[\w/]+\.py)`", PAGE)}
    named = tests | set(re.findall(r"\b(tests/[\w/]+(?:\.py|/))", PAGE))
    assert named
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_the_targets_of_make_that_it_names_exist() -> None:
    named = set(re.findall(r"\bmake ([\w-]+)", PAGE))
    assert {"fuzz", "chaos", "soak"} <= named
    assert [each for each in named if not re.search(rf"^{each}:", MAKEFILE, re.MULTILINE)] == []


def test_it_has_a_figure_for_each_target_of_fuzzing(tmp_path: Path) -> None:
    of_c = re.search(r"^FUZZ_TARGETS := (.*)$", MAKEFILE, re.MULTILINE)
    assert of_c is not None
    targets = [*of_c[1].split(), *(name for name, _ in all_of(tmp_path)), "kernel_classifier"]
    assert [each for each in targets if f"| `{each}` |" not in PAGE] == []
