"""The log: lines that hold nothing but visible characters, whatever they were made of."""

from __future__ import annotations

import logging
from typing import Any

from mcastd.printable import printable


class PrintableFormatter(logging.Formatter):
    """One line for a message; a traceback follows on lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return "\n".join(map(printable, super().formatException(ei).split("\n")))
