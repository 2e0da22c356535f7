"""`mcastd check-config`: reads a configuration, says what is wrong, touches nothing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcastd.printable import printable
from mcastd.service.config import ConfigFileError, files, load
from mcastd.service.interface_settings import InterfaceSettings
from mcastd.service.restart import check_machine, warnings


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "check-config",
        help="say what is wrong with a configuration",
        description="Reads a configuration and its drop-ins, and says what is wrong, if anything.",
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
        warned = list(warnings(settings))
        found = {"good": True, "files": read, "interfaces": modes(settings.interfaces)}
        found["warnings"] = warned
        inside = {name: modes(each.interfaces) for name, each in settings.namespaces.items()}
        print(json.dumps(found | ({"namespaces": inside} if inside else {})))
    else:
        for text in warnings(settings):
            print(printable(f"mcastd check-config: {text}"), file=sys.stderr)
        count = len(settings.interfaces)
        count += sum(len(each.interfaces) for each in settings.namespaces.values())
        spaces = f" in {len(settings.namespaces)} other namespaces and its own"
        where = spaces if settings.namespaces else ""
        print(printable(f"{', '.join(read)}: good ({count} interfaces{where})"))
    return 0


def modes(interfaces: Mapping[str, InterfaceSettings]) -> dict[str, str]:
    return {name: each.mode for name, each in interfaces.items()}
