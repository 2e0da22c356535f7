"""Interface reception state: what the merging leaves behind, and the order of groups."""

from __future__ import annotations

import pytest
from mcastd.gmp import reception
from mcastd.gmp.reception import AscendingGroups, ReceptionState
from support.network import Network


@pytest.mark.parametrize("few", [0, 1024], ids=["in its place", "sorted again"])
def test_groups_come_in_ascending_order_however_they_came_and_went(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "FEW", few)
    groups = AscendingGroups()
    for group in (b"d", b"b", b"c"):
        groups.add(group)
    assert groups.snapshot() == [b"b", b"c", b"d"]

    groups.remove(b"c")
    groups.add(b"a")
    groups.remove(b"a")
    groups.remove(b"d")
    groups.add(b"d")
    groups.add(b"e")
    assert groups.snapshot() == [b"b", b"d", b"e"]


def test_a_snapshot_stays_as_it_was() -> None:
    groups = AscendingGroups()
    groups.add(b"a")
    before = groups.snapshot()
    groups.add(b"b")

    assert before == [b"a"]
    assert groups.snapshot() == [b"a", b"b"]
    assert groups.snapshot() is groups.snapshot()


def test_plain_joins_share_one_filter(net: Network) -> None:
    reception = ReceptionState(net.family)
    reception.listen("a", net.g1, net.exclude())
    reception.listen("a", net.g2, net.exclude())

    assert reception.filter(net.g1) is reception.filter(net.g2)


def test_a_filter_tells_what_it_admits(net: Network) -> None:
    assert net.include(net.s1).admits(net.s1)
    assert not net.include(net.s1).admits(net.s2)
    assert net.exclude(net.s1).admits(net.s2)
    assert not net.exclude(net.s1).admits(net.s1)


def test_a_group_that_is_not_held_has_a_filter_that_admits_nothing(net: Network) -> None:
    reception = ReceptionState(net.family)

    assert reception.filter(net.g1).is_empty
    assert reception.applications(net.g1) == {}
    assert net.g1 not in reception
    assert len(reception) == 0
