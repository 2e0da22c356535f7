"""What records of another speaker say about its filters (RFC 9776 §4.2.13, §6.4)."""

from __future__ import annotations

from mcastd.gmp.learning import apply_record, join_parts
from support.network import Network


def test_current_state_and_changes_of_mode_replace_what_was_known(net: Network) -> None:
    known = net.include(net.s1)

    assert apply_record(known, net.is_in(net.g1, net.s2)) == net.include(net.s2)
    assert apply_record(known, net.to_in(net.g1)) == net.nothing
    assert apply_record(known, net.is_ex(net.g1, net.s2)) == net.exclude(net.s2)
    assert apply_record(known, net.to_ex(net.g1)) == net.everything


def test_allowed_and_blocked_sources_change_what_was_known(net: Network) -> None:
    included, excluded = net.include(net.s1), net.exclude(net.s1)

    assert apply_record(included, net.allow(net.g1, net.s2)) == net.include(net.s1, net.s2)
    assert apply_record(included, net.block(net.g1, net.s1)) == net.nothing
    assert apply_record(excluded, net.allow(net.g1, net.s1)) == net.everything
    assert apply_record(excluded, net.block(net.g1, net.s2)) == net.exclude(net.s1, net.s2)


def test_the_parts_of_a_record_are_put_together(net: Network) -> None:
    whole = net.is_in(net.g1, net.s1, net.s2)

    assert join_parts(net.is_in(net.g1, net.s1), net.is_in(net.g1, net.s2)) == whole
