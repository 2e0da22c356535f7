"""Compiled programs that are brought to where compiling would take too long, or cannot be done.

MCASTD_TEST_BYTECODE names their directory.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mcastd.fastpath.objects import obtain
from mcastd.lab import generator

VARIABLE = "MCASTD_TEST_BYTECODE"


def make(directory: Path) -> None:
    """Has all programs that tests load compiled, unless they are there."""
    obtain(print, cache=directory)
    obtain(print, cache=directory, main="generator.c", programs=generator.PROGRAMS)


def bring(cache: Path) -> None:
    """Puts them into a cache of the tests', if there are any."""
    given = os.environ.get(VARIABLE)
    for each in Path(given).glob("*.json") if given else ():
        shutil.copyfile(each, cache / each.name)
        (cache / each.name).chmod(0o644)
