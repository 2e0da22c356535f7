"""`mcastd check-config`: reads a configuration, says what is wrong, touches nothing."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from mcastd.printable import printable
from mcastd.service.config import ConfigFileError, files, load
from mcastd.service.restart import check_machine, warnings


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "check-config",
        help="say what is wrong with a configuration",
        description=(
            "Reads a configuration and its drop-ins, and says what is wrong, if anything: all that "
            "a start on this machine would be refused for."
        ),
    )
    parser.add_argument("file", metavar="FILE", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    try:
        settings = load(args.file)
        check_machine(settings)
    except ConfigFileError as error:
        if args.json:
            print(json.dumps({"good": False, "error": str(error)}))
        else:
            print(printable(f"mcastd check-config: {error}"), file=sys.stderr)
        return 2
    read = [str(path) for path in files(args.file)]
    if args.json:
        names = {name: each.mode for name, each in settings.interfaces.items()}
        warned = list(warnings(settings))
        print(json.dumps({"good": True, "files": read, "interfaces": names, "warnings": warned}))
    else:
        for text in warnings(settings):
            print(printable(f"mcastd check-config: {text}"), file=sys.stderr)
        print(printable(f"{', '.join(read)}: good ({len(settings.interfaces)} interfaces)"))
    return 0
