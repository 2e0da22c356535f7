"""`mcastd streams --pair` as an operator sees it."""

from __future__ import annotations

import json
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from mcastd.cli.mcastd import main
from support import capture_files as files
from support.stream_packets import frame, framed, ipv4, ipv6, rtp, ts_packet, udp

A, B = "239.1.1.1", "239.1.1.2"
PAIR = f"{A}:5004 {B}:5004"
SECOND = 1_700_000_000


def timed(*packets: tuple[float, bytes]) -> bytes:
    """A file of packets that came so many seconds after SECOND."""
    file = files.pcap(magic=files.NANOSECONDS)
    for at, packet in sorted(packets):
        whole, rest = divmod(round(at * 1_000_000_000), 1_000_000_000)
        file += pack("<IIII", SECOND + whole, rest, len(packet), len(packet)) + packet
    return file


def both_ways(
    count: int, *, lost: dict[str, set[int]], later: float = 0.0, ssrc: int = 1
) -> list[tuple[float, bytes]]:
    """A number a millisecond on both legs, `later` on b, whose SSRC may be another."""
    return [
        (n / 1000 + delay, frame(rtp(n, number), group=group))
        for n in range(count)
        for group, delay, number in ((A, 0.0, 1), (B, later, ssrc))
        if n not in lost.get(group, set())
    ]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return tmp_path / "some.pcap"


def line(capsys: pytest.CaptureFixture[str], capture: Path, *options: str) -> dict[str, Any]:
    assert main(["streams", str(capture), "--json", *(options or ("--pair", PAIR))]) == 0
    (told,) = (json.loads(each) for each in capsys.readouterr().out.splitlines())
    assert isinstance(told, dict)
    return told


def test_a_pair_is_told_with_all_its_fields(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = {A: {100, 200, 201}, B: {200, 300}}
    packets = both_ways(3000, lost=lost, later=0.004)
    packets.append((2.0, framed(ipv4(udp(b"x"), group=A, source="10.9.9.9"))))
    capture.write_bytes(timed(*packets, (4.0, bytes(60))))

    assert line(capsys, capture) == {
        "a": {
            "interface": None, "group": A, "port": 5004, "source": "10.0.0.2", "format": "rtp",
            "packets": 2997, "brought": 2997, "lost": 3, "late": 0, "strangers": 1,
            "last": SECOND + 2.999,
        },
        "b": {
            "interface": None, "group": B, "port": 5004, "source": "10.0.0.2", "format": "rtp",
            "packets": 2998, "brought": 2998, "lost": 2, "late": 0, "strangers": 0,
            "last": SECOND + 3.003,
        },
        "decided": 3000, "both": 2996, "neither": 1, "undecided": 0, "begun": 1, "missed": 0,
        "skew": {"median": pytest.approx(0.004, rel=1 / 16), "largest": 0.004},
        "state": None, "problem": None,
    }  # fmt: skip


def test_nothing_is_lost_before_the_window_has_passed(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packets = both_ways(100, lost={B: set(range(50, 100))})
    for wait, undecided in ((0.001, 100), (0.2, 0)):
        capture.write_bytes(timed(*packets, (0.099 + wait, bytes(60))))
        told = line(capsys, capture)
        assert (told["undecided"], told["b"]["lost"]) == (undecided, 0 if undecided else 50)


def test_skews_are_those_of_the_last_whole_second_and_have_a_sign(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    early = [(2 + n / 1000 - (0.003 if g == B else 0), frame(rtp(n), group=g))
             for n in range(5, 900) for g in (A, B)]  # fmt: skip
    capture.write_bytes(timed(*early, (3.0, bytes(60))))
    told = line(capsys, capture)["skew"]
    assert told["median"] == pytest.approx(-0.003, rel=1 / 16)
    assert told["largest"] == -0.003

    capture.write_bytes(timed(*early, (4.0, bytes(60))))
    assert line(capsys, capture)["skew"] is None


@pytest.mark.parametrize(
    ("packets", "problem"),
    [
        (both_ways(300, lost={}, ssrc=2), "SSRCs differ: a has 0x00000001, b has 0x00000002"),
        (
            [
                (n / 1000, frame(content, group=group))
                for n in range(300)
                for group, content in ((A, rtp(n)), (B, ts_packet(256, n)))
            ],
            "b: mpegts has no numbers that packets could be matched by",
        ),
        (
            [
                (n / 1000, frame(rtp(n + more), group=group))
                for n in range(300)
                for group, more in ((A, 0), (B, 5000))
            ],
            "the legs' numbers are 4096 or more apart, or no multiples of the step",
        ),
    ],
)
def test_legs_that_do_not_match_are_a_problem_and_lose_nothing(
    capture: Path,
    capsys: pytest.CaptureFixture[str],
    packets: list[tuple[float, bytes]],
    problem: str,
) -> None:
    capture.write_bytes(timed(*packets))

    told = line(capsys, capture)
    assert told["problem"] == problem
    assert told["neither"] == told["a"]["lost"] == 0

    assert main(["streams", str(capture), "--pair", PAIR]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"   not matched: {problem}"


def test_a_leg_may_be_named_by_its_interface_in_the_file(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def described(name: bytes) -> bytes:
        return files.interface(options=files.option("<", 2, name))

    capture.write_bytes(
        files.section()
        + described(b"eth0")
        + described(b"eth1")
        + b"".join(
            files.enhanced_packet(frame(rtp(n)), number=number)
            for n in range(50)
            for number in ((0, 1) if n != 20 else (0,))
        )
    )

    told = line(capsys, capture, "--pair", f"eth0 {A}:5004 eth1 {A}:5004")
    assert [told[leg]["brought"] for leg in "ab"] == [50, 49]
    assert [told[leg]["interface"] for leg in "ab"] == ["eth0", "eth1"]


def test_people_get_two_rows_for_a_pair(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    group = "ff15::1:1"
    packets = [
        *both_ways(2000, lost={B: {7}}, later=0.000_002),
        *((n / 10, framed(ipv6(udp(rtp(n), 6000), group=group))) for n in range(9)),
    ]
    capture.write_bytes(timed(*packets, (2.9, bytes(60))))

    options = ("--pair", PAIR, "--pair", f"[{group}]:6000 [ff15::2]:6000")
    assert main(["streams", str(capture), *options]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == [
        "LEG", "STREAM", "SOURCE", "FORMAT", "PACKETS", "LOST", "LATE", "NEITHER", "OF", "SKEW",
        "LARGEST",
    ]  # fmt: skip
    assert [row.split() for row in rows] == [
        ["a", f"{A}:5004", "10.0.0.2", "rtp", "2000", "0", "0", "0", "2000", "2", "us", "2", "us"],
        ["b", f"{B}:5004", "10.0.0.2", "rtp", "1999", "1", "0"],
        ["a", f"[{group}]:6000", "fe80::2", "rtp", "9", "0", "0", "0", "9", "-", "-"],
        ["b", "[ff15::2]:6000", "-", "none", "0", "9", "0"],
    ]


@pytest.mark.parametrize(
    "pair",
    [
        "", A, f"{A}:5004", f"{A} {B}", f"{A}:5004 {B}:0", f"{A}:5004 {B}:65536", f"{A}:5004 {B}:x",
        f"{A}:5004 10.0.0.1:5004", f"{A}:5004 {A}:5004", f"{A}:5004 ff15::1:5004", "x:1 y:2",
        f"{A}:5004 [{B}]:5004", f"eth0 {A}:5004 {B}:5004", f"eth0 {A}:5004 eth1 {B}:5004 eth2",
    ],
)  # fmt: skip
def test_a_pair_that_cannot_be_is_refused(
    capture: Path, capsys: pytest.CaptureFixture[str], pair: str
) -> None:
    capture.write_bytes(files.pcap())

    assert main(["streams", str(capture), "--pair", pair]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("mcastd streams: --pair ")


def test_more_pairs_than_there_is_room_for_are_refused(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(files.pcap())
    pairs = [f"{A}:{port} {B}:{port}" for port in range(1, 66)]
    options = [word for pair in pairs for word in ("--pair", pair)]

    assert main(["streams", str(capture), *options]) == 2
    assert capsys.readouterr().err == "mcastd streams: --pair 65 of them; 64 at most\n"
    assert main(["streams", str(capture), *options[2:], "--json"]) == 0
    assert capsys.readouterr().out.count("\n") == 64
