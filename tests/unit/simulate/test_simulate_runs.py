"""What a run prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from mcastd.simulate.scenario import Receive
from support.scenarios import lines, scenario

JOIN = "- {at: 0, listen: {app: a, group: 239.1.2.3, mode: exclude, sources: []}}"


def printed(*steps: str, more: str = "", family: str = "igmp") -> list[dict[str, Any]]:
    listed = "\n  ".join(steps)
    text = (
        f"family: {family}\n{more}\nsteps:\n  {listed}\n" if steps else f"family: {family}\n{more}"
    )
    return [json.loads(line.to_json()) for line in lines(text)]


def times(*steps: str, more: str = "", family: str = "igmp") -> list[float]:
    return [line["at"] for line in printed(*steps, more=more, family=family) if "send" in line]


def test_a_report_of_records_is_printed_with_its_packet() -> None:
    first, *_ = printed(JOIN, more="until: 0")
    packet = first.pop("packet")
    assert first == {
        "at": 0.0,
        "send": {
            "message": "report",
            "version": 3,
            "from": "192.0.2.10",
            "to": "224.0.0.22",
            "records": [{"type": "TO_EX", "group": "239.1.2.3", "sources": []}],
        },
    }
    assert bytes.fromhex(packet)[-8:] == bytes.fromhex("04000000ef010203")


def test_the_keys_of_a_line_are_in_the_order_of_the_format() -> None:
    (line, *_) = lines(f"family: igmp\nuntil: 0\nsteps:\n  {JOIN}\n")
    assert line.to_json().startswith(
        '{"at": 0.0, "send": {"message": "report", "version": 3, "from": "192.0.2.10", '
        '"to": "224.0.0.22", "records": [{"type": "TO_EX", "group": "239.1.2.3", "sources": []}]}, '
        '"packet": "46'
    )


@pytest.mark.parametrize(
    ("family", "group", "message", "routers"),
    [("igmp", "239.1.2.3", "leave", "224.0.0.2"), ("mld", "ff15::abcd", "done", "ff02::2")],
)
def test_older_messages_are_printed_with_their_group(
    family: str, group: str, message: str, routers: str
) -> None:
    older = {"igmp": 2, "mld": 1}[family]
    report, _, leave, _ = printed(
        f"- {{at: 0, listen: {{app: a, group: '{group}', mode: exclude, sources: []}}}}",
        f"- {{at: 20, listen: {{app: a, group: '{group}', mode: include, sources: []}}}}",
        more=f"config: {{{family}_max_version: {older}}}\nuntil: 20",
        family=family,
    )
    assert report["send"]["message"] == "report"
    assert (report["send"]["to"], report["send"]["group"]) == (group, group)
    assert leave["send"] == {
        "message": message,
        "version": older,
        "from": report["send"]["from"],
        "to": routers,
        "group": group,
    }


def test_records_and_sources_are_printed_ascending() -> None:
    line = printed(
        "- {at: 0, listen: {group: 239.1.2.3, mode: include, sources: [198.51.100.9, 9.9.9.9]}}",
        "- {at: 10, listen: {group: 239.1.2.3, mode: include, sources: [198.51.100.10]}}",
        more="until: 10",
    )[2]
    allow, block = line["send"]["records"]
    assert (allow["type"], block["type"]) == ("ALLOW", "BLOCK")
    assert block["sources"] == ["9.9.9.9", "198.51.100.9"]


def test_a_change_of_version_is_printed() -> None:
    found = printed("- {at: 7, receive: {message: query, version: 2}}", more="until: 8")
    assert found[0] == {"at": 7.0, "mode": 2}


def test_a_packet_that_is_refused_is_printed_with_the_reason() -> None:
    found = printed("- {at: 7, receive: {message: query, version: 3, ttl: 2}}", more="until: 8")
    assert found[0] == {"at": 7.0, "reject": {"reason": "bad_ttl"}}


def test_a_request_that_is_refused_is_printed_with_its_step_and_errno() -> None:
    found = printed(
        JOIN, "- {at: 0, listen: {group: 10.0.0.1, mode: exclude, sources: []}}", more="until: 0"
    )
    error = found[1]["error"]
    assert (error["step"], error["code"]) == (2, "EINVAL")
    assert error["text"]


def test_a_packet_that_is_neither_igmp_nor_mld_is_nothing() -> None:
    udp = "4500 001c 0000 0000 4011 f96b c000 0201 ef01 0203 0000 0000 0008 0000"
    assert [*printed(f"- {{at: 1, receive: {{packet: '{udp}'}}}}", more="until: 2")[0]] == [
        "at",
        "end",
    ]


def test_a_packet_of_the_other_family_is_nothing() -> None:
    igmp = "4500 001c 0000 0000 0102 17de c000 0201 e000 0001 1100 eeff 0000 0000"
    found = printed(f"- {{at: 1, receive: {{packet: '{igmp}'}}}}", more="until: 2", family="mld")
    assert [[*line] for line in found] == [["at", "end"]]


def test_the_last_line_is_the_state_at_the_end() -> None:
    *_, last = printed(JOIN, more="until: 60")
    end: Mapping[str, Any] = last["end"]
    assert last["at"] == 60.0
    assert list(end) == ["mode", "robustness", "query_interval", "groups", "counters"]
    assert (end["mode"], end["robustness"], end["query_interval"]) == (3, 2, 125.0)
    assert end["groups"] == {"239.1.2.3": {"mode": "exclude", "sources": []}}
    assert end["counters"]["igps_snd_reports"] == 2


def test_without_until_the_run_ends_when_nothing_is_pending() -> None:
    *_, last = printed("- {at: 5, receive: {message: query, version: 2}}")
    assert (last["at"], last["end"]["mode"]) == (355.0, 3)


def test_a_scenario_without_steps_ends_at_once() -> None:
    assert [line["at"] for line in printed()] == [0.0]


def test_timers_due_at_the_end_still_fire() -> None:
    assert times(JOIN, more="until: 1") == [0.0, 1.0]
    assert times(JOIN, more="until: 0.999") == [0.0]


def test_times_are_rounded_to_the_millisecond() -> None:
    assert times(JOIN, more="delay: 0.12345\nuntil: 1") == [0.0, 0.123]


@pytest.mark.parametrize(
    ("delay", "expected"),
    [
        ("max", [0.0, 1.0, 2.0, 3.0]),
        ("half", [0.0, 0.5, 1.0, 1.5]),
        ("min", [0.0, 0.001, 0.002, 0.003]),
        ("0.25", [0.0, 0.25, 0.5, 0.75]),
        ("1", [0.0, 1.0, 2.0, 3.0]),
        ("[0.5, 0.25]", [0.0, 0.5, 0.75, 1.0]),
        ("[0.1, 0.2, 0.3, 0.4]", [0.0, 0.1, 0.3, 0.6]),
    ],
)
def test_delays_are_those_that_the_scenario_writes(delay: str, expected: list[float]) -> None:
    assert times(JOIN, more=f"config: {{robustness: 4}}\ndelay: {delay}\nuntil: 60") == expected


def test_the_same_seed_gives_the_same_delays() -> None:
    runs = [
        times(JOIN, more=f"config: {{robustness: 7}}\ndelay: {{seed: {seed}}}")
        for seed in (7, 7, 8)
    ]
    assert runs[0] == runs[1] != runs[2]


def test_steps_of_the_same_time_happen_in_the_order_written() -> None:
    found = printed(
        JOIN,
        "- {at: 0, listen: {app: a, group: 239.1.2.3, mode: include, sources: []}}",
        more="until: 0",
    )
    assert [line["send"]["records"][0]["type"] for line in found[:2]] == ["TO_EX", "TO_IN"]


def test_a_host_without_an_address_sends_from_the_unspecified_one() -> None:
    first, *_ = printed(JOIN, more="interface: {addresses: []}\nuntil: 0")
    assert first["send"]["from"] == "0.0.0.0"


def test_the_earliest_address_stays_the_source() -> None:
    found = printed(
        JOIN,
        "- {at: 0.5, address: {add: 192.0.2.5/24}}",
        "- {at: 2, receive: {message: query, version: 3, max_resp: 1}}",
        "- {at: 4, address: {remove: 192.0.2.10/24}}",
        "- {at: 5, receive: {message: query, version: 3, max_resp: 1}}",
        more="until: 9",
    )
    assert [line["send"]["from"] for line in found[:-1]] == ["192.0.2.10"] * 3 + ["192.0.2.5"]


def test_nothing_is_heard_while_the_link_is_down() -> None:
    found = printed(
        "- {at: 0, link: down}", "- {at: 1, receive: {message: query, version: 2}}", more="until: 9"
    )
    assert found[-1]["end"]["mode"] == 3
    assert found[-1]["end"]["counters"]["igps_rcv_total"] == 0


def test_below_the_smallest_mtu_nothing_is_sent_and_that_is_counted() -> None:
    *sent, last = printed(JOIN, more="interface: {mtu: 67}\nuntil: 9")
    assert sent == []
    assert last["end"]["counters"]["igps_snd_errors"] == 2


def test_a_query_is_what_the_rfcs_say_unless_told_otherwise() -> None:
    """The golden packets of MF-12, built from the fields alone."""
    golden = {
        "{message: query, version: 1}": "4500001c 00004000 0102d7dd c0000201 e0000001"
        "1100eeff 00000000",
        "{message: query, version: 2}": "46c00020 00004000 01024215 c0000201 e0000001 94040000"
        "1164ee9b 00000000",
        "{message: query, version: 2, group: 239.1.2.3, max_resp: 1}": "46c00020 00004000 01023112"
        "c0000201 ef010203 94040000 110afdf0 ef010203",
        "{message: query, version: 3}": "46c00024 00004000 01024211 c0000201 e0000001 94040000"
        "1164ec1e 00000000 027d0000",
    }
    for asked, expected in golden.items():
        asking = scenario(f"family: igmp\nsteps:\n  - {{at: 0, receive: {asked}}}\n")
        action = asking.steps[0].action
        assert isinstance(action, Receive)
        assert without_header_choices(action.packet) == without_header_choices(
            bytes.fromhex(expected)
        )


def without_header_choices(packet: bytes) -> bytes:
    """Type of service, identification, Don't Fragment and checksum are the sender's own choice."""
    return packet[:1] + packet[2:4] + packet[8:10] + packet[12:]
