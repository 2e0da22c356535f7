"""Streams as the natively compiled text counts them, against an independent reference."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcastd._native import lib
from support.stream_packets import (
    Event,
    Story,
    bad_input,
    differs,
    framed,
    ipv4,
    ipv6,
    native,
    udp,
)

REPOSITORY = Path(__file__).resolve().parents[2]
CLANGS = ("clang", *(f"clang-{version}" for version in range(21, 13, -1)))
CLANG = next(filter(None, map(shutil.which, CLANGS)), None)
INPUTS = 10_000

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


@pytest.mark.parametrize("kind", list(bad_input()))
def test_bad_input_is_counted_as_the_reference_counts_it(kind: str) -> None:
    frames = bad_input()[kind]

    assert differs([Event(each, at) for at, each in enumerate(frames)]) is None
    cut = [Event(each[:size], 0, len(each)) for each in frames for size in range(0, len(each), 9)]
    assert differs(cut) is None


def test_forged_sources_are_bounded_and_what_is_known_goes_on() -> None:
    def forged(number: int) -> bytes:
        return framed(
            ipv4(udp(b""), source=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        )

    known = [forged(number) for number in range(4096)]
    strangers = [forged(number) for number in range(4096, 24_096)]
    table = native([Event(each, 0) for each in (*known, *strangers, *known)])

    assert len(table) == 4096
    assert table.rest.untracked == len(strangers)
    assert {sample.packets for _, sample, _ in table} == {2}


@pytest.mark.skipif(CLANG is None, reason="clang is not installed")
def test_packets_of_any_bytes_leave_counts_that_add_up(tmp_path: Path) -> None:
    """A few seconds of the fuzz target of that name, from its corpus; `make fuzz` goes on."""
    target = tmp_path / "streams"
    flags = ["-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=undefined"]
    sources = ["tests/fuzz/streams.c", "native/streams.c"]
    includes = ["-Inative", "-Ibpf", "-Itests/fuzz"]
    built = subprocess.run(
        [str(CLANG), "-std=gnu11", *flags, *includes, "-o", target, *sources],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "cannot find" in built.stderr:
        pytest.skip("libFuzzer is not installed")
    assert built.returncode == 0, built.stderr
    (tmp_path / "corpus").mkdir()
    ran = subprocess.run(
        [target, f"-runs={INPUTS}", "-max_len=2048", f"-artifact_prefix={tmp_path}/", "-seed=1",
         tmp_path / "corpus", REPOSITORY / "tests/fuzz/corpus/streams"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-4000:]
