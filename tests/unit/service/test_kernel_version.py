"""Until when the kernel keeps to an older version, as far as that can be known."""

from __future__ import annotations

import pytest
from mcastd.gmp.family import FAMILIES, ProtocolFamily
from mcastd.gmp.messages import Query
from mcastd.gmp.time import NO_TIME, Duration, Instant, seconds
from mcastd.service.kernel_version import KernelVersion, Older

START = Instant(seconds(1000))


@pytest.fixture(params=["igmp", "mld"])
def family(request: pytest.FixtureRequest) -> ProtocolFamily:
    return FAMILIES[request.param]


@pytest.fixture
def kernel(family: ProtocolFamily) -> KernelVersion:
    return KernelVersion(family)


def asked(
    family: ProtocolFamily,
    version: int,
    robustness: int = 0,
    interval: Duration = NO_TIME,
    response: Duration = NO_TIME,
) -> Query:
    return Query(
        version, family.unspecified, family.unspecified, family.unspecified,
        family.no_sources, response, response, robustness, interval,
    )  # fmt: skip


def at(offset: float) -> Instant:
    return Instant(START + seconds(offset))


def test_an_older_query_counts_for_two_intervals_and_a_response(
    family: ProtocolFamily, kernel: KernelVersion
) -> None:
    """RFC 3376 §8.12, RFC 3810 §9.12: of the defaults, while no newest query has been heard."""
    older = family.newest - 1
    assert kernel.older(START) is None
    kernel.hear(START, asked(family, older))
    assert kernel.older(at(259)) == Older(older, at(260), True)
    assert kernel.older(at(260)) is None


def test_the_last_newest_query_says_for_how_long(
    family: ProtocolFamily, kernel: KernelVersion
) -> None:
    kernel.hear(START, asked(family, family.newest, 3, seconds(20), seconds(5)))
    kernel.hear(at(1), asked(family, 1))
    kernel.hear(at(2), asked(family, family.newest, 7, seconds(100), seconds(50)))
    assert kernel.older(at(3)) == Older(1, at(66), True)
    kernel.hear(at(4), asked(family, 1))
    assert kernel.older(at(5)) == Older(1, at(69), True)


def test_a_response_time_as_long_as_the_interval_is_cut(
    family: ProtocolFamily, kernel: KernelVersion
) -> None:
    """As Linux does, after RFC 3376 §8.3."""
    kernel.hear(START, asked(family, family.newest, 2, seconds(2), seconds(10)))
    kernel.hear(at(1), asked(family, 1))
    assert kernel.older(at(2)) == Older(1, at(6), True)


def test_an_older_version_that_is_seen_was_asked_for_before(
    family: ProtocolFamily, kernel: KernelVersion
) -> None:
    """By whom was not heard: it is over at the latest as if that had been now."""
    older = family.newest - 1
    kernel.speaks(START, older)
    kernel.speaks(at(100), older)
    assert kernel.older(at(101)) == Older(older, at(260), False)
    kernel.speaks(at(300), older)
    assert kernel.older(at(301)) == Older(older, at(560), False)


def test_the_newest_version_ends_it(family: ProtocolFamily, kernel: KernelVersion) -> None:
    kernel.hear(START, asked(family, 1))
    kernel.speaks(at(1), 1)
    kernel.speaks(at(2), family.newest)
    assert kernel.older(at(2)) is None


def test_what_was_said_before_the_query_ends_nothing(
    family: ProtocolFamily, kernel: KernelVersion
) -> None:
    kernel.hear(at(1), asked(family, 1))
    kernel.speaks(START, family.newest)
    assert kernel.older(at(2)) == Older(1, at(261), True)


def test_the_oldest_version_is_spoken_first() -> None:
    kernel = KernelVersion(FAMILIES["igmp"])
    kernel.hear(START, asked(FAMILIES["igmp"], 1))
    kernel.hear(at(10), asked(FAMILIES["igmp"], 2))
    assert kernel.older(at(11)) == Older(1, at(260), True)
    assert kernel.older(at(261)) == Older(2, at(270), True)
