"""`mcastd classify` as an operator sees it."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from mcastd import wire
from mcastd.cli import classify
from mcastd.gmp.family import IGMP, MLD
from mcastd.gmp.records import GroupRecord, RecordType
from mcastd.native import SourceList
from support import capture_files as files
from support.packets import HOP_BY_HOP, ethernet, icmpv6, igmp, ipv4, ipv6

QUERIER = IGMP.parse("192.0.2.1")
HOST_6 = MLD.parse("fe80::10")
GROUP = IGMP.parse("239.1.2.3")
GROUP_6 = MLD.parse("ff15::abcd")

QUERY = wire.query(IGMP, 3, source=QUERIER, router_alert=False)
BAD_SUM = QUERY[:-1] + b"\1"
REPORT_6 = next(
    wire.report_packets(
        MLD,
        [GroupRecord(RecordType.CHANGE_TO_EXCLUDE_MODE, GROUP_6, MLD.no_sources)],
        HOST_6,
        1500,
    )
)
UDP = ipv4(bytes(8), protocol=17)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return tmp_path / "some.pcap"


def call(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    classify.add_parser(parser.add_subparsers())
    args = parser.parse_args(["classify", *arguments])
    code: int = args.run(args)
    return code


def json_lines(capture: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert call(str(capture), "--json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_query_is_told_with_all_its_fields(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(files.pcap(ethernet(UDP), ethernet(QUERY, 7)))

    assert json_lines(capture, capsys) == [
        {
            "n": 2, "ts": 1700000000.0005, "vlan": [7], "protocol": "igmp", "type": "query",
            "version": 3, "verdict": "accept", "reason": None, "from": "192.0.2.1",
            "to": "224.0.0.1", "group": "0.0.0.0", "sources": [], "max_resp": 10.0, "qrv": 2,
            "qqi": 125, "s": False, "notes": ["no_router_alert"],
        }
    ]  # fmt: skip


def test_a_refused_packet_is_told_with_its_reason_and_what_it_says(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(files.pcap(ethernet(BAD_SUM), ethernet(QUERY[:22])))

    spoilt, cut = json_lines(capture, capsys)
    assert (spoilt["verdict"], spoilt["reason"]) == ("reject", "bad_checksum")
    assert (spoilt["group"], spoilt["max_resp"]) == ("0.0.0.0", 10.0)
    assert (cut["verdict"], cut["reason"], cut["from"]) == ("reject", "too_short", "192.0.2.1")
    assert "group" not in cut


def test_records_are_told_in_the_order_of_the_message(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = b"\0\0\1" + GROUP + QUERIER
    message = igmp(b"\x22\0\0\0\0\0\0\3" + b"".join(bytes((kind,)) + record for kind in (1, 9, 6)))
    packet = ipv4(message, destination=IGMP.all_report_routers)
    capture.write_bytes(files.pcap(ethernet(packet)))

    (line,) = json_lines(capture, capsys)
    one = {"group": "239.1.2.3", "sources": ["192.0.2.1"]}
    assert line["records"] == [
        {"type": "IS_IN", **one}, {"type": "UNKNOWN_9", **one}, {"type": "BLOCK", **one},
    ]  # fmt: skip
    assert line["notes"] == ["unknown_record_type"]


def test_older_messages_are_told_without_what_they_have_not(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packets = [
        wire.query(IGMP, 1, source=QUERIER),
        wire.query(IGMP, 2, source=QUERIER, group=GROUP),
        wire.membership_report(MLD, 1, GROUP_6, HOST_6),
        wire.leave(MLD, GROUP_6, HOST_6),
    ]
    capture.write_bytes(files.pcap(*(ethernet(packet) for packet in packets)))

    oldest, older, report, done = json_lines(capture, capsys)
    assert (oldest["version"], oldest["max_resp"], oldest["notes"]) == (1, 10.0, [])
    assert (older["version"], older["group"], older["qrv"]) == (2, "239.1.2.3", None)
    assert (report["protocol"], report["type"], report["version"]) == ("mld", "report", 1)
    assert (done["type"], done["version"], done["group"]) == ("leave", 1, "ff15::abcd")


def test_a_message_for_routers_is_told_by_its_number(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(files.pcap(ethernet(ipv4(igmp(b"\x13\1\0\0\0\0\0\0")))))

    (line,) = json_lines(capture, capsys)
    assert (line["type"], line["version"], line["code"]) == ("other", None, 0x13)


def test_a_packet_captured_in_part_has_a_note(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(files.pcap(ethernet(QUERY), left_out=2))

    (line,) = json_lines(capture, capsys)
    assert (line["verdict"], line["reason"], line["notes"]) == ("cut", None, ["truncated"])


COOKED = b"\0\0\0\1\0\6" + bytes(8)
COOKED_2 = bytes(18)
LINK_TYPES = [
    (0, b"\2\0\0\0"), (12, b""), (14, b""), (101, b""), (108, b"\0\0\0\2"), (228, b""),
    (113, COOKED + b"\x08\0"), (276, b"\x08\0" + COOKED_2),
    (113, COOKED + b"\x81\0\0\5\x08\0"),
]  # fmt: skip


@pytest.mark.parametrize(("link_type", "header"), LINK_TYPES)
def test_a_packet_is_read_behind_every_link_layer(
    link_type: int, header: bytes, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(files.pcap(header + QUERY, link_type=link_type))

    (line,) = json_lines(capture, capsys)
    assert (line["type"], line["verdict"]) == ("query", "accept")


def test_a_link_type_that_is_not_read_is_an_error_after_the_rest(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(
        files.section()
        + files.interface(link_type=127)
        + files.interface(link_type=1)
        + files.enhanced_packet(QUERY, number=0)
        + files.enhanced_packet(ethernet(QUERY), number=1)
    )

    assert call(str(capture), "--summary") == 2
    output = capsys.readouterr()
    assert json.loads(output.out)["accepted"] == {"igmp query 3": 1}
    assert output.err == (
        f"mcastd classify: {capture}: not read: 1 packet of link type 127; capture on an Ethernet "
        "interface, or on `any`\n"
    )


def test_the_summary_is_one_document(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packets = [QUERY, QUERY, REPORT_6, BAD_SUM, UDP]
    capture.write_bytes(files.pcap(*(ethernet(packet) for packet in packets)))

    assert call(str(capture), "--summary") == 0
    assert json.loads(capsys.readouterr().out) == {
        "packets": 5,
        "other": 1,
        "cut": 0,
        "not_looked_into": {},
        "accepted": {"igmp query 3": 2, "mld report 2": 1},
        "rejected": {"bad_checksum": 1},
    }


CUTTABLE = [QUERY, REPORT_6, wire.query(IGMP, 2, source=QUERIER), wire.query(MLD, 2, source=HOST_6)]


@pytest.mark.parametrize("packet", CUTTABLE, ids=["igmp3", "mld report", "igmp2", "mld"])
def test_a_whole_packet_is_never_refused_for_where_it_was_cut(
    packet: bytes, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the snap length: good, or cut, and nothing else."""
    frame = ethernet(packet)
    capture.write_bytes(files.pcap(frame))
    assert call(str(capture), "--summary") == 0
    assert json.loads(capsys.readouterr().out)["rejected"] == {}
    for left_out in range(1, len(frame) + 1):
        capture.write_bytes(files.pcap(frame, left_out=left_out))
        assert call(str(capture), "--summary") == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["cut"], found["rejected"], found["other"]) == (1, {}, 0), left_out


def test_what_is_too_short_is_so_also_where_something_behind_it_was_cut(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(files.pcap(ethernet(ipv4(b"\x11\0\0\0")) + bytes(20), left_out=4))
    assert call(str(capture), "--summary") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["cut"], found["rejected"]) == (0, {"too_short": 1})


def tagged(packet: bytes, ethertype: int) -> bytes:
    return ethernet(packet)[:12] + ethertype.to_bytes(2) + packet


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (tagged(b"\x11\0\0\1\0\x20\0\x21" + QUERY, 0x8864), "PPPoE"),
        (tagged(bytes(4) + QUERY, 0x8847), "MPLS"),
        (ethernet(ipv4(QUERY, protocol=47)), "GRE"),
        (ethernet(ipv4(QUERY, protocol=4)), "IP in IP"),
        (tagged(b"\0\5\x88\x64" + b"\x11\0\0\1\0\x20\0\x21" + QUERY, 0x8100), "PPPoE"),
    ],
)
def test_what_may_hold_a_packet_is_named_and_not_called_other(
    frame: bytes, name: str, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(files.pcap(frame))
    assert call(str(capture)) == 0
    assert f"0 neither IGMP nor MLD, 1 {name} not looked into" in capsys.readouterr().out


def test_people_get_a_line_for_each_packet(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = SourceList.of([QUERIER], 4)
    specific = wire.query(IGMP, 3, source=QUERIER, group=GROUP, sources=sources, suppress=True)
    other = ipv4(igmp(b"\x13\1\0\0\0\0\0\0"))
    empty = igmp(b"\x22\0\0\0\0\0\0\0")
    older = wire.query(IGMP, 2, source=QUERIER)
    leave = wire.leave(IGMP, GROUP, QUERIER)
    packets = [specific, other, ipv4(empty), older, leave, BAD_SUM, QUERY[:22], REPORT_6]
    capture.write_bytes(files.pcap(*(ethernet(packet) for packet in packets)))

    assert call(str(capture)) == 0
    time = "22:13:20.000500"
    way = "192.0.2.1 > 224.0.0.1"
    assert capsys.readouterr().out.splitlines() == [
        f"     1  {time}  igmpv3 query  192.0.2.1 > 239.1.2.3  239.1.2.3 {{192.0.2.1}}, "
        "answer within 10 s, robustness 2, interval 125 s, S",
        f"     2  {time}  igmp other    {way}  type 0x13",
        f"     3  {time}  igmpv3 report {way}  no records",
        f"     4  {time}  igmpv2 query  {way}  general, answer within 10 s",
        f"     5  {time}  igmpv2 leave  192.0.2.1 > 224.0.0.2  239.1.2.3",
        f"     6  {time}  igmpv3 query  {way}  general, answer within 10 s, robustness 2, "
        "interval 125 s  REJECTED: bad_checksum",
        f"     7  {time}  igmpv3 query  {way}  REJECTED: too_short",
        f"     8  {time}  mldv2 report  fe80::10 > ff02::16  TO_EX ff15::abcd",
        "8 packets: 6 accepted, 2 rejected, 0 neither IGMP nor MLD",
    ]


@pytest.mark.parametrize("ticks", [1 << 40, (1 << 64) - 1])
def test_a_time_that_no_calendar_has_is_left_out(
    ticks: int, capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = files.option("<", 9, b"\0")
    packet = files.enhanced_packet(ethernet(QUERY), time=ticks)
    capture.write_bytes(files.section() + files.interface(options=seconds) + packet)

    assert call(str(capture)) == 0
    assert "igmpv3 query" in capsys.readouterr().out


def test_a_packet_without_a_time_is_told_without_one(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = ethernet(QUERY)
    simple = files.block("<", files.SIMPLE_PACKET, len(frame).to_bytes(4, "little") + frame)
    capture.write_bytes(files.section() + files.interface() + simple)

    (line,) = json_lines(capture, capsys)
    assert line["ts"] is None
    assert call(str(capture)) == 0
    assert capsys.readouterr().out.startswith("     1                   igmpv3 query")


def test_a_file_cut_off_gives_its_whole_packets_then_one_line_of_error(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture.write_bytes(files.pcap(ethernet(QUERY), ethernet(QUERY))[:-1])

    assert call(str(capture), "--json") == 2
    output = capsys.readouterr()
    assert len(output.out.splitlines()) == 1
    assert output.err == f"mcastd classify: {capture}: the file ends in the middle of a packet\n"


def test_a_file_that_is_not_there_is_one_line_of_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(str(tmp_path / "none")) == 2
    assert capsys.readouterr().err.endswith("none: No such file or directory\n")


def test_an_empty_capture_is_no_error(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture.write_bytes(files.pcap())

    assert call(str(capture)) == 0
    assert capsys.readouterr() == ("", "")


class Stream(io.StringIO):
    """A terminal or not."""

    def __init__(self, is_a_terminal: bool) -> None:
        super().__init__()
        self._is_a_terminal = is_a_terminal

    def isatty(self) -> bool:
        return self._is_a_terminal


def test_standard_input_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = io.BytesIO(files.pcap(ethernet(QUERY)))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))

    assert call("-", "--summary") == 0
    assert json.loads(capsys.readouterr().out)["packets"] == 1


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"),
    [(True, "", True), (True, "1", False), (False, "", False)],
)
def test_refused_packets_are_red_on_a_terminal_unless_no_colour_is_wanted(
    terminal: bool,
    no_color: str,
    coloured: bool,
    capture: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    capture.write_bytes(files.pcap(ethernet(BAD_SUM), ethernet(QUERY)))
    output = Stream(terminal)
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setenv("NO_COLOR", no_color)

    assert call(str(capture)) == 0
    refused, accepted, _ = output.getvalue().splitlines()
    assert refused.startswith("\x1b[31m") == coloured
    assert not accepted.startswith("\x1b")


def test_progress_is_told_on_a_terminal_and_wiped_at_the_end(
    capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture.write_bytes(files.pcap(ethernet(QUERY), ethernet(QUERY)))
    errors = Stream(True)
    monkeypatch.setattr(sys, "stderr", errors)
    monkeypatch.setattr(sys, "stdout", Stream(False))
    monkeypatch.setattr(classify, "PROGRESS_EVERY", 0)

    assert call(str(capture), "--json") == 0
    assert errors.getvalue() == "\r1 packet (58 %)\r2 packets (100 %)\r\x1b[K"


def test_a_reader_that_goes_away_ends_it_quietly(
    capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed(Stream):
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def fileno(self) -> int:
            return output

    capture.write_bytes(files.pcap(ethernet(QUERY)))
    with (capture.parent / "output").open("wb") as sink:
        output = sink.fileno()
        monkeypatch.setattr(sys, "stdout", Closed(False))
        assert call(str(capture)) == 0


def test_an_mld_query_from_no_link_local_address_is_refused(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """RFC 9777 §5.1.14."""
    source = MLD.parse("2001:db8::1")
    message = icmpv6(b"\x82\0\0\0\x27\x10" + bytes(18), source, MLD.all_hosts)
    capture.write_bytes(files.pcap(ethernet(ipv6(HOP_BY_HOP + message, source=source))))

    (line,) = json_lines(capture, capsys)
    assert (line["reason"], line["from"], line["max_resp"]) == ("bad_source", "2001:db8::1", 10.0)
