"""Renders the metrics once for all who ask meanwhile, in pieces between other work."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial

from prometheus_client import exposition
from prometheus_client.core import Metric
from prometheus_client.openmetrics import exposition as openmetrics

from mcastd.service.connections import Turnstile

log = logging.getLogger("mcastd")

SHARE = 4
"""Between two renderings there is so many times what one costs: a fifth of the time at the most."""

LONGEST_PAUSE = 1.0

TEXT, OPENMETRICS = "text", "openmetrics"

CONTENT_TYPES = {
    TEXT: exposition.CONTENT_TYPE_LATEST,
    OPENMETRICS: openmetrics.CONTENT_TYPE_LATEST,
}

END = b"# EOF\n"
"""Of OpenMetrics; once."""

Pieces = list[bytes]

Complete = Callable[[str, Pieces], Awaitable[Pieces]]


class Family:
    """A metric's family, as prometheus_client wants to be asked for it."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def collect(self) -> Iterator[Metric]:
        yield self._metric


def text_piece(metric: Metric) -> bytes:
    return exposition.generate_latest(Family(metric))


def openmetrics_piece(metric: Metric) -> bytes:
    made: bytes = openmetrics.generate_latest(Family(metric))  # type: ignore[no-untyped-call]
    return made.removesuffix(END)


ENCODERS: Mapping[str, Callable[[Metric], bytes]] = {
    TEXT: text_piece,
    OPENMETRICS: openmetrics_piece,
}


class Renderings:
    """Gives each who asks a rendering that was begun after he asked, and shares it with all others.

    `collect`: the families of metrics, one by one. `complete`: adds what others have, to a form.
    """

    def __init__(
        self, collect: Callable[[], Iterator[Metric]], complete: Complete | None = None
    ) -> None:
        self._collect = collect
        self._complete = complete
        self._turnstile = Turnstile()
        self._wanted: dict[str, asyncio.Future[Pieces]] = {}
        self._task: asyncio.Task[None] | None = None
        self._not_before = 0.0

    async def get(self, form: str) -> Pieces:
        """The text, in pieces. What is wrong with the collecting is raised to all who wait."""
        if form not in self._wanted:
            self._wanted[form] = asyncio.get_running_loop().create_future()
        wanted = self._wanted[form]
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._render_all())
        return await asyncio.shield(wanted)

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        for wanted in self._wanted.values():
            wanted.cancel()

    async def _render_all(self) -> None:
        while self._wanted:
            await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
            wanted, self._wanted = self._wanted, {}
            cost = [0.0]
            try:
                made = await self._render(tuple(wanted), cost)
            except Exception as error:
                for future in wanted.values():
                    settle(future, partial(future.set_exception, error))
            else:
                for form, future in wanted.items():
                    settle(future, partial(future.set_result, made[form]))
            log.debug("a rendering of the metrics took %.1f ms", cost[0] * 1e3)
            self._not_before = time.monotonic() + min(SHARE * cost[0], LONGEST_PAUSE)

    async def _render(self, forms: tuple[str, ...], cost: list[float]) -> dict[str, Pieces]:
        made: dict[str, Pieces] = {form: [] for form in forms}
        families = self._collect()
        while True:
            async with self._turnstile:
                begun = time.monotonic()
                metric = next(families, None)
                if metric is None:
                    break
                for form in forms:
                    made[form].append(ENCODERS[form](metric))
                cost[0] += time.monotonic() - begun
        if self._complete is not None:
            for form in forms:
                made[form] = await self._complete(form, made[form])
        if OPENMETRICS in made:
            made[OPENMETRICS].append(END)
        return made


def settle(future: asyncio.Future[Pieces], how: Callable[[], None]) -> None:
    """Unless nobody waits for it any more."""
    if not future.done():
        how()
        future.exception()  # it is asked for here: those who waited may all be gone


def form_of(accept: str) -> str:
    """OpenMetrics for who asks for it, plain text for all others, whatever they say."""
    for media_range in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in media_range.split(";"))
        refused = any(each.replace(" ", "") in ("q=0", "q=0.0") for each in parameters)
        if kind == "application/openmetrics-text" and not refused:
            return OPENMETRICS
    return TEXT
