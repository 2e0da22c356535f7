"""When a counter grew last."""

from __future__ import annotations

from mcastd.gmp.time import Instant
from mcastd.service.growing import Growing


def test_when_a_counter_grew_last_is_known_from_the_first_look_on() -> None:
    growing: Growing[str] = Growing()
    growing.look(Instant(1), {"eth0": {"lost": 0}, "eth1": {"lost": 5}})
    assert growing.of("eth0") == growing.of("eth1") == {}

    growing.look(Instant(2), {"eth0": {"lost": 3}, "eth1": {"lost": 5}})
    growing.look(Instant(3), {"eth0": {"lost": 3}, "eth1": {"lost": 6}})
    assert growing.of("eth0") == {"lost": (3, Instant(2))}
    assert growing.of("eth1") == {"lost": (6, Instant(3))}


def test_it_goes_with_a_name_and_ends_with_the_interface() -> None:
    growing: Growing[str] = Growing()
    for at, number in enumerate((0, 6)):
        growing.look(Instant(at), {"eth1": {"lost": number}})

    growing.rename("eth1", "lan0")
    growing.look(Instant(2), {"lan0": {"lost": 6}})
    assert growing.of("lan0") == {"lost": (6, Instant(1))}
    assert growing.of("eth1") == {}

    growing.look(Instant(3), {})
    growing.look(Instant(4), {"lan0": {"lost": 7}})
    assert growing.of("lan0") == {}
