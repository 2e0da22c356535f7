"""After copies of the kernel's messages were lost, all is said again: once, when it is over."""

from __future__ import annotations

from mcastd.fastpath.counters import ZERO, Counters
from mcastd.service.losses import PATIENCE, Losses, by_ring_and_cause


def lost(ring_full: int = 0, rate_limited: int = 0) -> Counters:
    return ZERO._replace(lost=((9, 9), (9, 9), (ring_full, rate_limited)))


def test_it_is_waited_for_the_end_of_the_losses() -> None:
    losses = Losses()
    assert list(losses.look({"eth0": lost(), "eth1": lost()})) == []
    assert list(losses.look({"eth0": lost(ring_full=3), "eth1": lost()})) == []
    assert list(losses.look({"eth0": lost(ring_full=3, rate_limited=1), "eth1": lost()})) == []
    assert list(losses.look({"eth0": lost(ring_full=3, rate_limited=1)})) == ["eth0"]
    assert list(losses.look({"eth0": lost(ring_full=3, rate_limited=1)})) == []


def test_but_not_for_ever() -> None:
    losses = Losses()
    found = [list(losses.look({"eth0": lost(count)})) for count in range(1, 2 * PATIENCE + 1)]
    assert [number for number, each in enumerate(found, 1) if each] == [PATIENCE, 2 * PATIENCE]


def test_an_interface_that_went_is_forgotten() -> None:
    losses = Losses()
    list(losses.look({"eth0": lost(5)}))
    assert list(losses.look({})) == []
    assert list(losses.look({"eth0": lost()})) == []


def test_losses_are_told_by_ring_and_cause() -> None:
    found = by_ring_and_cause({"eth0": lost(ring_full=3)})["eth0"]
    assert found["query", "ring_full"] == found["report", "rate_limited"] == 9
    assert (found["egress", "ring_full"], found["egress", "rate_limited"]) == (3, 0)
