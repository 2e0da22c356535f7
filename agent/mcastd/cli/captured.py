"""Opens a capture file for a command, and follows how much of it has been read."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import BinaryIO

from mcastd.classify.captures import CapturedPacket
from mcastd.classify.summary import packets
from mcastd.files import open_stream
from mcastd.printable import printable

DONE = 0
BAD_INPUT = 2

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


def exit_code(command: str, file: str, read: Callable[[], str | None]) -> int:
    """DONE, or BAD_INPUT and a line that says why if not everything in the file could be read.

    `read` prints what it finds, and returns what kept the rest from being read, if anything did.
    """
    try:
        problem = read()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        problem = "interrupted"
    except OSError as error:
        problem = error.strerror or str(error)
    if problem is None:
        return DONE
    print(printable(f"mcastd {command}: {file}: {problem}"), file=sys.stderr)
    return BAD_INPUT


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
