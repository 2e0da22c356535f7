"""Interface reception state: what the merging leaves behind."""

from __future__ import annotations

from mcastd.gmp.filters import FilterMode
from mcastd.gmp.reception import MANY_APPLICATIONS, ReceptionState
from support.network import Network


def test_plain_joins_share_one_filter(net: Network) -> None:
    reception = ReceptionState(net.family)
    reception.listen("a", net.g1, net.exclude())
    reception.listen("a", net.g2, net.exclude())

    assert reception.filter(net.g1) is reception.filter(net.g2)


def test_groups_joined_plainly_by_one_application_share_who_asks(net: Network) -> None:
    reception = ReceptionState(net.family)
    reception.listen("a", net.g1, net.exclude())
    reception.listen("a", net.g2, net.exclude())
    assert reception._applications[net.g1] is reception._applications[net.g2]

    reception.listen("b", net.g1, net.exclude())
    assert reception.applications(net.g1) == {"a": net.everything, "b": net.everything}
    assert reception.applications(net.g2) == {"a": net.everything}


def test_names_of_applications_are_not_kept_for_ever(net: Network) -> None:
    reception = ReceptionState(net.family)
    for number in range(2 * MANY_APPLICATIONS):
        reception.listen(f"api:{number}", net.g1, net.exclude())
        reception.listen(f"api:{number}", net.g1, net.nothing)
    assert len(reception._plain) <= MANY_APPLICATIONS + 1
    assert len(reception) == 0


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


def test_groups_and_sources_are_counted_by_mode_as_they_come_and_go(net: Network) -> None:
    reception = ReceptionState(net.family)
    reception.listen("a", net.g1, net.include(net.s1, net.s2))
    reception.listen("a", net.g2, net.include(net.s1))
    assert reception.held(FilterMode.INCLUDE) == (2, 3)

    reception.listen("b", net.g2, net.exclude(net.s1, net.s2))
    assert reception.held(FilterMode.INCLUDE) == (1, 2)
    assert reception.held(FilterMode.EXCLUDE) == (1, 1)

    for application, group in (("a", net.g1), ("a", net.g2), ("b", net.g2)):
        reception.listen(application, group, net.nothing)
    assert [reception.held(mode) for mode in FilterMode] == [(0, 0), (0, 0)]
