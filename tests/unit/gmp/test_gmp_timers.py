"""Deadlines by key."""

from __future__ import annotations

from mcastd.gmp.time import Instant
from mcastd.gmp.timers import SLACK, Timers


def timers(**deadlines: int) -> Timers[str]:
    running: Timers[str] = Timers()
    for key, deadline in deadlines.items():
        running.start(key, Instant(deadline))
    return running


def fired(running: Timers[str], until: int) -> list[str]:
    keys = []
    while (key := running.pop_due(Instant(until))) is not None:
        keys.append(key)
    return keys


def test_timers_fire_in_order_of_time_and_then_of_keys() -> None:
    assert fired(timers(d=1, b=2, a=2, c=3), 2) == ["d", "a", "b"]


def test_no_timer_fires_early() -> None:
    running = timers(a=5)

    assert fired(running, 4) == []
    assert running.next_deadline() == 5
    assert fired(running, 5) == ["a"]


def test_a_timer_that_is_started_again_moves() -> None:
    running = timers(a=5, b=6)
    running.start("a", Instant(9))

    assert running.next_deadline() == 6
    assert len(running) == 2
    running.start("a", Instant(1))
    assert fired(running, 10) == ["a", "b"]


def test_a_stopped_timer_does_not_fire() -> None:
    running = timers(a=5, b=6)

    assert running.stop("a")
    assert not running.stop("a")
    assert running.next_deadline() == 6
    assert "a" not in running
    assert running.deadline("a") is None
    assert fired(running, 10) == ["b"]
    assert running.next_deadline() is None


def test_a_timer_started_anew_for_the_same_instant_fires_once() -> None:
    running = timers(a=5)
    running.stop("a")
    running.start("a", Instant(5))

    assert fired(running, 5) == ["a"]


def test_many_start_at_once_among_few_and_few_among_many() -> None:
    batch = [(Instant(i), f"{i:04}") for i in range(1000)]
    running = timers(a=1000)
    running.start_all(batch)
    running.start_all([(Instant(2000), "0000"), (Instant(0), "b")])

    everything = fired(running, 3000)
    assert everything == ["b", *(key for _, key in batch[1:]), "a", "0000"]


def test_restarting_and_stopping_leave_no_heap_behind() -> None:
    running = timers(a=1, b=2)
    for moment in range(10_000):
        running.start("a", Instant(moment + 3))
    running.start_all([(Instant(7), "c")] * 10)
    for _ in range(1000):
        running.start("d", Instant(9))
        running.stop("d")

    assert len(running._heap) <= 2 * len(running) + SLACK


def test_stopping_all_of_many_leaves_no_heap_behind() -> None:
    running = timers(**{f"{i:04}": i for i in range(1000)})
    for i in range(1000):
        running.stop(f"{i:04}")

    assert len(running._heap) <= SLACK
