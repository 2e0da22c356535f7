"""What a host sends, byte for byte: the golden vectors of MF-12.

They leave two things of the IPv4 header open: the identification and Don't Fragment (MF-07). Both
are taken out, with the header checksum, which is looked at by itself.
"""

from __future__ import annotations

import pytest
from mcastd.native import checksum
from support.scenarios import lines

IGMP = """
family: igmp
{more}
delay: max
until: {until}
steps:
  - {{at: 0, listen: {{app: a, group: 239.1.2.3, mode: {mode}, sources: [{sources}]}}}}
  {steps}
"""

MLD = """
family: mld
{more}
delay: max
until: {until}
steps:
  - {{at: 0, listen: {{app: a, group: '{group}', mode: exclude, sources: []}}}}
  {steps}
"""


def igmp(more: str = "", until: float = 0, steps: str = "", **of: str) -> bytes:
    given = {"mode": "exclude", "sources": ""} | of
    return last_packet(IGMP.format(more=more, until=until, steps=steps, **given))


def mld(more: str = "", until: float = 0, steps: str = "", group: str = "ff15::abcd") -> bytes:
    return last_packet(MLD.format(more=more, until=until, steps=steps, group=group))


def last_packet(scenario: str) -> bytes:
    *_, packet = (line.packet for line in lines(scenario) if line.packet)
    return packet


def at(time: float, mode: str, sources: str = "", group: str = "239.1.2.3") -> str:
    asked = f"{{app: a, group: '{group}', mode: {mode}, sources: [{sources}]}}"
    return f"- {{at: {time}, listen: {asked}}}"


def hexadecimal(text: str) -> bytes:
    return bytes.fromhex("".join(text.split()))


def without_what_is_open(packet: bytes) -> bytes:
    assert checksum(packet[: (packet[0] & 0x0F) * 4]) == 0
    return packet[:4] + b"id" + bytes([packet[6] & 0xBF]) + packet[7:10] + b"ck" + packet[12:]


IGMP_PACKETS = {
    "version 1 report": (
        "46c0 0020 0000 0000 0102 7109 c000 020a ef01 0203 9404 0000 1200 fcfa ef01 0203",
        igmp("config: {igmp_max_version: 1}"),
    ),
    "version 2 report": (
        "46c0 0020 0000 0000 0102 7109 c000 020a ef01 0203 9404 0000 1600 f8fa ef01 0203",
        igmp("config: {igmp_max_version: 2}"),
    ),
    "version 2 leave": (
        "46c0 0020 0000 0000 0102 820b c000 020a e000 0002 9404 0000 1700 f7fa ef01 0203",
        igmp("config: {igmp_max_version: 2}", 5, at(5, "include")),
    ),
    "version 3 TO_EX": (
        "46c0 0028 0000 0000 0102 81ef c000 020a e000 0016 9404 0000 2200 e8f9 0000 0001"
        "0400 0000 ef01 0203",
        igmp(),
    ),
    "version 3 ALLOW and BLOCK": (
        "46c0 0038 0000 0000 0102 81df c000 020a e000 0016 9404 0000 2200 9c86 0000 0002"
        "0500 0001 ef01 0203 c633 6401 0600 0001 ef01 0203 c633 6402",
        igmp(
            until=5, steps=at(5, "include", "198.51.100.1"), mode="include", sources="198.51.100.2"
        ),
    ),
}

HOST, ALL_ROUTERS = "fe800000 00000000 00000000 00000010", "ff020000 00000000 00000000 00000002"
REPORT_ROUTERS = "ff020000 00000000 00000000 00000016"
GROUP = "ff150000 00000000 00000000 0000abcd"
SOLICITED = "ff020000 00000000 00000001 ff000010"
HOP_BY_HOP = "3a00 0502 0000 0100"

MLD_PACKETS = {
    "version 1 report": (
        f"6000 0000 0020 0001 {HOST} {GROUP} {HOP_BY_HOP} 8300 2855 0000 0000 {GROUP}",
        mld("config: {mld_max_version: 1}"),
    ),
    "version 1 done": (
        f"6000 0000 0020 0001 {HOST} {ALL_ROUTERS} {HOP_BY_HOP} 8400 d333 0000 0000 {GROUP}",
        mld("config: {mld_max_version: 1}", 5, at(5, "include", group="ff15::abcd")),
    ),
    "version 2 TO_EX": (
        f"6000 0000 0024 0001 {HOST} {REPORT_ROUTERS} {HOP_BY_HOP} 8f00 c41a 0000 0001"
        f"0400 0000 {GROUP}",
        mld(),
    ),
    "version 2 TO_EX without an address": (
        f"6000 0000 0024 0001 {'0' * 32} {REPORT_ROUTERS} {HOP_BY_HOP} 8f00 6f7a 0000 0001"
        f"0400 0000 {SOLICITED}",
        mld("interface: {addresses: []}", group="ff02::1:ff00:10"),
    ),
}


@pytest.mark.requirement("MF-01", "MF-03", "MF-07", "MF-09", "MF-10", "MF-11", "MF-12")
@pytest.mark.parametrize("name", IGMP_PACKETS)
def test_igmp_packets_are_the_golden_ones(name: str) -> None:
    golden, sent = IGMP_PACKETS[name]
    assert without_what_is_open(sent) == without_what_is_open(hexadecimal(golden))


@pytest.mark.requirement("MF-04", "MF-06", "MF-08", "MF-09", "MF-10", "MF-11", "MF-12")
@pytest.mark.parametrize("name", MLD_PACKETS)
def test_mld_packets_are_the_golden_ones(name: str) -> None:
    golden, sent = MLD_PACKETS[name]
    assert sent == hexadecimal(golden)
