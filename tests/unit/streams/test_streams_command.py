"""`mcastd streams` as an operator sees it."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from mcastd.cli.mcastd import main
from support import capture_files as files
from support.stream_packets import frame, framed, ipv4, ipv6, mold, rtp, sacn, ts_packet, udp

SECOND = 1_700_000_000


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return tmp_path / "some.pcap"


def timed(*packets: tuple[float, bytes], link_type: int = 1, left_out: int = 0) -> bytes:
    """A file of packets that came so many seconds after SECOND."""
    file = files.pcap(link_type=link_type, magic=files.NANOSECONDS)
    for at, packet in packets:
        whole, rest = divmod(round(at * 1_000_000_000), 1_000_000_000)
        there = packet[: len(packet) - left_out]
        file += pack("<IIII", SECOND + whole, rest, len(there), len(packet)) + there
    return file


def lines(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[dict[str, Any]]:
    assert main(["streams", *map(str, arguments), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_stream_is_told_with_all_its_fields(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = [(0.0, 1), (0.5, 2), (1.0, 4), (1.25, 4), (1.5, 5), (1.875, 6), (2.0, 7)]
    capture.write_bytes(timed(*((at, frame(rtp(number), 7)) for at, number in numbers)))

    (line,) = lines(capsys, capture)
    assert line == {
        "interface": None, "vlan": [7], "source": "10.0.0.2", "group": "239.1.1.1", "port": 5004,
        "packets": 7, "bytes": 7 * 47, "first": SECOND, "last": SECOND + 2.0, "rate": 4,
        "bit_rate": 8 * 4 * 47, "longest_gap": 0.5, "gaps": {"128": 1, "256": 2, "512": 3},
        "format": "rtp", "lost": 1, "reordered": 0, "duplicates": 1, "resets": 0, "state": None,
        "joined": None, "wanted": None,
    }  # fmt: skip


def test_a_rate_is_that_of_the_last_second_that_had_ended(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the file's clock, whose last packet may be of any kind; a younger stream has none."""
    capture.write_bytes(
        timed(
            (0.1, frame(rtp(1))),
            (0.2, frame(rtp(2))),
            (1.0, frame(rtp(1), port=6)),
            (1.1, frame(rtp(1), port=8)),
            (2.0, bytes(60)),
        )
    )

    assert [line["rate"] for line in lines(capsys, capture)] == [0, 1, None]


@pytest.mark.parametrize(
    ("name", "payloads", "lost"),
    [
        ("mpegts", [ts_packet(256, 1), ts_packet(256, 2), ts_packet(256, 4)], 1),
        ("rtp+mpegts", [rtp(n, content=ts_packet(256, 0)) for n in (1, 2, 4)], 1),
        ("sacn", [sacn(1), sacn(4)], 2),
        ("none", [b"something", b"else"], None),
    ],
)
def test_a_format_is_guessed(
    capture: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    payloads: list[bytes],
    lost: int | None,
) -> None:
    capture.write_bytes(files.pcap(*(frame(payload) for payload in payloads)))

    (line,) = lines(capsys, capture)
    assert (line["format"], line["lost"]) == (name, lost)
    if name in ("mpegts", "none"):
        assert [line[each] for each in ("reordered", "duplicates", "resets")] == [None] * 3


@pytest.mark.parametrize(
    ("option", "payloads", "lost"),
    [
        ("239.1.1.1:5004=moldudp64", [mold(1, 3), mold(9, 0)], 5),
        ("239.0.0.0/8:*=custom:2,4", [b"ab\0\0\0\1c", b"ab\0\0\0\5c"], 3),
        ("239.1.1.1:5004=custom:0,1,2", [b"\2", b"\4", b"\x0a"], 2),
        ("239.1.1.1:5004=none", [rtp(1), rtp(2), rtp(4)], None),
        ("239.1.1.1:9=none", [rtp(1), rtp(2), rtp(4)], 1),
        ("[ff15::1]:5004=none", [rtp(1), rtp(2), rtp(4)], 1),
    ],
)
def test_a_format_may_be_given(
    capture: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    payloads: list[bytes],
    lost: int | None,
) -> None:
    capture.write_bytes(files.pcap(*(frame(payload) for payload in payloads)))

    (line,) = lines(capsys, capture, "--format", option)
    assert line["lost"] == lost


@pytest.mark.parametrize(
    "option",
    [
        "", "239.1.1.1=rtp", "10.0.0.1:5004=rtp", "239.1.1.1:0=rtp", "239.1.1.1:65536=rtp",
        "239.1.1.1:5004=video", "239.1.1.1:x=rtp", "239.1.1.1:5004=custom", "x:5004=rtp",
        "239.1.1.1:5004=custom:1", "239.1.1.1:5004=custom:1,3", "239.1.1.1:5004=custom:-1,4",
        "239.1.1.1:5004=custom:1,4,0", "239.1.1.1:5004=rtp:1,2", "239.1.1.1:5004=custom:a,b",
    ],
)  # fmt: skip
def test_a_format_that_cannot_be_is_refused(
    capture: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    capture.write_bytes(files.pcap())

    assert main(["streams", str(capture), "--format", option]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("mcastd streams: --format ")


@pytest.mark.parametrize("link_type", [12, 101, 228, 229, 113, 276])
@pytest.mark.parametrize("six", [False, True])
def test_raw_and_cooked_captures_are_read(
    capture: Path, capsys: pytest.CaptureFixture[str], link_type: int, six: bool
) -> None:
    packet = ipv6(udp(rtp(1))) if six else ipv4(udp(rtp(1)))
    kind = b"\x86\xdd" if six else b"\x08\0"
    head = {113: bytes(14) + kind, 276: kind + bytes(18)}.get(link_type, b"")
    capture.write_bytes(files.pcap(head + packet, link_type=link_type))

    (line,) = lines(capsys, capture)
    assert line["bytes"] == len(packet)


def test_any_other_link_type_is_said_to_be_unreadable(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(files.pcap(bytes(60), link_type=105))

    assert main(["streams", str(capture), "--json"]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "link type 105" in said.err


def test_of_a_file_that_is_cut_the_beginning_is_told(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = files.pcap(*(frame(rtp(n)) for n in range(5)))
    for end in range(len(whole) - 1, 24, -7):
        capture.write_bytes(whole[:end])
        packets = (end - 24) // (len(whole) // 5 - 4)
        is_cut = (end - 24) % ((len(whole) - 24) // 5) != 0
        assert main(["streams", str(capture), "--json"]) == (2 if is_cut else 0)
        said = capsys.readouterr()
        assert said.err.count("\n") == is_cut
        told = [json.loads(line)["packets"] for line in said.out.splitlines()]
        assert told == ([packets] if packets else [])


def test_a_stream_of_two_interfaces_is_two(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def described(name: bytes) -> bytes:
        return files.interface(options=files.option("<", 2, name))

    capture.write_bytes(
        files.section()
        + described(b"eth0")
        + described(b"eth1")
        + files.enhanced_packet(frame(rtp(1)), number=0)
        + files.enhanced_packet(frame(rtp(2)), number=1)
        + files.enhanced_packet(frame(rtp(3)), number=0)
    )

    told = [(line["interface"], line["packets"]) for line in lines(capsys, capture)]
    assert told == [("eth0", 2), ("eth1", 1)]


def test_packets_without_a_time_are_counted(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packet = frame(rtp(1))
    simple = files.block("<", files.SIMPLE_PACKET, pack("<I", len(packet)) + packet)
    capture.write_bytes(files.section() + files.interface() + simple + simple)

    (line,) = lines(capsys, capture)
    assert line["packets"] == 2
    assert [line[each] for each in ("first", "last", "rate", "bit_rate")] == [None] * 4


def test_later_fragments_and_streams_without_room_are_in_the_summary(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    later = framed(ipv4(bytes(100), bits=1))
    sources = (framed(ipv4(udp(b""), source=f"10.0.{n >> 8}.{n & 255}")) for n in range(4096 + 3))
    capture.write_bytes(files.pcap(later, *sources, later))

    assert main(["streams", str(capture), "--summary"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"packets": 4096, "streams": 4096, "fragments": 2, "untracked": 3}


def test_a_capture_is_taken_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = io.BytesIO(files.pcap(frame(rtp(1))))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))

    assert len(lines(capsys, "-")) == 1


def test_people_get_a_table(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packets = [*(frame(rtp(n), 7) for n in (1, 2, 5)), framed(ipv6(udp(b"x")))]
    capture.write_bytes(files.pcap(*packets))

    assert main(["streams", str(capture)]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "VLAN"
    assert first.split()[:5] == ["7", "10.0.0.2", "239.1.1.1:5004", "rtp", "3"]
    assert second.split()[:5] == ["-", "fe80::2", "[ff15::1:1]:5004", "none", "1"]


def test_a_file_without_a_stream_says_so(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture.write_bytes(files.pcap(bytes(60)))

    assert main(["streams", str(capture)]) == 0
    assert capsys.readouterr().out == "no multicast stream\n"
