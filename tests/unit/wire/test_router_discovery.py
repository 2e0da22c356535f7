"""Multicast router discovery (RFC 4286): for routers, known, and of two lengths."""

from __future__ import annotations

import struct

import pytest
from mcastd.wire import Received, ReceptionContext, Rejected, decode_frame, decode_packet

ADVERTISEMENT, SOLICITATION, TERMINATION, DVMRP = 0x30, 0x31, 0x32, 0x13
ANYBODY = ReceptionContext(addresses_known=False)


def checksum(content: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(content) // 2}H", content))
    total = (total & 0xFFFF) + (total >> 16)
    return int(~(total + (total >> 16)) & 0xFFFF)


def packet(type_: int, length: int) -> bytes:
    message = bytes([type_, 0, 0, 0]).ljust(length, b"\0")
    message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    head = bytes.fromhex("46c00000000000000102 0000 c0000201 e000006a 94040000")
    head = head[:2] + struct.pack("!H", 24 + length) + head[4:]
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + message


@pytest.mark.parametrize(
    ("type_", "length"), [(ADVERTISEMENT, 8), (SOLICITATION, 4), (TERMINATION, 4), (TERMINATION, 8)]
)
def test_it_is_known_in_the_length_that_it_has(type_: int, length: int) -> None:
    """RFC 4286 §3, §4, §5; also where no padding follows."""
    found = decode_packet(packet(type_, length), ANYBODY)
    assert isinstance(found, Received), found
    assert found.kind.label == "igmp other"
    frame = bytes.fromhex("01005e00006a 020000000001 0800") + packet(type_, length)
    assert isinstance(decode_frame(frame.ljust(60, b"\xff"), ANYBODY), Received)


@pytest.mark.parametrize(
    ("type_", "length"), [(ADVERTISEMENT, 4), (DVMRP, 4), (SOLICITATION, 0), (0x11, 4), (0x16, 4)]
)
def test_what_ends_before_its_fixed_part_does_is_too_short(type_: int, length: int) -> None:
    shortened = bytearray(packet(type_, max(length, 4)))
    if not length:
        shortened[2:4] = struct.pack("!H", 24)
    found = decode_packet(bytes(shortened), ANYBODY)
    assert isinstance(found, Rejected)
    assert found.reason.label == "too_short"


def test_a_wrong_checksum_is_found_in_four_octets() -> None:
    damaged = bytearray(packet(SOLICITATION, 4))
    damaged[-1] ^= 1
    found = decode_packet(bytes(damaged), ANYBODY)
    assert isinstance(found, Rejected)
    assert found.reason.label == "bad_checksum"
