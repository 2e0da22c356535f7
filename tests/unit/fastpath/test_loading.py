"""Values that are made in threads, and what loading makes of that."""

from __future__ import annotations

from threading import Event, get_ident

import pytest
from mcastd.fastpath.loading import Loading
from mcastd.fastpath.programs import lanes

PATIENCE = 20


def refuse(key: str) -> str:
    raise OSError(1, f"{key} is refused")


def test_each_value_is_there_when_it_is_asked_for() -> None:
    loading = Loading(str.upper, [["a", "b"], ["c"]])

    assert [loading[key] for key in "bca"] == ["B", "C", "A"]
    assert "a" in loading
    assert "d" not in loading


def test_whoever_asks_waits_for_that_value_and_no_other() -> None:
    may_go_on = Event()

    def make(key: str) -> str:
        if key == "slow":
            assert may_go_on.wait(PATIENCE)
        return key

    loading = Loading(make, [["quick", "slow"]])
    assert loading["quick"] == "quick"
    may_go_on.set()
    assert loading["slow"] == "slow"


def test_what_was_refused_is_told_to_whoever_asks_and_is_no_obstacle() -> None:
    loading = Loading(lambda key: refuse(key) if key == "bad" else key, [["bad", "good"]])

    for _ in range(2):
        with pytest.raises(OSError, match="bad is refused"):
            loading["bad"]
    assert loading["good"] == "good"
    assert loading.made() == ["good"]


def test_a_lane_is_one_thread_that_keeps_its_order() -> None:
    order: list[tuple[str, int]] = []

    Loading(lambda key: order.append((key, get_ident())), ["abc"]).join()

    assert [key for key, _ in order] == ["a", "b", "c"]
    assert len({thread for _, thread in order} - {get_ident()}) == 1


def test_without_anything_to_make_nothing_is_waited_for() -> None:
    assert Loading(refuse, []).made() == []


@pytest.mark.parametrize(("processors", "count"), [(1, 1), (2, 1), (3, 2), (64, 2)])
def test_all_programs_are_loaded_and_a_processor_is_left_to_who_waits(
    processors: int, count: int
) -> None:
    found = lanes(processors)

    assert len(found) == count
    assert found[0][0] == ("mcast_xdp", True)
    assert found[-1][0] == ("mcast_egress", False) or count == 1
    assert sorted(key for lane in found for key in lane) == [
        ("mcast_egress", False),
        ("mcast_ingress", False),
        ("mcast_inject", False),
        ("mcast_sockets", False),
        ("mcast_xdp", False),
        ("mcast_xdp", True),
    ]
