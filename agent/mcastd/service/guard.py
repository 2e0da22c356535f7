"""The flood guard of an interface: how many messages of others are taken, as files say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mcastd.gmp.config import ConfigError
from mcastd.service.documents import Unread

MOST = 1_000_000
"""Of a limit a second, and of a burst."""


class Guard(NamedTuple):
    """Limits of messages a second, and how many may come at once after a pause.

    `query_limit`, `report_limit`: of all queries, and of all reports and leaves, of others; 0 is no
    limit. `querier_limit`: of one known querier's good queries when that of all is used up, so that
    they are out of the others' reach; who forges its address gets no more than that.
    `discard_floods`: in host mode, what is beyond the limits is kept from the kernel, too.
    `strict_kernel`: in host mode, queries that are refused are kept from it, which itself answers
    those of any TTL, to any address.
    """

    query_limit: int = 1000
    query_burst: int = 200
    report_limit: int = 2000
    report_burst: int = 500
    querier_limit: int = 50
    querier_burst: int = 50
    discard_floods: bool = True
    strict_kernel: bool = False

    def changed(self, mapping: Unread) -> Guard:
        """This guard but for what `mapping` says; ConfigError for the first thing wrong in it."""
        fields: dict[str, Any] = {key: _read(key, value) for key, value in mapping.items()}
        return self._replace(**fields)

    def as_mapping(self) -> dict[str, int | bool]:
        """As files have it."""
        return self._asdict()


def _read(key: str, value: object) -> int | bool:
    reader, allowed = KEYS[key]
    try:
        return reader(value)
    except (TypeError, ValueError):
        raise ConfigError(key, value, f"allowed is {allowed}") from None


Reader = Callable[[object], int | bool]


def _whole(low: int, remark: str = "") -> tuple[Reader, str]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError
        if not low <= value <= MOST:
            raise ValueError
        return value

    return read, f"a whole number from {low} to {MOST}{remark}"


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


KEYS: Mapping[str, tuple[Reader, str]] = {
    "query_limit": _whole(0, " a second; 0 is no limit"),
    "query_burst": _whole(1),
    "report_limit": _whole(0, " a second; 0 is no limit"),
    "report_burst": _whole(1),
    "querier_limit": _whole(1, " a second"),
    "querier_burst": _whole(1),
    "discard_floods": (_yes_or_no, "true or false"),
    "strict_kernel": (_yes_or_no, "true or false"),
}
"""What reads a key's value, and what is allowed."""
