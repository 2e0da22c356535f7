"""`mcastd streams`: counts the multicast streams of a capture file with the code of the NIC."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from mcastd.classify.captures import CapturedPacket, CaptureError, read_capture
from mcastd.classify.summary import packets
from mcastd.cli.captured import BAD_INPUT, exit_code, opened, with_progress
from mcastd.gmp.time import Instant
from mcastd.printable import printable
from mcastd.streams import FormatError, Link, StreamTable, as_object, as_text, parse_format
from mcastd.streams.pair_lines import as_pair_object, as_pair_text
from mcastd.streams.pair_states import problem_of
from mcastd.streams.pairs import Pair, PairError, checked_pairs, parse_pair
from mcastd.streams.table import MOST_FORMATS

LINKS = {
    1: Link.ETHERNET, 12: Link.IP, 101: Link.IP, 228: Link.IP, 229: Link.IP, 113: Link.COOKED,
    276: Link.COOKED,
}  # fmt: skip
"""By the numbers of tcpdump.org/linktypes.html."""

NO_ADDRESSES = bytes(12)
COOKED, COOKED_2 = 113, 276
COOKED_HEADER, COOKED_2_HEADER = 16, 20
ETHERNET_HEADER = 14

NANOSECONDS = 1_000_000_000

NO_TIMES = dict.fromkeys(("first", "last", "rate", "bit_rate", "longest_gap"))
"""In a file that has none."""


def add_parser(subparsers: Any) -> None:
    """Adds the sub-command to argparse's `subparsers`."""
    parser = subparsers.add_parser(
        "streams",
        help="count the multicast streams in a capture file",
        description=(
            "Reads a pcap or pcapng file and prints a line for each stream of multicast UDP: "
            "packets, rates, gaps, and what its sequence numbers (RTP, MPEG-TS, sACN, MoldUDP64 or "
            "configured ones) say of loss. Needs no privileges."
        ),
    )
    parser.add_argument("file", metavar="FILE", help="a pcap or pcapng file; - for standard input")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--summary", action="store_true", help="only totals, as one JSON document")
    parser.add_argument(
        "--format",
        metavar="GROUP:PORT=FORMAT",
        action="append",
        default=[],
        help="do not guess the format there: rtp, mpegts, rtp+mpegts, sacn, moldudp64, none, or "
        "custom:OFFSET,WIDTH[,COUNT]; GROUP may be a prefix, PORT may be *; may be given again",
    )
    parser.add_argument(
        "--pair",
        metavar="LEGS",
        action="append",
        default=[],
        help="show not streams, but a pair: one stream that is sent twice, as 'GROUP:PORT "
        "GROUP:PORT' or, by names of interfaces, 'IFACE GROUP:PORT IFACE GROUP:PORT': what each "
        "leg lost, what neither brought, and the skew; may be given again",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """0, or 2 if not everything in the file could be read."""
    try:
        formats = [parse_format(each) for each in args.format]
        if len(formats) > MOST_FORMATS:
            raise FormatError(f"{len(formats)} formats: {MOST_FORMATS} at the most")
        pairs = checked_pairs([parse_pair(each) for each in args.pair])
        counted = Counted(StreamTable(formats), pairs)
    except (FormatError, PairError) as error:
        option = "--format" if isinstance(error, FormatError) else "--pair"
        print(printable(f"mcastd streams: {option} {error}"), file=sys.stderr)
        return BAD_INPUT

    def read() -> str | None:
        with opened(args.file) as stream:
            problem = counted.read(stream)
        counted.show(args)
        return problem

    return exit_code("streams", args.file, read)


class Counted:
    """What is in a capture."""

    def __init__(self, table: StreamTable, pairs: Sequence[Pair] = ()) -> None:
        self._table = table
        self._pairs = pairs
        self._indices: dict[str, int] = {}
        if pairs:
            table.use_pairs(pairs, self._indices)
        self._names: list[str | None] = []
        self._unreadable: Counter[int] = Counter()
        self._end: int | None = None

    def read(self, stream: BinaryIO) -> str | None:
        """What kept the rest from being read, if anything did."""
        try:
            for packet in with_progress(read_capture(stream), stream):
                self._take(packet)
        except CaptureError as error:
            return str(error)
        if not self._unreadable:
            return None
        which = ", ".join(str(each) for each in sorted(self._unreadable))
        return f"not read: {packets(self._unreadable.total())} of link type {which}"

    def _take(self, packet: CapturedPacket) -> None:
        """A packet without a time came when the one before it did."""
        if packet.at is not None:
            self._end = packet.at
        link = LINKS.get(packet.link_type)
        if link is None:
            self._unreadable[packet.link_type] += 1
            return
        if packet.interface >= len(self._names):
            self._names += [None] * (packet.interface + 1 - len(self._names))
        self._names[packet.interface] = packet.interface_name
        self._know(packet.interface, packet.interface_name)
        data, length = packet.data, max(packet.length, len(packet.data))
        if packet.link_type == COOKED:
            data = NO_ADDRESSES + data[COOKED_HEADER - 2 :]
            length += ETHERNET_HEADER - COOKED_HEADER
        elif packet.link_type == COOKED_2:
            data = NO_ADDRESSES + data[:2] + data[COOKED_2_HEADER:]
            length += ETHERNET_HEADER - COOKED_2_HEADER
        self._table.take(data, length, link, packet.interface, max(self._end or 0, 0))

    def _know(self, index: int, name: str | None) -> None:
        """Legs may be named by interfaces; of two of one name the first is meant."""
        if self._pairs and name is not None and name not in self._indices:
            self._indices[name] = index
            self._table.use_pairs(self._pairs, self._indices)

    def show(self, args: argparse.Namespace) -> None:
        lines = self._pair_lines() if self._pairs else self._lines()
        if args.summary:
            print(json.dumps(self._summary()))
        elif args.json:
            for line in lines:
                print(json.dumps(line))
        elif self._pairs:
            print(as_pair_text(lines))
        elif len(self._table):
            print(as_text(lines))
        else:
            print("no multicast stream")

    def _lines(self) -> Iterator[dict[str, Any]]:
        second = (self._end or 0) // NANOSECONDS - 1
        for key, sample, counted in self._table:
            rate, size = counted.counted_in(second)
            in_time = sample.first <= second * NANOSECONDS
            line = as_object(
                key,
                sample,
                interface=self._names[key.ifindex],
                rate=rate if in_time else None,
                bit_rate=8 * size if in_time else None,
            )
            yield {**line} if self._end is not None else {**line, **NO_TIMES}

    def _pair_lines(self) -> Iterator[dict[str, Any]]:
        end = Instant(max(self._end or 0, 0))
        for number, pair in enumerate(self._pairs):
            sample = self._table.pair(number, end)
            yield as_pair_object(pair, sample, problem=problem_of(sample, end))

    def _summary(self) -> dict[str, int]:
        """`packets`: those of the streams."""
        rest = self._table.rest
        return {
            "packets": sum(sample.packets for _, sample, _ in self._table),
            "streams": len(self._table),
            "fragments": rest.fragments,
            "untracked": rest.untracked,
        }
