"""Several groups by one word."""

from __future__ import annotations

import pytest
from mcastd.cli.ranges import RangeError, groups_of


@pytest.mark.parametrize(
    ("word", "count", "first", "last"),
    [
        ("239.1.0.0/28", 16, "239.1.0.0", "239.1.0.15"),
        ("ff3e::8000:0/124", 16, "ff3e::8000:0", "ff3e::8000:f"),
        ("239.1.1.1/32", 1, "239.1.1.1", "239.1.1.1"),
        ("239.1.1.1", 1, "239.1.1.1", "239.1.1.1"),
        ("nonsense", 1, "nonsense", "nonsense"),
    ],
)
def test_a_range_is_all_its_addresses(word: str, count: int, first: str, last: str) -> None:
    """What is none is the agent's to judge."""
    found = groups_of(word)
    assert (len(found), found[0], found[-1]) == (count, first, last)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("239.1.0.1/28", "has host bits set"),
        ("239.0.0.0/8", "16777216 groups; at most 4096"),
        ("ff3e::/64", "at most 4096"),
        ("239.1.0.0/x", "239.1.0.0/x"),
    ],
)
def test_what_is_no_range_or_too_large_is_refused(word: str, said: str) -> None:
    with pytest.raises(RangeError, match=said):
        groups_of(word)
