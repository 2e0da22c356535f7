"""Writes answers to the control socket: one line each, and long ones in pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

from mcastd.printable import printable
from mcastd.service.bus import encoded
from mcastd.service.changes import ChangeError
from mcastd.service.documents import Answer
from mcastd.service.requests import RequestError

AT_ONCE = 128
"""Of a long answer, in one turn of the loop: a few milliseconds."""


def error_line(error: RequestError | ChangeError) -> bytes:
    return encoded({"error": {"code": error.code, "text": printable(str(error))}})


def pieces_of(result: Answer) -> Iterator[bytes]:
    """An answer as a line; one that comes bit by bit is never made as a whole."""
    if not isinstance(result, Iterator):
        yield encoded({"result": result})
        return
    before = b'{"result": ['
    while some := list(islice(result, AT_ONCE)):
        yield before + json.dumps(some)[1:-1].encode()
        before = b", "
    yield (b"" if before == b", " else before) + b"]}\n"
