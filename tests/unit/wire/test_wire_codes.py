"""Max Resp Code, Maximum Response Code and QQIC."""

from __future__ import annotations

import pytest
from mcastd.gmp.family import IGMP, MLD, ProtocolFamily
from mcastd.gmp.time import Duration, milliseconds, seconds
from mcastd.wire import codes

DECISECONDS = [
    (0x00, 0), (0x64, 100), (0x7F, 127), (0x80, 128), (0x81, 136), (0x8F, 248), (0x90, 256),
    (0xA0, 512), (0xB5, 1344), (0xFF, 31744),
]  # fmt: skip
MILLISECONDS = [
    (0x2710, 10000), (0x7FFF, 32767), (0x8000, 32768), (0x8001, 32776), (0x8FFF, 65528),
    (0x9000, 65536), (0xFFFF, 8387584),
]  # fmt: skip
SECONDS = [(0x7D, 125), (0x80, 128), (0x90, 256), (0xA0, 512), (0xFF, 31744)]

MAX_RESPONSES = [
    *((IGMP, code, milliseconds(100 * count)) for code, count in DECISECONDS),
    *((MLD, code, milliseconds(count)) for code, count in MILLISECONDS),
]


@pytest.mark.parametrize(("family", "code", "time"), MAX_RESPONSES)
def test_a_max_response_code_stands_for_its_time(
    family: ProtocolFamily, code: int, time: Duration
) -> None:
    """FP-01, FP-03 (RFC 9776 §4.1.1, RFC 9777 §5.1.3)."""
    assert codes.max_response(family, code) == time
    assert codes.max_response_code(family, time) == code


@pytest.mark.parametrize(("code", "count"), SECONDS)
def test_a_query_interval_code_stands_for_its_seconds(code: int, count: int) -> None:
    """FP-02: one byte in both, and the same shift (RFC 9776 §4.1.7, RFC 9777 §5.1.9)."""
    assert codes.query_interval(code) == seconds(count)
    assert codes.query_interval_code(seconds(count)) == code


def test_older_versions_read_every_code_linearly(family: ProtocolFamily) -> None:
    """RFC 2236 §2.2, RFC 2710 §3.4."""
    largest = (1 << family.max_response_code_bits) - 1
    for code in (0, 1, largest // 2 + 2, largest):
        assert codes.older_max_response(family, code) == code * family.max_response_unit
        assert codes.older_max_response_code(family, codes.older_max_response(family, code)) == code


def test_a_time_is_written_as_the_largest_code_that_does_not_exceed_it(
    family: ProtocolFamily,
) -> None:
    """FP-05 (RFC 9776 §8.8, RFC 9777 §9.8)."""
    largest = (1 << family.max_response_code_bits) - 1
    for code in range(0, largest, 1 if largest < 256 else 251):
        just_before_the_next = Duration(codes.max_response(family, code + 1) - 1)
        assert codes.max_response_code(family, just_before_the_next) == code


def test_a_time_beyond_the_largest_code_is_written_as_that(family: ProtocolFamily) -> None:
    largest = (1 << family.max_response_code_bits) - 1
    for time in (seconds(10_000), seconds(1_000_000)):
        assert codes.max_response_code(family, time) == largest
        assert codes.older_max_response_code(family, time) == largest


def test_codes_grow_with_what_they_stand_for() -> None:
    for bits in (4, 12):
        values = [codes.decoded(code, bits) for code in range(1 << (bits + 4))]
        assert values == sorted(set(values))
