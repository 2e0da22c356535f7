"""Logs who has changed what, and whose change was refused."""

from __future__ import annotations

import logging

from mcastd.service.callers import Caller
from mcastd.service.clock import now
from mcastd.service.documents import Unread
from mcastd.service.limit import SayingLimit

log = logging.getLogger("mcastd.audit")

MOST_SOURCES = 4
"""Told in the line of people; the fields have all."""


class Audit:
    """All changes are told; refusals of one user and kind only so often: anybody can earn them."""

    def __init__(self) -> None:
        self._limit = SayingLimit()

    def changed(self, caller: Caller, method: str, parameters: Unread) -> None:
        """A change that was made."""
        tell(logging.INFO, caller, method, parameters, None)

    def refused(self, caller: Caller, method: str, parameters: Unread, why: str) -> None:
        """One that was not."""
        if self._limit.may_say((caller.uid, method), now()) is not None:
            tell(logging.WARNING, caller, method, parameters, why)


def tell(level: int, caller: Caller, method: str, parameters: Unread, why: str | None) -> None:
    given = {name: value for name, value in parameters.items() if value not in (None, False, [])}
    who = {"uid": caller.uid, "pid": caller.pid, "name": caller.task}
    audit = {"method": method, **who, "parameters": given, "refused": why}
    text = " ".join(f"{name}={shown(value)}" for name, value in given.items())
    name = f" ({caller.task})" if caller.task else ""
    end = f": refused: {why}" if why else ""
    log.log(
        level,
        "change: %s %s by uid %d pid %d%s%s", method, text, caller.uid, caller.pid, name, end,
        extra={"audit": audit},
    )  # fmt: skip


def shown(value: object) -> str:
    if not isinstance(value, list):
        return str(value).lower() if isinstance(value, bool) else str(value)
    rest = f",...{len(value) - MOST_SOURCES} more" if len(value) > MOST_SOURCES else ""
    return ",".join(map(str, value[:MOST_SOURCES])) + rest
