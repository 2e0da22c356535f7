"""Streams as the natively compiled text counts them, against an independent reference."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from mcastd._native import lib
from support.stream_packets import Event, Story, differs, framed, ipv4, ipv6, udp

STORIES = int(os.environ.get("MCASTD_TEST_STREAM_STORIES", "1500"))
"""1,000,000 take three quarters of an hour."""


def test_the_streams_of_random_stories_are_what_the_reference_says() -> None:
    for seed in range(STORIES):
        story = Story(seed)
        difference = differs(story.events, story.formats)
        assert difference is None, f"seed {seed}: {difference}"


@settings(max_examples=300)
@given(data=st.binary(max_size=120), at=st.integers(0, 119), value=st.integers(0, 255))
def test_whatever_is_spoilt_in_a_packet_it_is_read_as_the_reference_reads_it(
    data: bytes, at: int, value: int
) -> None:
    for packet in (ipv4(udp(data)), ipv6(udp(data), headers=((44, bytes(7)),))):
        whole = bytearray(framed(packet, 5))
        whole[at % len(whole)] = value
        assert differs([Event(bytes(whole), 0)] * 2) is None


@settings(max_examples=300)
@given(data=st.binary(max_size=120), at=st.integers(0, 119), value=st.integers(0, 255))
def test_the_short_way_finds_in_a_frame_what_the_long_one_finds(
    data: bytes, at: int, value: int
) -> None:
    for packet in (ipv4(udp(data)), ipv6(udp(data))):
        whole = bytearray(framed(packet))
        whole[at % len(whole)] = value
        assert lib.mcast_streams_ways_agree(bytes(whole), len(whole)) in (0, 1)
    assert lib.mcast_streams_ways_agree(framed(ipv4(udp(data))), 42 + len(data)) == 1
