"""`mcastd build-cache`: compiles the BPF programs now, for a package or for a start without bcc."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from mcastd import __version__
from mcastd.fastpath import streams
from mcastd.fastpath.bpf_source import MAIN, file_name, source
from mcastd.fastpath.compiling import compile_object, keep
from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.objects import PROGRAMS, BpfObject, cache_directory

DONE, BAD_INPUT, NOT_THERE = 0, 2, 3
INSTRUCTION_BYTES = 8


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "build-cache",
        help="compile the BPF programs and keep them",
        description=(
            "Compiles the BPF programs and keeps them, so that `mcastd run` needs neither bcc nor "
            "LLVM. A package ships the files in the directory prebuilt/ of its mcastd._bpf. They "
            "fit this version of mcastd on this kind of machine, whatever the kernel."
        ),
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="where to write it; by default, where run looks"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    made = []
    print("mcastd build-cache: compiling the BPF programs", file=sys.stderr)
    for main, programs in ((MAIN, PROGRAMS), (streams.MAIN, streams.PROGRAMS)):
        path = (args.output or cache_directory()) / file_name(main=main)
        try:
            document = compile_object(source(main), (), programs)
            keep(path, document)
        except FastPathError as error:
            return complain(str(error), NOT_THERE)
        except OSError as error:
            words = f"{path}: {error.strerror}; choose another place with --output"
            return complain(words, BAD_INPUT)
        made.append(describe(path, BpfObject.from_json(document)))
    about, about_streams = made
    if args.json:
        print(json.dumps(about | {"streams": about_streams}))
    else:
        print(sentence(about), sentence(about_streams), sep="\n")
    return DONE


def describe(path: Path, made: BpfObject) -> dict[str, Any]:
    """What was written; `programs` in instructions, `size` in bytes."""
    return {
        "file": str(path),
        "size": path.stat().st_size,
        "version": __version__,
        "machine": os.uname().machine,
        "compiler": made.compiler,
        "programs": {each.name: len(each.code) // INSTRUCTION_BYTES for each in made.programs},
    }


def sentence(about: dict[str, Any]) -> str:
    programs = ", ".join(about["programs"])
    return (
        f"{about['file']}: {programs} for mcastd {about['version']} on {about['machine']}, "
        f"by {about['compiler']} ({about['size']} bytes)"
    )


def complain(text: str, code: int) -> int:
    print(f"mcastd build-cache: {text}", file=sys.stderr)
    return code
