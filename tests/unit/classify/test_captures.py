"""Capture files of every form, whole and damaged."""

from __future__ import annotations

from io import BytesIO
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcastd.classify.captures import CapturedPacket, CaptureError, read_capture
from support import capture_files as files

SECOND = 1_000_000_000
FIRST, SECOND_PACKET = b"the first packet", b"another"


def read(file: bytes) -> list[CapturedPacket]:
    return list(read_capture(BytesIO(file)))


def read_as_far_as_possible(file: bytes) -> tuple[list[CapturedPacket], str | None]:
    packets: list[CapturedPacket] = []
    try:
        packets.extend(read_capture(BytesIO(file)))
    except CaptureError as error:
        return packets, str(error)
    return packets, None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("magic", "fraction"), [(files.MICROSECONDS, 500_000), (files.NANOSECONDS, 500)]
)
def test_a_pcap_file_is_read_in_both_byte_orders_and_resolutions(
    order: str, magic: int, fraction: int
) -> None:
    file = files.pcap(FIRST, SECOND_PACKET, order=order, magic=magic, link_type=101)

    at = 1_700_000_000 * SECOND + fraction
    assert read(file) == [
        CapturedPacket(at, 101, FIRST, len(FIRST)),
        CapturedPacket(at, 101, SECOND_PACKET, len(SECOND_PACKET)),
    ]


def test_a_pcap_file_may_tell_the_length_of_a_frame_check_sequence_beside_the_link_type() -> None:
    (packet,) = read(files.pcap(FIRST, link_type=0x4400_0001))

    assert packet.link_type == 1


def test_a_packet_that_was_captured_in_part_says_so() -> None:
    (packet,) = read(files.pcap(FIRST, left_out=6))

    assert packet.data == FIRST[:-6]
    assert packet.is_cut_short


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_pcapng_file_is_read_with_all_its_interfaces(order: str) -> None:
    nanoseconds = files.option(order, 9, b"\x09")
    binary = files.option(order, 9, b"\x8a") + files.option(order, 14, pack(f"{order}q", 100))
    file = (
        files.section(order)
        + files.interface(order, link_type=1)
        + files.interface(order, link_type=113, options=nanoseconds)
        + files.interface(order, link_type=276, options=binary)
        + files.enhanced_packet(FIRST, order, 0, time=3_000_001)
        + files.enhanced_packet(FIRST, order, 1, time=3_000_000_001, length=99)
        + files.enhanced_packet(FIRST, order, 2, time=3 * 1024 + 512)
    )

    assert read(file) == [
        CapturedPacket(3 * SECOND + 1000, 1, FIRST, len(FIRST)),
        CapturedPacket(3 * SECOND + 1, 113, FIRST, 99, interface=1),
        CapturedPacket(103 * SECOND + SECOND // 2, 276, FIRST, len(FIRST), interface=2),
    ]


def test_a_pcapng_file_may_have_sections_of_different_byte_orders() -> None:
    little = files.section("<") + files.interface("<", 1) + files.enhanced_packet(FIRST, "<")
    big = files.section(">") + files.interface(">", 101) + files.enhanced_packet(FIRST, ">")

    assert [packet.link_type for packet in read(little + big)] == [1, 101]


def test_the_older_and_the_simple_packet_blocks_of_pcapng_are_read() -> None:
    older = pack("<HHIIII", 0, 0, 0, 1_000_000, len(FIRST), len(FIRST)) + FIRST
    file = (
        files.section()
        + files.interface(snap_length=10)
        + files.block("<", files.PACKET, older)
        + files.block("<", files.SIMPLE_PACKET, pack("<I", len(FIRST)) + FIRST[:10])
    )

    assert read(file) == [
        CapturedPacket(SECOND, 1, FIRST, len(FIRST)),
        CapturedPacket(None, 1, FIRST[:10], len(FIRST)),
    ]


def test_an_unlimited_simple_packet_is_as_long_as_it_says() -> None:
    simple = files.block("<", files.SIMPLE_PACKET, pack("<I", len(FIRST)) + FIRST)

    assert read(files.section() + files.interface() + simple)[0].data == FIRST


def test_other_blocks_of_pcapng_are_passed_over() -> None:
    statistics = files.block("<", 5, bytes(12))
    unknown = files.block("<", 0x0BAD, b"anything")
    file = files.section() + unknown + files.interface() + statistics

    assert len(read(file + files.enhanced_packet(FIRST) + unknown)) == 1


WHOLE_FILES = [
    files.pcap(FIRST, SECOND_PACKET),
    files.section() + files.interface() + files.enhanced_packet(FIRST)
    + files.enhanced_packet(SECOND_PACKET),
]  # fmt: skip


@pytest.mark.parametrize("file", WHOLE_FILES, ids=["pcap", "pcapng"])
def test_a_file_cut_anywhere_gives_its_whole_packets_and_says_where_it_ends(file: bytes) -> None:
    whole = read(file)
    ends_well = 0
    for length in range(len(file)):
        packets, problem = read_as_far_as_possible(file[:length])
        assert packets == whole[: len(packets)]
        ends_well += problem is None
        assert problem is None or "\n" not in problem
    assert ends_well >= 2


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (b"", "the file is empty; give a pcap or pcapng file"),
        (b"#!/bin/sh\n", "neither a pcap nor a pcapng file: it does not begin like one"),
        (b"\x1f\x8b\x08\0", "the file is compressed; unpack it first: zcat FILE | ... -"),
        (files.pcap(b"")[:-4] + bytes(4) + files.pcap(FIRST)[24:34], "the file ends in the middle"),
        (files.pcap(FIRST).replace(pack("<I", 16), pack("<I", 1 << 30), 1), "the file is damaged"),
        (files.section("<", version=9), "pcapng version 9 is not known"),
        (files.section()[:8] + b"oops" + files.section()[12:], "a section of no known byte order"),
        (files.section()[:-4] + b"oops", "lengths differ"),
        (files.section() + files.interface()[:-4] + b"oops", "a block's two lengths differ"),
        (files.section() + files.enhanced_packet(FIRST), "an interface that is not described"),
        (files.section() + files.block("<", 3, bytes(8)), "simple packet block without an"),
        (files.section() + files.interface() + files.block("<", 6, bytes(8)), "without a packet"),
        (
            files.section() + files.interface()
            + files.block("<", 6, pack("<IIIII", 0, 0, 0, 99, 99) + FIRST),
            "a packet longer than its block",
        ),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_why(file: bytes, problem: str) -> None:
    packets, said = read_as_far_as_possible(file)

    assert problem in (said or "nothing")
    assert len(packets) <= 1


@given(data=st.data(), file=st.sampled_from(WHOLE_FILES))
def test_no_damage_makes_reading_fail_in_another_way(data: st.DataObject, file: bytes) -> None:
    at = data.draw(st.integers(0, len(file) - 1))
    read_as_far_as_possible(file[:at] + data.draw(st.binary(max_size=8)) + file[at + 1 :])
