"""Joins the metrics of all namespaces; those of a named one have the label `namespace`.

Prometheus wants all series of a name in one place: what peers tell is put behind the agent's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.samples import Sample

from mcastd.service.connections import SlowError, TooLongError
from mcastd.service.namespaces.peers import RUNNING, Peer, Peers, UnavailableError
from mcastd.service.rendering import END

SCRAPE_SECONDS = 5.0
"""For a peer to tell all of its metrics; Prometheus waits ten."""

HEAD = b"# HELP "
MARK = b'{"end": true}'
"""Behind what a peer tells, if it is all of it."""

Collect = Callable[[], Iterator[Metric]]


def labelled(metrics: Iterable[Metric], namespace: str) -> Iterator[Metric]:
    """The metrics with one more label."""
    for metric in metrics:
        metric.samples = [
            Sample(each.name, {"namespace": namespace, **each.labels}, *each[2:])
            for each in metric.samples
        ]
        yield metric


class Scraping:
    """`own`: the agent's metrics."""

    def __init__(self, own: Collect, peers: Peers) -> None:
        self._own, self._peers = own, peers

    def collect(self) -> Iterator[Metric]:
        """The agent's own, and of which namespaces there are any."""
        yield from self._own()
        up = GaugeMetricFamily(
            "mcastd_namespace_up",
            "1 if the agent in the namespace runs.",
            labels=["namespace"],
        )
        starts = CounterMetricFamily(
            "mcastd_namespace_starts",
            "How often an agent was started in the namespace.",
            labels=["namespace"],
        )
        for peer in self._peers:
            up.add_metric([peer.name], int(peer.state == RUNNING))
            starts.add_metric([peer.name], peer.starts)
        yield from (up, starts)

    async def completed(self, form: str, pieces: list[bytes]) -> list[bytes]:
        """The agent's own, by family, with those of all peers that tell theirs in time."""
        asked = (self._scraped(peer, form) for peer in self._peers.running())
        told = await asyncio.gather(*asked)
        return merged(pieces, told)

    async def _scraped(self, peer: Peer, form: str) -> bytes:
        """All that a peer tells; nothing if it is not all."""
        content = bytearray()
        try:
            async with (
                asyncio.timeout(SCRAPE_SECONDS),
                self._peers.connected(peer, {"scrape": form}) as connection,
            ):
                while piece := await connection.receive():
                    content += piece
        except (UnavailableError, TimeoutError, SlowError, TooLongError):
            return b""
        return bytes(content.removesuffix(MARK)) if content.endswith(MARK) else b""


def merged(own: Iterable[bytes], others: Iterable[bytes]) -> list[bytes]:
    """Each family once, with its head, and all that has series of it."""
    families: dict[bytes, list[bytes]] = {}
    for each in own:
        if each != END:
            families[key_of(each)] = [each]
    for text in others:
        for family in families_of(text.removesuffix(END)):
            head, samples = parted(family)
            families.setdefault(key_of(head), [head]).append(samples)
    return [b"".join(each) for each in families.values()]


def families_of(text: bytes) -> list[bytes]:
    """A text's parts; within a line, such as in a label, nothing begins another."""
    return [HEAD + each + b"\n" for each in (b"\n" + text.rstrip()).split(b"\n" + HEAD)[1:]]


def key_of(family: bytes) -> bytes:
    """The family's name."""
    return family.removeprefix(HEAD).split(b" ", 1)[0]


def parted(family: bytes) -> tuple[bytes, bytes]:
    """A family's head, and its series."""
    end = 0
    while family.startswith(b"# ", end):
        end = family.index(b"\n", end) + 1
    return family[:end], family[end:]
