"""Reads the source of the programs, and makes the key under which compiled code is kept."""

from __future__ import annotations

import os
import re
from pathlib import Path

import mcastd._bpf

try:  # hashlib would load OpenSSL, which takes a start five milliseconds
    from _blake2 import blake2b
except ImportError:
    from hashlib import blake2b

FORMAT = 1
"""Of the kept files; part of the key."""

BPF_DIRECTORY = Path(mcastd._bpf.__path__[0])

FLAGS = ("-Wno-unused-function", "-g0")
"""For clang: nobody reads its debug information, which takes it a fifth of the time."""

MAIN = "programs.c"


def source(main: str = MAIN, directory: Path = BPF_DIRECTORY) -> str:
    """The program text with the project's own headers in place, as bcc wants it.

    bcc rewrites map operations in the main file only, not in what it includes.
    """
    seen: set[Path] = set()

    def expand(path: Path) -> str:
        if path in seen:
            return ""
        seen.add(path)
        lines = []
        for line in path.read_text().splitlines():
            included = re.fullmatch(r'\s*#include "(.+)"', line)
            lines.append(expand(path.parent / included[1]) if included else line)
        return "\n".join(lines) + "\n"

    return expand(directory / main)


def key_of(main: str, flags: tuple[str, ...], directory: Path = BPF_DIRECTORY) -> str:
    """Of all files in the directory, whichever of them `main` needs: to put these together would
    take a start longer. The same in every Python: a package's file is made by another one.
    """
    names = sorted(name for name in os.listdir(directory) if name.endswith((".c", ".h")))
    parts = [str(FORMAT), os.uname().machine, main, *FLAGS, *flags, *names]
    texts = [(directory / name).read_bytes() for name in names]
    whole = b"\0".join([*map(str.encode, parts), *texts])
    return blake2b(whole, digest_size=8).hexdigest()


def file_name(flags: tuple[str, ...] = (), main: str = MAIN) -> str:
    """Of the compiled programs, wherever they are kept: made of all that goes into them."""
    return f"{main.removesuffix('.c')}-{key_of(main, flags)}.json"
