"""Retransmission state of one group (RFC 9776 §5.1, RFC 9777 §6.1)."""

from __future__ import annotations

from mcastd.gmp.records import state_change
from mcastd.gmp.retransmission import Retransmissions
from support.network import Network


def test_what_is_owed_can_be_looked_at(net: Network) -> None:
    owed = Retransmissions()
    owed = owed.merged(state_change(net.g1, net.nothing, net.exclude(net.s1)), 3)
    owed = owed.reported()
    owed = owed.merged(state_change(net.g1, net.exclude(net.s1), net.exclude(net.s2)), 3)

    assert owed.filter_mode_retransmissions == 2
    assert owed.source_retransmissions == {net.s1: 3, net.s2: 3}
    owed = owed.reported()
    assert owed.filter_mode_retransmissions == 1
    assert owed.source_retransmissions == {net.s1: 2, net.s2: 2}


def test_it_is_finished_when_everything_was_told_often_enough(net: Network) -> None:
    owed = Retransmissions()
    assert owed.finished

    owed = owed.merged(state_change(net.g1, net.nothing, net.include(net.s1)), 2)
    for _ in range(2):
        assert not owed.finished
        owed = owed.reported()
    assert owed.finished


def test_fewer_repeats_for_new_sources_do_not_cut_those_of_old_ones(net: Network) -> None:
    """The robustness may have been learned to be smaller in between."""
    owed = Retransmissions()
    owed = owed.merged(state_change(net.g1, net.nothing, net.include(net.s1)), 7)
    owed = owed.merged(state_change(net.g1, net.include(net.s1), net.include(net.s1, net.s2)), 2)

    assert owed.source_retransmissions == {net.s1: 7, net.s2: 2}


def test_a_new_change_of_a_source_ends_the_longer_series_of_its_old_one(net: Network) -> None:
    owed = Retransmissions()
    owed = owed.merged(state_change(net.g1, net.nothing, net.include(net.s1)), 7)
    owed = owed.merged(state_change(net.g1, net.include(net.s1), net.nothing), 2)
    owed = owed.reported()
    owed = owed.reported()

    assert owed.finished


def test_a_change_of_mode_ends_the_longer_series_of_sources(net: Network) -> None:
    owed = Retransmissions()
    owed = owed.merged(state_change(net.g1, net.nothing, net.include(net.s1)), 7)
    owed = owed.merged(state_change(net.g1, net.include(net.s1), net.exclude(net.s1)), 2)

    assert owed.source_retransmissions == {}
