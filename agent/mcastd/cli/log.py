"""Writes the log in lines of visible characters only, whatever a message contains."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

from mcastd.printable import cleaned, printable

PRIORITIES = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}
"""The journal's, as syslog(3) has them; 7 is for all below."""

FORMATS = ("text", "json")


def formatter(kind: str, before: str = "") -> logging.Formatter:
    """One of FORMATS; `before`: what each text begins with.

    The journal has its own clock, and reads a line's priority from its start.
    """
    if kind == "json":
        return JsonFormatter(before)
    text = before.replace("%", "%%") + "%(message)s"
    if os.environ.get("JOURNAL_STREAM"):
        return JournalFormatter(text)
    return PrintableFormatter(f"%(asctime)s {text}")


class PrintableFormatter(logging.Formatter):
    """One line for a message; a traceback follows on lines of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


class JournalFormatter(PrintableFormatter):
    """With `<N>`, the priority, before each line (sd-daemon(3))."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{PRIORITIES.get(record.levelno, 7)}>"
        return "\n".join(prefix + line for line in super().format(record).split("\n"))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time in seconds, level, text, and what belongs to a change."""

    def __init__(self, before: str = "") -> None:
        super().__init__()
        self._before = before

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "ts": round(record.created, 6),
            "level": record.levelname.lower(),
            "text": printable(self._before + record.getMessage()),
        }
        audit = getattr(record, "audit", None)
        if audit is not None:
            line["audit"] = cleaned(audit)
        if record.exc_info:
            text = self.formatException(record.exc_info)
            line["traceback"] = [printable(each) for each in text.split("\n")]
        return json.dumps(line)
