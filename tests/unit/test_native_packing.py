"""The table of current-state records in C: its order, what it refuses, where packing goes on."""

from __future__ import annotations

from typing import Any

import pytest
from mcastd.native import RecordTable

INCLUDE, EXCLUDE, UNTOLD = 1, 2, 0
GROUP = bytes((239, 0, 0, 1))
HIGHER = bytes((239, 0, 0, 2))
HEAD = bytes((0x22, 0, 0, 0, 0, 0))
START = (b"", b"")


def table_of(*records: tuple[bytes, int, bytes]) -> RecordTable:
    table = RecordTable(4)
    for record in records:
        table.put(*record)
    return table


def pack(
    table: RecordTable,
    *,
    room: int = 1464,
    position: tuple[bytes, bytes] = START,
    most: int = 10,
) -> tuple[list[bytes], tuple[bytes, bytes] | None]:
    return table.pack(0x22, room, position, most)


def test_a_message_has_its_type_and_the_number_of_records() -> None:
    table = table_of((HIGHER, INCLUDE, b"abcd"), (GROUP, EXCLUDE, b""))
    (message,), position = pack(table)
    assert message == HEAD + b"\0\2" + b"\2\0\0\0" + GROUP + b"\1\0\0\1" + HIGHER + b"abcd"
    assert position is None


def test_no_records_make_no_message() -> None:
    assert pack(RecordTable(4)) == ([], None)


def test_a_record_without_a_type_is_not_told() -> None:
    table = table_of((GROUP, UNTOLD, b"abcd"))
    assert pack(table) == ([], None)
    assert table.groups(b"", 10) == [GROUP]


def test_a_record_is_replaced() -> None:
    table = table_of((GROUP, INCLUDE, b"abcd"), (GROUP, EXCLUDE, b""))
    assert len(table) == 1
    assert pack(table)[0] == [HEAD + b"\0\1" + b"\2\0\0\0" + GROUP]


def test_a_list_goes_on_where_the_last_message_ended() -> None:
    """RFC 9776 §4.2.17: an INCLUDE is told in parts."""
    table = table_of((GROUP, INCLUDE, b"aaaabbbbccccdddd"))
    (first,), position = pack(table, room=16, most=1)
    assert first.endswith(b"\0\2" + GROUP + b"aaaabbbb")
    assert position == (GROUP, b"bbbb")
    (second,), position = pack(table, room=16, position=position)
    assert second.endswith(b"\0\2" + GROUP + b"ccccdddd")
    assert position is None


def test_a_list_that_changed_meanwhile_goes_on_behind_what_was_told() -> None:
    table = table_of((GROUP, INCLUDE, b"aaaabbbbccccdddd"))
    _, position = pack(table, room=16, most=1)
    assert position is not None
    table.put(GROUP, INCLUDE, b"bbbbddddeeee")
    assert pack(table, room=16, position=position)[0][0].endswith(b"\0\2" + GROUP + b"ddddeeee")
    table.put(GROUP, INCLUDE, b"aaaa")
    assert pack(table, room=16, position=position) == ([], None)
    table.put(GROUP, EXCLUDE, b"zzzz")
    assert pack(table, room=16, position=position)[0][0].endswith(b"\0\1" + GROUP + b"zzzz")
    table.drop(GROUP)
    table.put(HIGHER, EXCLUDE, b"")
    assert pack(table, room=16, position=position)[0][0].endswith(b"\0\0" + HIGHER)


def test_of_an_exclude_only_the_lowest_sources_are_told() -> None:
    (message,), position = pack(table_of((GROUP, EXCLUDE, b"aaaabbbbccccdddd")), room=16)
    assert message.endswith(b"\0\2" + GROUP + b"aaaabbbb")
    assert position is None


def test_the_groups_come_in_order_a_few_at_a_time() -> None:
    table = table_of((HIGHER, EXCLUDE, b""), (GROUP, EXCLUDE, b""))
    assert table.groups(b"", 1) == [GROUP]
    assert table.groups(GROUP, 1) == [HIGHER]
    table.drop(GROUP)
    assert table.groups(GROUP, 5) == [HIGHER]
    assert table.groups(HIGHER, 5) == []


def test_a_group_that_is_not_there_cannot_be_dropped() -> None:
    table = table_of((GROUP, EXCLUDE, b""))
    with pytest.raises(KeyError):
        table.drop(HIGHER)
    table.drop(GROUP)
    with pytest.raises(KeyError):
        table.drop(GROUP)
    assert len(table) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"room": 11},
        {"room": 65536},
        {"most": 0},
        {"position": (b"abc", b"")},
        {"position": (GROUP, b"abc")},
        {"position": (b"", GROUP)},
    ],
)
def test_positions_of_another_family_and_too_little_room_are_refused(
    options: dict[str, Any],
) -> None:
    with pytest.raises(ValueError, match="a position of this family"):
        pack(table_of((GROUP, INCLUDE, b"")), **options)


@pytest.mark.parametrize(
    ("group", "sources"),
    [(b"abc", b""), ("text", b""), (GROUP, None), (GROUP, "text"), (GROUP, b"abc")],
)
def test_groups_and_sources_are_bytes_of_the_family(group: Any, sources: Any) -> None:
    with pytest.raises(TypeError, match="family"):
        RecordTable(4).put(group, INCLUDE, sources)


@pytest.mark.parametrize("type_", [-1, 256])
def test_a_type_has_eight_bits(type_: int) -> None:
    with pytest.raises(ValueError, match="8 bits"):
        RecordTable(4).put(GROUP, type_, b"")


def test_an_address_has_4_or_16_bytes() -> None:
    with pytest.raises(ValueError, match="not 6"):
        RecordTable(6)
    assert RecordTable(16).groups(b"", 5) == []
