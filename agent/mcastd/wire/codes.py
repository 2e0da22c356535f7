"""Codes on the wire and what they stand for: Max Resp Code and QQIC, linear and floating-point.

Every floating-point code has three exponent bits; only the width of the mantissa differs. With m
mantissa bits, a code below 2^(m+3) is the value itself; the others are

     0   1 2 3   4 ... m+3
    +-+---------+----------+
    |1|   exp   |   mant   |    value = (mant | 2^m) << (exp + 3)
    +-+---------+----------+

(RFC 9776 §4.1.1 and §4.1.7, RFC 9777 §5.1.3 and §5.1.9).
"""

from __future__ import annotations

from mcastd.gmp.family import ProtocolFamily
from mcastd.gmp.time import Duration, seconds

QUERIER_INTERVAL_MANTISSA_BITS = 4
"""QQIC is one byte in both families (RFC 9776 §4.1.7, RFC 9777 §5.1.9)."""

LARGEST_EXPONENT = 7


def decoded(code: int, mantissa_bits: int) -> int:
    """What a floating-point code stands for."""
    if code < 1 << (mantissa_bits + 3):
        return code
    hidden = 1 << mantissa_bits
    exponent = code >> mantissa_bits & LARGEST_EXPONENT
    return (code & (hidden - 1) | hidden) << (exponent + 3)


def encoded(value: int, mantissa_bits: int) -> int:
    """The largest floating-point code that stands for no more than `value` (RFC 9776 §8.8)."""
    threshold = 1 << (mantissa_bits + 3)
    if value < threshold:
        return value
    exponent = value.bit_length() - mantissa_bits - 4
    if exponent > LARGEST_EXPONENT:
        return 2 * threshold - 1
    mantissa = value >> (exponent + 3) & ((1 << mantissa_bits) - 1)
    return threshold | exponent << mantissa_bits | mantissa


def max_response(family: ProtocolFamily, code: int) -> Duration:
    """The Max Resp Code of the newest version's query; 0 is 0.

    RFC 9776 §4.1.1; Maximum Response Code, RFC 9777 §5.1.3.
    """
    return _times_unit(family, decoded(code, family.max_response_mantissa_bits))


def older_max_response(family: ProtocolFamily, code: int) -> Duration:
    """The same field as the older versions read it: linear (RFC 2236 §2.2, RFC 2710 §3.4)."""
    return _times_unit(family, code)


def max_response_code(family: ProtocolFamily, time: Duration) -> int:
    """For the newest version's query; rounded down to what has a code (RFC 9776 §8.8)."""
    return encoded(time // family.max_response_unit, family.max_response_mantissa_bits)


def older_max_response_code(family: ProtocolFamily, time: Duration) -> int:
    """For the older versions' queries; the largest code if the time has none."""
    return min(time // family.max_response_unit, (1 << family.max_response_code_bits) - 1)


def query_interval(code: int) -> Duration:
    """The Querier's Query Interval Code (RFC 9776 §4.1.7, RFC 9777 §5.1.9)."""
    return seconds(decoded(code, QUERIER_INTERVAL_MANTISSA_BITS))


def query_interval_code(interval: Duration) -> int:
    """Rounded down to whole seconds that have a code (RFC 9776 §8.8)."""
    return encoded(interval // seconds(1), QUERIER_INTERVAL_MANTISSA_BITS)


def _times_unit(family: ProtocolFamily, count: int) -> Duration:
    return Duration(count * family.max_response_unit)
