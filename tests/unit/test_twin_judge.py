"""What the judge of the twins takes for harm (RFC 9776 §6.4.2)."""

from __future__ import annotations

import pytest
from support.host_lab import ANY, Filter, but, only
from support.twin_judge import ALL, taken


def listed(*sources: str) -> frozenset[str]:
    return frozenset(sources)


@pytest.mark.parametrize(
    ("type_", "sources", "wanted", "lost"),
    [
        ("TO_IN", listed(), None, set()),
        ("TO_IN", listed(), ANY, {ALL}),
        ("TO_IN", listed("a"), only("a", "b"), {"b"}),
        ("TO_IN", listed("a", "b"), only("a"), set()),
        ("TO_EX", listed("a", "b"), only("a", "c"), {"a"}),
        ("TO_EX", listed("a", "b"), but("a"), {"b"}),
        ("TO_EX", listed(), only("a"), set()),
        ("BLOCK", listed("a"), ANY, {"a"}),
        ("BLOCK", listed("a", "b"), but("a", "b"), set()),
        ("IS_IN", listed("a"), ANY, set()),
        ("IS_EX", listed("a"), only("a"), set()),
        ("ALLOW", listed("a"), only("b"), set()),
    ],
)
def test_what_a_record_takes_away(
    type_: str, sources: frozenset[str], wanted: Filter | None, lost: set[str]
) -> None:
    assert taken((type_, "239.1.1.1", sources), wanted) == lost
