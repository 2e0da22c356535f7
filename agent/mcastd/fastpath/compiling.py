"""Has the BPF programs compiled, by bcc in a process of its own, and keeps what comes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mcastd import files
from mcastd.fastpath import compiler
from mcastd.fastpath.bpf_source import BPF_DIRECTORY, FLAGS
from mcastd.fastpath.errors import FastPathError

COMPILE_SECONDS = 120
"""A compile takes one or two seconds; a slow machine under load may need much longer."""

NEWEST = 4
"""Objects that stay: versions may be run in turn."""

Document = dict[str, Any]
"""An object as `BpfObject.from_json` reads it."""


def keep(path: Path, document: Document) -> None:
    """Writes it in one step, so that no reader ever sees half of it. OSError, with the path."""
    try:
        files.replace(path, json.dumps(document).encode(), mode=0o644)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def forget_oldest(directory: Path, main: str) -> None:
    """Leaves only the newest of what was kept of `main`. OSError."""
    kept = directory.glob(f"{main.removesuffix('.c')}-*.json")
    for path in sorted(kept, key=lambda each: each.stat().st_mtime, reverse=True)[NEWEST:]:
        path.unlink(missing_ok=True)


def compile_object(text: str, flags: tuple[str, ...], programs: Mapping[str, str]) -> Document:
    """Runs the compiler in a process of its own; FastPathError with its words if it fails.

    `programs`: their names, and of which type they are.
    """
    request = json.dumps(
        {
            "source": text,
            "flags": [*FLAGS, *flags],
            "headers": str(BPF_DIRECTORY / "headers"),
            "programs": dict(programs),
        }
    )
    words = ""
    for python in dict.fromkeys((sys.executable, "/usr/bin/python3")):
        result = run_compiler(python, request)
        words = result.stderr.strip()
        if result.returncode == 0:
            document: Document = json.loads(result.stdout)
            return document
        if result.returncode != compiler.NO_BCC:
            break
    else:
        raise FastPathError(
            "no bcc: install python3-bpfcc (Debian, Ubuntu) or python3-bcc (Fedora); "
            "the package `bcc` on PyPI is something else"
        )
    if "Operation not permitted" in words:
        raise FastPathError("compiling needs CAP_BPF: run it as root once, or ship the cache")
    last = words.splitlines()[-1] if words else f"exit code {result.returncode}"
    raise FastPathError(f"bcc did not compile the programs: {last}")


def run_compiler(python: str, request: str) -> subprocess.CompletedProcess[str]:
    run = partial(subprocess.run, capture_output=True, text=True, check=False)
    try:
        return run([python, compiler.__file__], input=request, timeout=COMPILE_SECONDS)
    except subprocess.TimeoutExpired:
        raise FastPathError(f"bcc took more than {COMPILE_SECONDS} s to compile") from None
    except OSError as error:
        return subprocess.CompletedProcess([], compiler.NO_BCC, "", str(error))
