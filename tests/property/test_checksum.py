"""Checksums against the plain sum of 16-bit words, with and without vector instructions."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcastd._native import lib
from mcastd.native import checksum, checksum_update, icmpv6_checksum


@pytest.fixture(params=[0, 1], ids=["plain", "avx2"], autouse=True, scope="module")
def simd_level(request: pytest.FixtureRequest) -> Iterator[int]:
    best: int = lib.mcast_simd_level()
    if request.param > best:
        pytest.skip("this processor has no AVX2")
    yield lib.mcast_simd_limit(request.param)
    lib.mcast_simd_limit(best)


def model(data: bytes, initial: int = 0) -> int:
    """RFC 1071 §1, word by word."""
    padded = data + b"\x00" * (len(data) % 2)
    total: int = initial + sum(word for (word,) in struct.iter_unpack("!H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


messages = st.one_of(
    st.binary(max_size=600),
    st.builds(lambda unit, times: unit * times, st.binary(max_size=9), st.integers(0, 400)),
    st.sampled_from([b"\xff" * 70_001, b"\x80\x00" * 40_000, b"\x7f\xff" * 600, b"\x00" * 1500]),
)


@given(messages, st.integers(0, 2**32 - 1))
def test_checksum_is_the_sum_of_words(data: bytes, initial: int) -> None:
    assert checksum(data, initial) == model(data, initial)


@given(messages, st.integers(0, 63))
def test_checksum_does_not_depend_on_alignment(data: bytes, offset: int) -> None:
    assert checksum(memoryview(b"\x55" * offset + data)[offset:]) == model(data)


@given(messages, st.binary(min_size=32, max_size=32))
def test_icmpv6_checksum_covers_the_pseudo_header(message: bytes, addresses: bytes) -> None:
    pseudo_header = addresses + struct.pack("!I3xB", len(message), 58)
    expected = model(pseudo_header + message)
    assert icmpv6_checksum(addresses[:16], addresses[16:], message) == expected


@given(st.binary(min_size=8, max_size=1500), st.binary(min_size=2, max_size=2), st.data())
def test_updated_checksum_is_that_of_the_changed_message(
    message: bytes, new: bytes, data: st.DataObject
) -> None:
    at = 2 * data.draw(st.integers(0, (len(message) - 2) // 2))
    changed = message[:at] + new + message[at + 2 :]
    old_word, new_word = (int.from_bytes(x, "big") for x in (message[at : at + 2], new))
    updated = checksum_update(checksum(message), old_word, new_word)
    assert updated % 0xFFFF == checksum(changed) % 0xFFFF


@given(st.binary(min_size=2, max_size=1500).filter(lambda data: len(data) % 2 == 0))
def test_checksum_over_a_message_that_carries_its_own_is_zero(message: bytes) -> None:
    assert checksum(message + checksum(message).to_bytes(2, "big")) == 0
