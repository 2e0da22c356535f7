"""The packing of current-state records in C: what it refuses, and where it goes on."""

from __future__ import annotations

from typing import Any

import pytest
from mcastd.native import pack_records

GROUP = bytes((239, 0, 0, 1))
HEAD = bytes((0x22, 0, 0, 0, 0, 0))


def pack(
    types: bytes,
    groups: list[Any],
    sources: list[Any],
    *,
    room: int = 1464,
    position: tuple[int, int] = (0, 0),
    most: int = 10,
    is_last: bool = True,
) -> tuple[list[bytes], tuple[int, int]]:
    return pack_records(0x22, 4, room, types, groups, sources, position, most, is_last)


def test_a_message_has_its_type_and_the_number_of_records() -> None:
    (message,), position = pack(b"\2\1", [GROUP, GROUP], [b"", b"abcd"])
    assert message == HEAD + b"\0\2" + b"\2\0\0\0" + GROUP + b"\1\0\0\1" + GROUP + b"abcd"
    assert position == (2, 0)


def test_no_records_make_no_message() -> None:
    assert pack(b"", [], []) == ([], (0, 0))


def test_records_that_fill_no_message_wait_for_more() -> None:
    assert pack(b"\2", [GROUP], [b""], is_last=False) == ([], (0, 0))


def test_a_list_goes_on_where_the_last_message_ended() -> None:
    """RFC 9776 §4.2.17: an INCLUDE is told in parts."""
    sources = [b"aaaabbbbccccdddd"]
    (first,), position = pack(b"\1", [GROUP], sources, room=16, most=1)
    assert first.endswith(b"\0\2" + GROUP + b"aaaabbbb")
    assert position == (0, 8)
    (second,), position = pack(b"\1", [GROUP], sources, room=16, position=position)
    assert second.endswith(b"\0\2" + GROUP + b"ccccdddd")
    assert position == (1, 0)


def test_of_an_exclude_only_the_lowest_sources_are_told() -> None:
    (message,), position = pack(b"\2", [GROUP], [b"aaaabbbbccccdddd"], room=16)
    assert message.endswith(b"\0\2" + GROUP + b"aaaabbbb")
    assert position == (1, 0)


@pytest.mark.parametrize(
    ("columns", "options"),
    [
        ((b"\1\1", [GROUP], [b""]), {}),
        ((b"\1", [GROUP], []), {}),
        ((b"\1", [GROUP], [b""]), {"room": 11}),
        ((b"\1", [GROUP], [b""]), {"room": 65536}),
        ((b"\1", [GROUP], [b""]), {"position": (-1, 0)}),
        ((b"\1", [GROUP], [b""]), {"position": (0, 3)}),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    columns: tuple[bytes, list[bytes], list[bytes]], options: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="columns of one length"):
        pack(*columns, **options)


@pytest.mark.parametrize(
    ("group", "sources"), [(b"abc", b""), ("text", b""), (GROUP, None), (GROUP, "text")]
)
def test_groups_and_sources_are_bytes_of_the_family(group: object, sources: object) -> None:
    with pytest.raises(TypeError, match="of one family"):
        pack(b"\1", [group], [sources])


def test_a_position_beyond_the_end_makes_no_message() -> None:
    assert pack(b"\1", [GROUP], [b"abcd"], position=(5, 0))[0] == []
    (message,), _ = pack(b"\1", [GROUP], [b"abcd"], position=(0, 8))
    assert message.endswith(b"\1\0\0\0" + GROUP)
