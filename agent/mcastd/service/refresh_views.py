"""Shows whether groups are reported without a query, and when the next time is."""

from __future__ import annotations

from mcastd.gmp.time import in_seconds
from mcastd.service.clock import now
from mcastd.service.documents import JsonObject
from mcastd.service.observer import Observer


def refresh_status(observer: Observer) -> JsonObject | None:
    """None if it is not configured.

    `state`: "observing" (only the kernel speaks, and it has no such thing), "link_down", "querier"
    (one was heard, which makes it unnecessary), or "running". `next_in`: seconds; with a querier,
    if it is not heard again. `count`: how often all groups were reported so.
    """
    every = observer.config.refresh
    if not every:
        return None
    at, due = now(), observer.host.refresh_due
    return {
        "interval": in_seconds(every),
        "state": refresh_state(observer),
        "next_in": None if due is None else in_seconds(max(0, due - at)),
        "count": observer.engine.refreshes,
    }


def refresh_state(observer: Observer) -> str:
    if observer.voice is None:
        return "observing"
    if not observer.host.link_is_up:
        return "link_down"
    return "querier" if observer.host.has_querier(now()) else "running"
