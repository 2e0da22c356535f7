"""`mcastd classify`: says what is in a capture file, with the code that runs on the NIC."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from typing import Any, BinaryIO, TextIO

from mcastd.classify.captures import CapturedPacket, CaptureError, read_capture
from mcastd.classify.lines import as_object, as_text
from mcastd.classify.links import is_readable
from mcastd.classify.summary import Summary, packets
from mcastd.classify.whole import judged, not_looked_into
from mcastd.cli.captured import PROGRESS_EVERY, exit_code, opened, with_progress
from mcastd.wire import ReceptionContext

RED = "\x1b[31m"
PLAIN = "\x1b[0m"


def add_parser(subparsers: Any) -> None:
    """Adds the sub-command to argparse's `subparsers`."""
    parser = subparsers.add_parser(
        "classify",
        help="say what is in a capture file",
        description=(
            "Reads a pcap or pcapng file and prints a line for each IGMP or MLD packet: what it "
            "is, and whether a host may believe it or why not. Needs no privileges. What a file "
            "cannot tell, such as the own addresses of the interface, is not checked."
        ),
    )
    parser.add_argument("file", metavar="FILE", help="a pcap or pcapng file; - for standard input")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--summary", action="store_true", help="only counts, as one JSON document")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0, or 2 if not everything in the file could be read."""

    def read() -> str | None:
        with opened(args.file) as stream:
            return _classify(stream, args)

    return exit_code("classify", args.file, read)


def _classify(stream: BinaryIO, args: argparse.Namespace) -> str | None:
    """Prints what is in the capture; what kept the rest from being read, if anything did."""
    summary = Summary()
    unreadable: Counter[int] = Counter()
    problem = None
    try:
        for packet in with_progress(read_capture(stream), stream, PROGRESS_EVERY):
            if not is_readable(packet.link_type):
                unreadable[packet.link_type] += 1
            _take(packet, summary, args)
    except CaptureError as error:
        problem = str(error)
    if args.summary:
        print(json.dumps(summary.as_object()))
    elif not args.json and summary.packets:
        print(summary.as_text())
    return problem or _unreadable_text(unreadable)


def _take(packet: CapturedPacket, summary: Summary, args: argparse.Namespace) -> None:
    decoded, untold = judged(packet, _CONTEXT)
    inside = not_looked_into(packet) if decoded is None else None
    summary.count(decoded, cut=untold, inside=inside)
    if decoded is None or args.summary:
        return
    line = as_object(summary.packets, packet.at, decoded, packet.is_cut_short, untold=untold)
    print(json.dumps(line) if args.json else _coloured(line), flush=args.file == "-")


_CONTEXT = ReceptionContext(addresses_known=False)


def _coloured(line: dict[str, Any]) -> str:
    text = as_text(line)
    if line["reason"] is None or not _wants_colour(sys.stdout):
        return text
    return f"{RED}{text}{PLAIN}"


def _wants_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR")


def _unreadable_text(link_types: Counter[int]) -> str | None:
    if not link_types:
        return None
    which = ", ".join(str(each) for each in sorted(link_types))
    return (
        f"not read: {packets(link_types.total())} of link type {which}; capture on an Ethernet "
        "interface, or on `any`"
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="mcastd")
    add_parser(parser.add_subparsers(required=True))
    args = parser.parse_args(["classify", *sys.argv[1:]])
    return run(args)


if __name__ == "__main__":
    sys.exit(main())
