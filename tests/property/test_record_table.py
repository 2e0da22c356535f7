"""The table of current-state records against a plain dictionary."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from mcastd.native import RecordTable

seeds = st.integers(0, 10_000)
widths = st.sampled_from([4, 16])


def group(number: int, width: int) -> bytes:
    return (0xE0 << 8 * (width - 1) | number).to_bytes(width)


@given(seeds, widths, st.integers(1, 3000), st.booleans())
def test_it_holds_what_a_dictionary_would_in_order(
    seed: int, width: int, space: int, one_by_one: bool
) -> None:
    """Many come and go, so that blocks are split and emptied."""
    random = Random(seed)
    table, model = RecordTable(width), dict[bytes, tuple[int, bytes]]()
    numbers = iter(range(space)) if one_by_one else iter(lambda: random.randrange(space), None)
    for _ in range(min(2 * space, 2500)):
        chosen = group(next(numbers, random.randrange(space)), width)
        if chosen in model and random.random() < 0.5:
            table.drop(chosen)
            del model[chosen]
        else:
            type_ = random.choice([0, 1, 2])
            sources = b"".join(group(n, width) for n in range(random.choice([0, 0, 0, 1, 3])))
            table.put(chosen, type_, sources)
            model[chosen] = (type_, sources)
    assert len(table) == len(model)
    assert walked(table, random.randrange(1, 400)) == sorted(model)
    assert packed(table, 3) == b"".join(
        bytes((type_, 0)) + (len(sources) // width).to_bytes(2) + each + sources
        for each, (type_, sources) in sorted(model.items())
        if type_
    )


def walked(table: RecordTable, most: int) -> list[bytes]:
    groups: list[bytes] = []
    while piece := table.groups(groups[-1] if groups else b"", most):
        groups += piece
    return groups


def packed(table: RecordTable, most: int) -> bytes:
    """The records of all messages."""
    records = b""
    position: tuple[bytes, bytes] | None = (b"", b"")
    while position is not None:
        messages, position = table.pack(0x22, 1464, position, most)
        records += b"".join(message[8:] for message in messages)
    return records
