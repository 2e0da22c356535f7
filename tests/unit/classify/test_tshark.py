"""`mcastd classify` against tshark, packet by packet: type, version, group, sources, records, VLAN
tags, and what becomes of the checksums.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from struct import pack
from typing import Any

import pytest
from mcastd.classify.captures import read_capture
from mcastd.classify.lines import as_object
from mcastd.classify.links import decode_link
from mcastd.wire import ReceptionContext
from scapy.layers.inet6 import (
    ICMPv6MLDMultAddrRec,
    ICMPv6MLDone,
    ICMPv6MLQuery,
    ICMPv6MLQuery2,
    ICMPv6MLReport,
    ICMPv6MLReport2,
    IPv6,
    IPv6ExtHdrHopByHop,
    RouterAlert,
)
from support.capture_files import pcap
from support.golden import GOLDEN, golden_messages
from support.packets import ethernet, igmp, ipv4
from support.tshark import TSHARK, dissect

pytestmark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")

CAPTURES = sorted((GOLDEN / "captures").glob("*.pcap*"))

NOT_WHOLE = {"fragment", "too_short", "bad_length"}
"""Reasons for which a packet's contents and checksums are not to be relied on."""


def classified(capture: Path) -> dict[int, dict[str, Any]]:
    context = ReceptionContext(addresses_known=False)
    lines = {}
    with capture.open("rb") as stream:
        for number, packet in enumerate(read_capture(stream), 1):
            decoded = decode_link(packet.link_type, packet.data, context)
            if decoded is not None:
                lines[number] = as_object(number, packet.at, decoded, packet.is_cut_short)
    return lines


def comparable(line: dict[str, Any]) -> dict[str, Any]:
    names = {"protocol", "type", "version", "group", "sources", "records", "vlan"}
    said = {name: value for name, value in line.items() if name in names}
    for listed in [said, *said.get("records", [])]:
        if "sources" in listed:
            listed["sources"] = sorted(listed["sources"])
    return said


def assert_agreement(capture: Path) -> int:
    """Returns how many packets were compared whole."""
    ours, theirs = classified(capture), dissect(capture)
    whole = {number: line for number, line in ours.items() if line["reason"] not in NOT_WHOLE}
    assert whole.keys() <= theirs.keys()
    assert {number for number, each in theirs.items() if not each.malformed} <= ours.keys()
    for number, line in whole.items():
        dissected = theirs[number]
        if line["type"] == "other" or "protocol" not in dissected.said:
            continue  # tshark says little about these, or did not come so far
        checksum_is_good = line["reason"] != "bad_checksum"
        assert all(dissected.checksums) == checksum_is_good, line
        if not (line["reason"] and dissected.malformed):
            assert comparable(line) == dissected.said
            assert not dissected.malformed
    return len(whole)


def written(path: Path, frames: list[bytes]) -> Path:
    path.write_bytes(pcap(*frames, seconds=0, fraction=0))
    return path


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.name)
def test_classify_agrees_with_tshark_on_captures_of_other_implementations(capture: Path) -> None:
    assert assert_agreement(capture) >= 9


def test_classify_agrees_with_tshark_on_packets_put_together_by_hand(tmp_path: Path) -> None:
    frames = [ethernet(golden.packet) for golden in golden_messages()]

    assert assert_agreement(written(tmp_path / "golden.pcap", frames)) == len(frames)


def igmp_packets() -> list[bytes]:
    """Of types, options and sizes that the golden packets have not."""
    group, sources = bytes((239, 9, 9, 9)), [bytes((198, 51, 100, each)) for each in range(1, 40)]
    records = b"".join(
        pack(">BBH", number, 1, number) + group + b"".join(sources[:number]) + b"more"
        for number in range(1, 8)
    )
    query = b"\x11\xb5\0\0" + group + pack(">BBH", 0x8B, 0xA0, 39) + b"".join(sources)
    return [
        ipv4(igmp(query), destination=group),
        ipv4(igmp(query + b"additional"), destination=group, options=bytes((1, 1, 1, 1))),
        ipv4(igmp(b"\x22\0\0\0\0\0\0\7" + records + b"additional"), destination=group),
        ipv4(igmp(b"\x17\0\0\0" + group), destination=group, options=b""),
    ]


def mld_packets() -> list[bytes]:
    """Of scapy."""
    head = IPv6(src="fe80::5", dst="ff02::16", hlim=1) / IPv6ExtHdrHopByHop(options=[RouterAlert()])
    group, sources = "ff15::9", [f"2001:db8::{number}" for number in range(1, 20)]
    records = [
        ICMPv6MLDMultAddrRec(rtype=number, dst=group, sources=sources[:number])
        for number in range(1, 7)
    ]
    packets = [
        head / ICMPv6MLQuery(mladdr=group, mrd=1000),
        head / ICMPv6MLReport(mladdr=group),
        head / ICMPv6MLDone(mladdr=group),
        head / ICMPv6MLQuery2(mladdr=group, sources=sources, mrd=1000, QRV=3, QQIC=60),
        head / ICMPv6MLReport2(records=records),
    ]
    return [bytes(packet) for packet in packets]


def test_classify_agrees_with_tshark_on_packets_of_all_sorts(tmp_path: Path) -> None:
    frames = [ethernet(packet) for packet in (*igmp_packets(), *mld_packets())]

    assert assert_agreement(written(tmp_path / "sorts.pcap", frames)) == len(frames)


@pytest.mark.parametrize("tags", [(5,), (7, 42)], ids=["one tag", "two tags"])
def test_classify_agrees_with_tshark_on_tagged_frames(tmp_path: Path, tags: list[int]) -> None:
    frames = [ethernet(golden.packet, *tags) for golden in golden_messages()]

    assert assert_agreement(written(tmp_path / "tagged.pcap", frames)) == len(frames)


def test_classify_agrees_with_tshark_on_packets_with_bytes_changed(tmp_path: Path) -> None:
    random = Random(9776)
    frames = []
    packets = [golden.packet for golden in golden_messages()]
    packets += [*igmp_packets(), *mld_packets()]
    for packet in packets * 20:
        changed = bytearray(packet)
        changed[random.randrange(len(packet))] = random.randrange(256)
        frames.append(ethernet(bytes(changed)))

    assert assert_agreement(written(tmp_path / "changed.pcap", frames)) > len(frames) // 2
