"""What differs between the families."""

from __future__ import annotations

from random import Random

import pytest
from mcastd.gmp.delays import RandomDelays
from mcastd.gmp.family import IGMP, MLD, ProtocolFamily
from mcastd.gmp.time import Duration, milliseconds, seconds


@pytest.mark.parametrize(
    ("group", "reportable"),
    [
        ("224.0.0.1", False),
        ("224.0.0.2", True),
        ("224.0.0.22", True),
        ("ff02::1", False),
        ("ff12::1", True),
        ("ff00::5", False),
        ("ff01::5", False),
        ("ff31::5", False),
        ("ff02::1:ff00:10", True),
        ("ff02::16", True),
        ("ff05::1", True),
    ],
)
def test_groups_that_no_message_concerns(group: str, reportable: bool) -> None:
    """RFC 9776 §5, RFC 9777 §6."""
    family = MLD if ":" in group else IGMP

    assert family.is_reportable(family.parse(group)) == reportable


@pytest.mark.parametrize(
    ("group", "source_specific"),
    [
        ("232.0.0.0", True),
        ("232.255.255.255", True),
        ("231.255.255.255", False),
        ("ff3e::8000:1", True),
        ("ff32::1", True),
        ("ff3e:20:2001:db8::1", False),
        ("ff1e::1", False),
    ],
)
def test_groups_of_the_source_specific_range(group: str, source_specific: bool) -> None:
    """RFC 4607 §1."""
    family = MLD if ":" in group else IGMP

    assert family.is_source_specific(family.parse(group)) == source_specific


def test_an_address_of_another_family_is_refused(family: ProtocolFamily) -> None:
    other = {IGMP: "ff02::1", MLD: "224.0.0.1"}[family]
    with pytest.raises(ValueError, match=f"'{other}' is not an address of {family.name}'s family"):
        family.parse(other)


def test_an_address_is_printed_as_it_is_read(family: ProtocolFamily) -> None:
    for text in {IGMP: ("0.0.0.0", "232.1.1.1"), MLD: ("::", "ff3e::1:1")}[family]:
        assert family.format(family.parse(text)) == text


def test_delays_are_drawn_from_above_zero_to_the_limit() -> None:
    """RFC 9776 §5.2."""
    delays = RandomDelays(Random(1))

    assert {delays.draw(Duration(3)) for _ in range(100)} == {1, 2, 3}
    assert delays.draw(Duration(0)) == 0


def test_durations_are_whole_nanoseconds() -> None:
    assert seconds(0.1) == milliseconds(100) == 100_000_000
