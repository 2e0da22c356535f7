"""Streams of multicast data: what is counted of each, and what state it is in.

Pure but for the native table: what reads files, kernels or clocks is elsewhere.
"""

from __future__ import annotations

from mcastd.streams.formats import FormatError, StreamFormat, parse_format
from mcastd.streams.lines import StreamObject, as_object, as_text
from mcastd.streams.sample import Key, Sample
from mcastd.streams.table import Link, StreamTable, packed_formats

__all__ = [
    "FormatError",
    "Key",
    "Link",
    "Sample",
    "StreamFormat",
    "StreamObject",
    "StreamTable",
    "as_object",
    "as_text",
    "packed_formats",
    "parse_format",
]
