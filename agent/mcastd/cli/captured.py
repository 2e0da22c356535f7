"""A capture file that a command reads: how it is opened, and how far it has come."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from mcastd.classify import CapturedPacket, packets
from mcastd.files import open_stream

PROGRESS_EVERY = 0.5
"""Seconds."""

ERASE_TO_END = "\x1b[K"


@contextmanager
def opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    with open_stream(Path(name)) as stream:
        yield stream


def with_progress(
    captured: Iterator[CapturedPacket], stream: BinaryIO, every: float = PROGRESS_EVERY
) -> Iterator[CapturedPacket]:
    """Tells a terminal how far it has come, unless the results go to the same terminal."""
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield from captured
        return
    size = os.fstat(stream.fileno()).st_size if stream.seekable() else 0
    due = monotonic() + every
    try:
        for count, packet in enumerate(captured, 1):
            yield packet
            if monotonic() >= due:
                due = monotonic() + every
                share = f" ({100 * stream.tell() // size} %)" if size else ""
                _show(f"{packets(count)}{share}")
    finally:
        _show(ERASE_TO_END)


def _show(text: str) -> None:
    print(f"\r{text}", end="", file=sys.stderr, flush=True)
