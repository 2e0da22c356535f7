"""What the C module promises besides its results."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest
from mcastd import _native
from mcastd.native import (
    SourceList,
    checksum,
    checksum_update,
    difference_pair,
    icmpv6_checksum,
    intersection_all,
    union_all,
)

A, B, C = (bytes([192, 0, 2, last]) for last in (1, 2, 3))


def v4(*addresses: bytes) -> SourceList:
    return SourceList.of(addresses, 4)


def test_a_list_shows_its_addresses_ascending() -> None:
    assert list(v4(C, A, B, A)) == [A, B, C]
    assert v4(C, A).packed == A + C
    assert len(v4(C, A)) == 2


def test_an_empty_list_is_false() -> None:
    assert not v4()
    assert v4(A)


def test_equal_lists_have_equal_hashes() -> None:
    assert hash(v4(A, B)) == hash(v4(B, A))
    assert {v4(A, B), v4(B, A)} == {v4(A, B)}


def test_lists_of_different_widths_are_never_equal() -> None:
    assert v4(A, B, C, b"\xff\xff\xff\xff") != SourceList(A + B + C + b"\xff" * 4, 16)


def test_lists_of_different_widths_do_not_mix() -> None:
    with pytest.raises(ValueError, match="do not mix"):
        v4(A) | SourceList(bytes(16), 16)
    with pytest.raises(ValueError, match="do not mix"):
        difference_pair(v4(A), SourceList(bytes(16), 16))


def test_a_list_does_not_combine_with_a_set() -> None:
    with pytest.raises(TypeError):
        v4(A) | {B}  # type: ignore[operator]


def test_bytes_that_are_no_whole_addresses_are_refused() -> None:
    with pytest.raises(ValueError, match="no whole number"):
        SourceList.from_wire(b"\x01\x02\x03", 4)
    with pytest.raises(ValueError, match="no whole number"):
        SourceList(b"\x01\x02\x03", 4)


def test_a_width_that_no_family_has_is_refused() -> None:
    with pytest.raises(ValueError, match="4 or 16"):
        SourceList(bytes(12), 6)


def test_wire_bytes_that_are_sorted_are_not_copied() -> None:
    wire = A + B + C
    assert SourceList.from_wire(wire, 4).packed is wire


def test_a_list_of_mutable_bytes_does_not_change_with_them() -> None:
    wire = bytearray(A + B)
    made = SourceList.from_wire(wire, 4)
    wire[3] = 9
    assert list(made) == [A, B]


def test_an_operation_that_changes_nothing_returns_its_operand() -> None:
    both, one = v4(A, B), v4(A)
    assert both | one is both
    assert one | both is both
    assert both & one is one
    assert both - v4(C) is both


def test_results_are_source_lists() -> None:
    for result in (
        v4(A) | v4(B),
        v4(A, B) & v4(B, C),
        v4(A, B) - v4(B),
        *difference_pair(v4(A), v4(B)),
    ):
        assert type(result) is SourceList
    assert type(SourceList.from_wire(A, 4)) is SourceList


def test_a_list_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        v4(A).packed = B  # type: ignore[misc]
    with pytest.raises(AttributeError):
        v4(A).extra = B  # type: ignore[attr-defined]


def test_addresses_of_another_width_are_not_in_a_list() -> None:
    assert bytes(16) not in v4(A)
    with pytest.raises(TypeError):
        1 in v4(A)  # type: ignore[operator]  # noqa: B015


def test_a_list_can_be_copied_and_pickled() -> None:
    assert copy.deepcopy(v4(A, B)) == v4(A, B)
    assert pickle.loads(pickle.dumps(v4(A, B))) == v4(A, B)


def test_a_list_prints_as_the_expression_that_makes_it() -> None:
    assert repr(v4(A)) == "SourceList('c0000201', 4)"


def test_no_lists_unite_to_the_empty_list() -> None:
    assert union_all([], 16) == SourceList(b"", 16)
    assert union_all([v4(), v4()], 4) == v4()


def test_lists_unite_whether_they_are_many_or_long() -> None:
    singles = [v4(i.to_bytes(4, "big")) for i in range(100)]
    assert union_all(singles, 4) == SourceList.of((i.to_bytes(4, "big") for i in range(100)), 4)
    halves = [
        SourceList.of((i.to_bytes(4, "big") for i in range(start, 100)), 4) for start in (0, 50)
    ]
    assert union_all(halves, 4) == union_all(singles, 4)


def test_lists_that_share_nothing_intersect_to_the_empty_list() -> None:
    assert intersection_all([v4(A, B), v4(B, C), v4(C)]) == v4()
    assert intersection_all([v4(A, B), v4(B, C)]) == v4(B)


def test_a_million_addresses_are_no_special_case() -> None:
    even = SourceList(b"".join(i.to_bytes(4, "big") for i in range(0, 2_000_000, 2)), 4)
    odd = SourceList(b"".join(i.to_bytes(4, "big") for i in range(1, 2_000_001, 2)), 4)
    both = even | odd
    assert len(both) == 2_000_000
    assert both - odd == even
    assert both & odd == odd
    assert even <= both
    assert difference_pair(both, even) == (odd, even - even)
    assert SourceList.from_wire(odd.packed + even.packed, 4) == both


def test_memory_that_is_not_there_is_a_memory_error() -> None:
    """In a process of its own that may map little more than it has."""
    story = """
import resource
from mcastd.native import SourceList, difference_pair
def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024
big = SourceList(bytes(64 << 20), 16)
small = SourceList(b"\\xff" * 16, 16)
wire = b"\\x01" * 16 + bytes(64 << 20)
limit = status("VmSize") + (32 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
for attempt in (
    lambda: big | small,
    lambda: big - small,
    lambda: difference_pair(big, small),
    lambda: SourceList.from_wire(wire, 16),
):
    try:
        attempt()
    except MemoryError:
        print("MemoryError")
"""
    done = subprocess.run([sys.executable, "-c", story], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["MemoryError"] * 4


def test_checksum_of_the_example_in_rfc_1071() -> None:
    """RFC 1071 §3: the sum is ddf2."""
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2 ^ 0xFFFF


def test_checksum_of_nothing_and_of_zeros_is_all_ones() -> None:
    assert checksum(b"") == checksum(bytes(1480)) == 0xFFFF


def test_checksum_continues_from_a_sum() -> None:
    assert checksum(b"\x01\x02", 0x0304) == checksum(b"\x01\x02\x03\x04")


def test_checksum_update_of_the_example_in_rfc_1624() -> None:
    """RFC 1624 §4: a word goes from 5555 to 3285 and the checksum from dd2f to 0000."""
    assert checksum_update(0xDD2F, 0x5555, 0x3285) == 0x0000


def test_checksum_arguments_out_of_range_are_refused() -> None:
    with pytest.raises(OverflowError):
        checksum(b"", 2**32)
    with pytest.raises(OverflowError):
        checksum_update(0, -1, 0)
    with pytest.raises(TypeError):
        checksum("text")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        icmpv6_checksum(b"", b"", b"")


def test_the_level_of_vector_instructions_can_be_lowered_and_raised_again() -> None:
    lib = _native.lib
    best = lib.mcast_simd_level()
    assert lib.mcast_simd_limit(lib.MCAST_SIMD_NONE) == 0
    assert lib.mcast_simd_limit(-1) == 0
    assert lib.mcast_simd_limit(99) == best
    assert lib.mcast_simd_level() == best
