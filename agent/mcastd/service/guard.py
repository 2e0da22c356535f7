"""Holds the rate limits of an interface as the files give them (the flood guard)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mcastd.allowed import YES_OR_NO, Allowed, whole
from mcastd.fastpath.policies import QUERIER, QUERIES, REPORTS
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

    query_limit: int = QUERIES.per_second
    query_burst: int = QUERIES.burst
    report_limit: int = REPORTS.per_second
    report_burst: int = REPORTS.burst
    querier_limit: int = QUERIER.per_second
    querier_burst: int = QUERIER.burst
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
    try:
        read: int | bool = KEYS[key].read(value)
    except (TypeError, ValueError):
        raise ConfigError(key, value, f"allowed is {KEYS[key].text}") from None
    return read


UNIT = "messages a second"

KEYS: Mapping[str, Allowed] = {
    "query_limit": whole(0, MOST, " a second; 0 is no limit", UNIT),
    "query_burst": whole(1, MOST),
    "report_limit": whole(0, MOST, " a second; 0 is no limit", UNIT),
    "report_burst": whole(1, MOST),
    "querier_limit": whole(1, MOST, " a second", UNIT),
    "querier_burst": whole(1, MOST),
    "discard_floods": YES_OR_NO,
    "strict_kernel": YES_OR_NO,
}
"""By the names of files."""
