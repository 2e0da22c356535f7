"""The compiled programs: from the package, from a cache, or from the compiler.

What is kept is bytecode in which maps are named and not yet opened, so that a later start needs
neither bcc nor LLVM. The key is made of all that goes into it: source, flags, machine.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from mcastd.fastpath import compiler
from mcastd.fastpath.errors import FastPathError

FORMAT = 1
"""Of the kept files; part of the key."""

BPF_DIRECTORY = Path(str(resources.files("mcastd._bpf")))
PROGRAMS = {
    "mcast_xdp": "xdp",
    "mcast_ingress": "tc",
    "mcast_egress": "tc",
    "mcast_inject": "xdp",
}
COMPILE_SECONDS = 120
"""A compile takes one or two seconds; a slow machine under load may need much longer."""


@dataclass(frozen=True, slots=True)
class MapSpec:
    """What a map is created from; sizes in bytes."""

    name: str
    type: int
    key_size: int
    value_size: int
    entries: int
    flags: int


@dataclass(frozen=True, slots=True)
class ProgramSpec:
    """Instructions (8 bytes each), and at which of them which map's descriptor belongs."""

    name: str
    type: str
    code: bytes
    maps: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class BpfObject:
    """Maps and programs, ready to be created and loaded."""

    compiler: str
    maps: tuple[MapSpec, ...]
    programs: tuple[ProgramSpec, ...]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> BpfObject:
        """Raises KeyError, TypeError or ValueError for anything else than such an object."""
        return cls(
            document["compiler"],
            tuple(MapSpec(**each) for each in document["maps"]),
            tuple(
                ProgramSpec(
                    each["name"],
                    each["type"],
                    base64.b64decode(each["code"]),
                    tuple((index, name) for index, name in each["maps"]),
                )
                for each in document["programs"]
            ),
        )


def source(main: str = "programs.c", directory: Path = BPF_DIRECTORY) -> str:
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


def key_of(text: str, flags: tuple[str, ...]) -> str:
    parts = (str(FORMAT), platform.machine(), *flags, text)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def cache_directory() -> Path:
    """Where compiled programs are kept: as the service manager says, the system's, the user's."""
    given = os.environ.get("MCASTD_CACHE") or os.environ.get("CACHE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/cache/mcastd")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "mcastd"


def obtain(
    say: Callable[[str], None],
    flags: tuple[str, ...] = (),
    *,
    cache: Path | None = None,
    main: str = "programs.c",
    programs: Mapping[str, str] = PROGRAMS,
) -> BpfObject:
    """The compiled programs, compiled now only if they are kept nowhere.

    `say` is told what takes time and what went wrong on the way. FastPathError if there is no way.
    """
    text = source(main)
    name = f"{key_of(text, flags)}.json"
    cache = cache or cache_directory()
    for directory in (BPF_DIRECTORY / "prebuilt", cache):
        found = read(directory / name, say)
        if found:
            return found
    say("compiling the BPF programs (once; kept for the next start)")
    document = compile_object(text, flags, programs)
    keep(cache / name, document, say)
    return BpfObject.from_json(document)


def read(path: Path, say: Callable[[str], None]) -> BpfObject | None:
    """A kept object; None if there is none, or none that may be trusted."""
    try:
        status = path.stat()
        if status.st_uid not in (0, os.geteuid()) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            say(f"{path}: not used: others than its owner may write it")
            return None
        return BpfObject.from_json(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        say(f"{path}: not used: {error}")
        return None


def keep(path: Path, document: dict[str, Any], say: Callable[[str], None]) -> None:
    """Writes it in one step, so that no reader ever sees half of it; failure is only told."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=".new-", delete=False
        ) as stream:
            json.dump(document, stream)
        Path(stream.name).chmod(0o644)
        Path(stream.name).replace(path)
    except OSError as error:
        say(f"{path}: not kept, the next start compiles again: {error}")


def compile_object(
    text: str, flags: tuple[str, ...], programs: Mapping[str, str] = PROGRAMS
) -> dict[str, Any]:
    """Runs the compiler in a process of its own; FastPathError with its words if it fails."""
    request = json.dumps(
        {
            "source": text,
            "flags": list(flags),
            "headers": str(BPF_DIRECTORY / "headers"),
            "programs": dict(programs),
        }
    )
    words = ""
    for python in dict.fromkeys((sys.executable, "/usr/bin/python3")):
        result = run_compiler(python, request)
        words = result.stderr.strip()
        if result.returncode == 0:
            document: dict[str, Any] = json.loads(result.stdout)
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
    try:
        return subprocess.run(
            [python, compiler.__file__],
            input=request,
            capture_output=True,
            text=True,
            timeout=COMPILE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FastPathError(f"bcc took more than {COMPILE_SECONDS} s to compile") from None
    except OSError as error:
        return subprocess.CompletedProcess([], compiler.NO_BCC, "", str(error))
