"""Compiled programs that are brought to where compiling would take too long, or cannot be done.

MCASTD_TEST_BYTECODE names their directory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from mcastd.fastpath import streams
from mcastd.fastpath.bpf_source import file_name
from mcastd.fastpath.objects import obtain
from mcastd_lab import generator

VARIABLE = "MCASTD_TEST_BYTECODE"


def make(directory: Path) -> None:
    """Has all programs that tests load compiled, unless they are there: as for a package.

    Nothing else stays there: what earlier sources were compiled to would be brought along.
    """
    needed = {file_name(), file_name(main=streams.MAIN)}
    names = {*needed, file_name(main="generator.c")}
    for each in directory.glob("*.json"):
        if each.name not in names:
            each.unlink()
    if not all((directory / each).exists() for each in needed):
        command = ["-m", "mcastd.cli.mcastd", "build-cache", "--output", str(directory)]
        subprocess.run([sys.executable, *command], check=True)
    obtain(print, cache=directory, main="generator.c", programs=generator.PROGRAMS)


def bring(cache: Path, which: str = "*") -> None:
    """Puts them into a cache of the tests', if there are any. `which`: "programs", "generator".

    Or "stream_programs".
    """
    given = os.environ.get(VARIABLE)
    for each in Path(given).glob(f"{which}-*.json") if given else ():
        shutil.copyfile(each, cache / each.name)
        (cache / each.name).chmod(0o644)
