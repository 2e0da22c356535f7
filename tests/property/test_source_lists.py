"""Source lists against sets of addresses, with and without vector instructions."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcastd import _native
from mcastd.native import SourceList, difference_pair, intersection_all, union_all

ffi, lib = _native.ffi, _native.lib

CANARY = b"\xa5" * 64

Addresses = set[bytes]


@pytest.fixture(params=[0, 1], ids=["plain", "avx2"], autouse=True, scope="module")
def simd_level(request: pytest.FixtureRequest) -> Iterator[int]:
    best: int = lib.mcast_simd_level()
    if request.param > best:
        pytest.skip("this processor has no AVX2")
    yield lib.mcast_simd_limit(request.param)
    lib.mcast_simd_limit(best)


def packed(addresses: Addresses) -> bytes:
    return b"".join(sorted(addresses))


def address(number: int, width: int) -> bytes:
    """Numbers to addresses, so that they differ in the first byte, in the last and between."""
    if width == 4:
        return number.to_bytes(4, "big")
    return (number >> 20).to_bytes(8, "big") + (number << 7).to_bytes(8, "big")


seeds = st.integers(0, 2**32 - 1)
"""Where an example is long, it is drawn as one number."""


@st.composite
def address_sets(draw: st.DrawFn, width: int, most: int = 200) -> Addresses:
    """Sets of all lengths around those of vectors, out of dense and of sparse ranges."""
    top = draw(st.sampled_from([40, 300, 2**12, 2**32 - 1]))
    length = draw(st.integers(0, most))
    rng = random.Random(draw(seeds))
    start = draw(st.sampled_from([0, 2**32 - 1 - top]))
    return {address(start + rng.randint(0, top), width) for _ in range(length)}


@st.composite
def two_sets(draw: st.DrawFn, most: int = 200) -> tuple[int, Addresses, Addresses]:
    """Two sets that share some addresses; now and then one is far longer."""
    width = draw(st.sampled_from([4, 16]))
    a = draw(address_sets(width, draw(st.sampled_from([3, 20, most]))))
    b = draw(address_sets(width, draw(st.sampled_from([3, 20, most]))))
    share = draw(st.integers(0, len(a)))
    b |= set(sorted(a)[:share] if draw(st.booleans()) else sorted(a)[len(a) - share :])
    if draw(st.booleans()):
        b |= draw(address_sets(width, 4000))
    return (width, a, b) if draw(st.booleans()) else (width, b, a)


class Room:
    """A buffer for a result at any alignment, with bytes around it that must not change."""

    def __init__(self, length: int, offset: int) -> None:
        self.start = len(CANARY) + offset
        self.end = self.start + length
        self.buffer = bytearray(CANARY + bytes(offset + length) + CANARY)
        self.before = bytes(self.buffer[: self.start])

    @property
    def pointer(self) -> Any:
        return ffi.cast("uint8_t *", ffi.from_buffer(self.buffer)) + self.start

    def first(self, length: int) -> bytes:
        assert self.buffer[: self.start] == self.before
        assert self.buffer[self.end :] == CANARY
        assert length <= self.end - self.start
        return bytes(self.buffer[self.start : self.start + length])


def at_offset(data: bytes, offset: int) -> tuple[Any, bytearray]:
    """A pointer to a copy of `data` that is `offset` bytes off, and what keeps it alive."""
    buffer = bytearray(bytes(offset) + data)
    return ffi.cast("uint8_t *", ffi.from_buffer(buffer)) + offset, buffer


offsets = st.integers(0, 31)


@given(two_sets(), offsets, offsets, offsets)
def test_operations_in_c_agree_with_sets_and_stay_in_their_room(
    sets: tuple[int, Addresses, Addresses], offset_a: int, offset_b: int, offset_out: int
) -> None:
    width, a, b = sets
    pointer_a, _keep_a = at_offset(packed(a), offset_a)
    pointer_b, _keep_b = at_offset(packed(b), offset_b)
    for operation, expected, room in (
        (lib.mcast_list_union, a | b, width * (len(a) + len(b))),
        (lib.mcast_list_intersection, a & b, width * min(len(a), len(b)) + lib.MCAST_LIST_SLACK),
        (lib.mcast_list_difference, a - b, width * len(a)),
    ):
        out = Room(room, offset_out)
        count = operation(pointer_a, len(a), pointer_b, len(b), width, out.pointer)
        assert out.first(count * width) == packed(expected)


@given(two_sets(), offsets, offsets)
def test_both_differences_in_c_agree_with_sets_and_stay_in_their_room(
    sets: tuple[int, Addresses, Addresses], offset_in: int, offset_out: int
) -> None:
    width, a, b = sets
    pointer_a, _keep_a = at_offset(packed(a), offset_in)
    pointer_b, _keep_b = at_offset(packed(b), offset_in)
    only_a, only_b = Room(len(a) * width, offset_out), Room(len(b) * width, offset_out)
    n_b = ffi.new("size_t *")
    n_a = lib.mcast_list_difference_pair(
        pointer_a, len(a), pointer_b, len(b), width, only_a.pointer, only_b.pointer, n_b
    )
    assert only_a.first(n_a * width) == packed(a - b)
    assert only_b.first(n_b[0] * width) == packed(b - a)


@pytest.mark.parametrize("width", [4, 16])
@pytest.mark.parametrize("step", [1, 2, 3, 5])
def test_results_that_fill_their_room_stay_in_it(width: int, step: int) -> None:
    for n in (*range(1, 40), 64, 100, 333):
        long, short = (
            packed({address(i, width) for i in range(0, n * step, each)}) for each in (1, step)
        )
        for x, y in ((long, short), (short, long)):
            room = min(len(x), len(y)) + lib.MCAST_LIST_SLACK
            out = Room(room, 0)
            count = lib.mcast_list_intersection(
                x, len(x) // width, y, len(y) // width, width, out.pointer
            )
            assert out.first(count * width) == short


@pytest.mark.parametrize("width", [4, 16])
def test_every_pair_of_short_lengths_and_every_shift_agrees_with_sets(width: int) -> None:
    """All tails: each list ends anywhere in a block, with anything left in the other."""
    lengths = [*range(20), 31, 32, 33, 47, 48, 49, 50, 55, 56, 57, 63, 64, 65, 96]
    for na, nb, shift, step in itertools.product(lengths, lengths, (0, 1, 7, 40), (1, 3)):
        a = {address(i * step, width) for i in range(na)}
        b = {address(shift + i, width) for i in range(nb)}
        x, y = SourceList.of(a, width), SourceList.of(b, width)
        assert (x | y).packed == packed(a | b)
        assert (x & y).packed == packed(a & b)
        assert (x - y).packed == packed(a - b)
        assert (y - x).packed == packed(b - a)
        assert difference_pair(x, y) == (x - y, y - x)


@given(two_sets())
def test_operators_agree_with_sets(sets: tuple[int, Addresses, Addresses]) -> None:
    width, a, b = sets
    x, y = SourceList.of(a, width), SourceList.of(b, width)
    assert set(x | y) == a | b
    assert set(x & y) == a & b
    assert set(x - y) == a - b
    assert [set(each) for each in difference_pair(x, y)] == [a - b, b - a]
    assert (x == y, x <= y, x < y, x >= y, x > y) == (a == b, a <= b, a < b, a >= b, a > b)
    assert x & y <= x <= x | y


@pytest.mark.parametrize("width", [4, 16])
@pytest.mark.parametrize("step", range(2, 7))
def test_the_halves_of_an_intersection_do_not_overwrite_each_other(width: int, step: int) -> None:
    """All of the shorter list's lower half is found, its last block in several of the longer one.

    One address is not found, or the result would be the shorter list itself.
    """
    a = [number.to_bytes(width) for number in range(8192)]
    b = [*a[::step], (9000).to_bytes(width)]
    x, y = SourceList.of(a, width), SourceList.of(b, width)
    assert (x & y).packed == (y & x).packed == b"".join(b[:-1])


@given(two_sets(most=1200))
def test_operators_agree_with_sets_where_lists_are_split(
    sets: tuple[int, Addresses, Addresses],
) -> None:
    width, a, b = sets
    x, y = SourceList.of(a, width), SourceList.of(b, width)
    assert (x | y).packed == packed(a | b)
    assert (x & y).packed == packed(a & b)
    assert difference_pair(x, y) == (SourceList.of(a - b, width), SourceList.of(b - a, width))


@given(two_sets())
def test_a_list_contains_what_its_set_contains(sets: tuple[int, Addresses, Addresses]) -> None:
    width, a, b = sets
    x = SourceList.of(a, width)
    assert all(each in x for each in a)
    assert [each in x for each in sorted(b)] == [each in a for each in sorted(b)]


@given(st.sampled_from([4, 16]), st.data())
def test_wire_bytes_in_any_order_become_the_sorted_set(width: int, data: st.DataObject) -> None:
    addresses = sorted(data.draw(address_sets(width, 600)))
    wire = addresses + addresses[: data.draw(st.integers(0, len(addresses)))]
    random.Random(data.draw(seeds)).shuffle(wire)
    assert SourceList.from_wire(b"".join(wire), width).packed == b"".join(addresses)


@given(st.integers(0, 14), st.integers(2, 256), seeds)
def test_addresses_that_differ_in_a_byte_or_two_are_sorted(
    place: int, values: int, seed: int
) -> None:
    rng, addresses = random.Random(seed), []
    for _ in range(700):
        address = bytearray(b"\x20" * 16)
        address[place] = rng.randrange(values)
        address[15] = rng.randrange(2)
        addresses.append(bytes(address))
    assert SourceList.of(addresses, 16).packed == packed(set(addresses))


@given(st.binary(max_size=3000), st.sampled_from([4, 16]))
def test_any_bytes_become_a_sorted_set(data: bytes, width: int) -> None:
    wire = data[: len(data) // width * width]
    addresses = {wire[i : i + width] for i in range(0, len(wire), width)}
    assert SourceList.from_wire(bytearray(wire), width).packed == packed(addresses)


@given(st.sampled_from([4, 16]), st.data())
def test_many_lists_merge_as_their_sets_do(width: int, data: st.DataObject) -> None:
    sets = data.draw(st.lists(address_sets(width, 60), max_size=12))
    lists = [SourceList.of(each, width) for each in sets]
    assert set(union_all(lists, width)) == set().union(*sets)
    if sets:
        assert set(intersection_all(lists)) == set.intersection(*sets)


@given(st.sampled_from([4, 16]), st.integers(1, 70), st.data())
def test_slices_are_the_list_in_pieces(width: int, most: int, data: st.DataObject) -> None:
    whole = SourceList.of(data.draw(address_sets(width)), width)
    pieces = list(whole.slices(most))
    assert b"".join(piece.packed for piece in pieces) == whole.packed
    assert all(0 < len(piece) <= most for piece in pieces)
    assert whole.first(most) == (pieces[0] if pieces else whole)
