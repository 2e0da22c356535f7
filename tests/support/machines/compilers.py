"""The programs as other distributions' bcc compiles them: in trees made by mmdebstrap."""

from __future__ import annotations

import fcntl
import json
import platform
import shutil
import subprocess
from pathlib import Path

from mcastd.fastpath import compiler
from mcastd.fastpath.bpf_source import BPF_DIRECTORY, FLAGS, file_name, source
from mcastd.fastpath.compiling import Document, compile_object, keep
from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.objects import PROGRAMS

from support.machines.archive import system_mirror
from support.machines.errors import MachineError
from support.machines.places import REPOSITORY

SUITES = {"bookworm": "Debian 12", "trixie": "Debian 13"}

TREES = REPOSITORY / "build" / "trees"
BYTECODE = REPOSITORY / "build" / "bytecode"

TREE_SECONDS, COMPILE_SECONDS = 1200.0, 300.0


def tree(suite: str) -> Path:
    """A minimal system of the suite with its bcc. MachineError if it cannot be had."""
    TREES.mkdir(parents=True, exist_ok=True)
    made, half = TREES / suite, TREES / f"{suite}.half"
    with (TREES / f"{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(half, ignore_errors=True)
            wanted = ("--quiet", "--variant=minbase", "--include=python3-bpfcc")
            run(["mmdebstrap", *wanted, suite, str(half), system_mirror()], TREE_SECONDS)
            half.rename(made)
    return made


def bytecode_of(suite: str) -> tuple[str, Path]:
    """The compiler's name, and a directory with what it made. MachineError if it refuses."""
    document = compiled_here() if is_here(suite) else compiled_in(tree(suite))
    place = BYTECODE / suite
    place.mkdir(parents=True, exist_ok=True)
    keep(place / file_name(), document)
    return str(document["compiler"]), place


def is_here(suite: str) -> bool:
    """Whether this machine runs that suite, so that no tree is needed."""
    return platform.freedesktop_os_release().get("VERSION_CODENAME") == suite


def compiled_here() -> Document:
    try:
        return compile_object(source(), (), PROGRAMS)
    except FastPathError as error:
        raise MachineError(str(error)) from error


def compiled_in(root: Path) -> Document:
    inside = root / "mcastd"
    shutil.rmtree(inside, ignore_errors=True)
    shutil.copytree(BPF_DIRECTORY / "headers", inside / "headers")
    shutil.copy(compiler.__file__, inside / "compiler.py")
    request = {"source": source(), "flags": list(FLAGS), "headers": "/mcastd/headers"}
    mounted = 'mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/python3 "$1"'
    said = run(
        ["unshare", "--mount", "sh", "-c", mounted, str(root), "/mcastd/compiler.py"],
        COMPILE_SECONDS,
        json.dumps(request | {"programs": PROGRAMS}),
    )
    document: Document = json.loads(said)
    return document


def run(command: list[str], seconds: float, given: str = "") -> str:
    """Standard output; MachineError with the last line of what it complains of."""
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, check=False, timeout=seconds
        )
    except FileNotFoundError:
        raise MachineError(f"no {command[0]}: deploy/setup.sh --test installs it") from None
    except subprocess.TimeoutExpired:
        raise MachineError(f"{command[0]} took more than {seconds:.0f} s") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no words"]
        raise MachineError(f"{command[0]}: {lines[-1]}")
    return done.stdout
