"""The counters that netstat shows, from where they are counted."""

from __future__ import annotations

import pytest
from mcastd.fastpath.counters import WORDS, Counters
from mcastd.gmp.counters import Counted, Statistics
from mcastd.gmp.family import FAMILIES, ProtocolFamily
from mcastd.service.statistics import ARRIVED, UNKNOWN, statistics
from mcastd.wire import Kind, Reason


@pytest.fixture(params=[*FAMILIES.values()], ids=[*FAMILIES])
def family(request: pytest.FixtureRequest) -> ProtocolFamily:
    return request.param  # type: ignore[no-any-return]


def counted(
    family: ProtocolFamily,
    accepted: dict[Kind, int] | None = None,
    refused: dict[Reason, int] | None = None,
) -> dict[str, int]:
    """What is shown if the programs counted these on receipt, and as many in the other family."""
    empty = Counters.from_words([0] * WORDS)
    kinds = list(empty.accepted[0])
    for kind, number in (accepted or {}).items():
        kinds[kind] = number
    reasons = list(empty.rejected[0][0])
    for reason, number in (refused or {}).items():
        reasons[reason] = number
    other = tuple(each * 1000 for each in reasons)
    mine = (tuple(reasons), other) if family.name == "igmp" else (other, tuple(reasons))
    values = empty._replace(
        accepted=(tuple(kinds), empty.accepted[1]), rejected=(mine, empty.rejected[1])
    )
    return statistics(family, Statistics(family.counters), values)


@pytest.mark.parametrize("reason", Reason)
def test_each_refusal_is_counted(family: ProtocolFamily, reason: Reason) -> None:
    """No counter that is shown stays at zero for what it names."""
    received = family.counters[Counted.RECEIVED][0]
    found = counted(family, refused={reason: 7})
    assert set(found.values()) == {0, 7}
    assert found[received] == (0 if reason is Reason.BAD_CHECKSUM else 7)


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        (Reason.BAD_CHECKSUM, Counted.BAD_CHECKSUM),
        (Reason.BAD_TTL, Counted.BAD_TTL),
        (Reason.TOO_SHORT, Counted.TOO_SHORT),
        (Reason.NO_ROUTER_ALERT, Counted.NO_ROUTER_ALERT),
    ],
)
def test_a_refusal_has_its_own_counter(
    family: ProtocolFamily, reason: Reason, what: Counted
) -> None:
    assert counted(family, refused={reason: 7})[family.counters[what][0]] == 7


@pytest.mark.parametrize("kind", [each for each in Kind if each.type == "query"])
def test_a_query_is_counted_with_its_version(kind: Kind) -> None:
    family = kind.family
    found = counted(family, accepted={kind: 3})
    version = {1: Counted.QUERY_VERSION_1, 2: Counted.QUERY_VERSION_2, 3: Counted.QUERY_VERSION_3}
    for what in (Counted.RECEIVED, Counted.QUERY, version[kind.version or 0]):
        assert found[family.counters[what][0]] == 3
    assert sum(found.values()) == 9


def test_what_nobody_counts_is_not_shown(family: ProtocolFamily) -> None:
    found = counted(family)
    names = {name for what in ARRIVED for name in family.counters.get(what, ())}
    hidden = {name for what in UNKNOWN for name in family.counters.get(what, ())} - names
    assert hidden
    assert not hidden & found.keys()


def test_what_the_engine_alone_knows_is_its_own(family: ProtocolFamily) -> None:
    engine = Statistics(family.counters)
    engine.count(Counted.SUPPRESSED, 4)
    found = statistics(family, engine, Counters.from_words([0] * WORDS))
    assert found[family.counters[Counted.SUPPRESSED][0]] == 4
