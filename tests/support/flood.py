"""Frames of every kind and every reason to refuse one, each with what it counts as."""

from __future__ import annotations

from ipaddress import ip_address
from struct import pack
from typing import NamedTuple

from support.packets import HOP_BY_HOP, ethernet, icmpv6, igmp, ipv4, ipv6

NOTHING = ""
"""Counted nowhere."""


class Flooding(NamedTuple):
    """`counts_as`: a kind such as "igmp query 3", or a protocol and a reason, or nothing.

    `is_query`: handed over, be it good or not.
    """

    counts_as: str
    frame: bytes
    is_query: bool = False


def four(text: str) -> bytes:
    return ip_address(text).packed


GROUP, ALL_HOSTS, ALL_ROUTERS, REPORTS = map(
    four, ("239.1.2.3", "224.0.0.1", "224.0.0.2", "224.0.0.22")
)
ROUTER, OTHER_HOST = four("192.0.2.1"), four("192.0.2.77")
GROUP_6, ALL_NODES, ALL_ROUTERS_6, REPORTS_6 = map(
    four, ("ff15::db8:3", "ff02::1", "ff02::2", "ff02::16")
)
ROUTER_6, OTHER_HOST_6 = four("fe80::1"), four("fe80::77")
NO_OPTIONS = b""


def igmp_head(type_: int, code: int = 0, group: bytes = bytes(4)) -> bytes:
    return bytes((type_, code, 0, 0)) + group


def query_tail(*sources: bytes, said: int | None = None) -> bytes:
    return pack(">BBH", 2, 125, len(sources) if said is None else said) + b"".join(sources)


def record(kind: int, group: bytes, *sources: bytes) -> bytes:
    return pack(">BBH", kind, 0, len(sources)) + group + b"".join(sources)


def report_head(type_: int, records: int) -> bytes:
    return pack(">BBHHH", type_, 0, 0, 0, records)


QUERY_3 = igmp_head(0x11, 100) + query_tail()
REPORT_3 = report_head(0x22, 2) + record(4, GROUP) + record(1, four("232.1.1.1"), ROUTER)


def igmp_frames(own: bytes) -> list[Flooding]:
    """`own`: an address of the interface that they come to."""

    def made(
        counts_as: str, message: bytes, *tags: int, query: bool = False, **ip: object
    ) -> Flooding:
        packet = ipv4(igmp(message), **ip)  # type: ignore[arg-type]
        return Flooding(counts_as, ethernet(packet, *tags), query)

    def raw(counts_as: str, packet: bytes, *, query: bool = False) -> Flooding:
        return Flooding(counts_as, ethernet(packet), query)

    general = ipv4(igmp(QUERY_3))
    version_2 = igmp_head(0x16, 0, GROUP)
    return [
        made("igmp query 1", igmp_head(0x11), query=True, options=NO_OPTIONS),
        made("igmp query 2", igmp_head(0x11, 100), query=True),
        made("igmp query 2", igmp_head(0x11, 10, GROUP), query=True, destination=GROUP),
        made("igmp query 3", QUERY_3, query=True),
        made("igmp query 3", QUERY_3, 7, query=True),
        made("igmp query 3", QUERY_3, 7, 9, query=True),
        made(
            "igmp query 3", igmp_head(0x11, 10, GROUP) + query_tail(ROUTER, OTHER_HOST),
            query=True, destination=GROUP,
        ),
        made("igmp report 1", igmp_head(0x12, 0, GROUP), destination=GROUP, source=OTHER_HOST),
        made("igmp report 2", version_2, destination=GROUP, source=OTHER_HOST),
        made("igmp report 3", REPORT_3, destination=REPORTS, source=OTHER_HOST),
        made("igmp report 3", REPORT_3, 4095, destination=REPORTS, source=OTHER_HOST),
        made(
            "igmp report 3", report_head(0x22, 1) + record(1, GROUP, *(four("10.0.0.1"),) * 360),
            destination=REPORTS, source=OTHER_HOST,
        ),
        made("igmp leave 2", igmp_head(0x17, 0, GROUP), destination=ALL_ROUTERS, source=OTHER_HOST),
        made("igmp other", igmp_head(0x13) + bytes(8), destination=GROUP),
        raw("igmp fragment", ipv4(igmp(QUERY_3), fragment=0x2000)),
        raw("igmp too_short", ipv4(igmp(igmp_head(0x11, 100) + b"\0\0")), query=True),
        raw("igmp bad_length", general[:2] + b"\1\0" + general[4:], query=True),
        raw("igmp bad_checksum", general[:-1] + b"\1", query=True),
        made("igmp bad_ttl", QUERY_3, query=True, ttl=64),
        made("igmp no_router_alert", QUERY_3, query=True, options=NO_OPTIONS),
        made("igmp bad_source", QUERY_3, query=True, source=four("127.0.0.1")),
        made("igmp bad_destination", QUERY_3, query=True, destination=four("203.0.113.9")),
        made(
            "igmp bad_group", igmp_head(0x16, 0, four("10.1.1.1")),
            destination=GROUP, source=OTHER_HOST,
        ),
        made(
            "igmp bad_source_count", igmp_head(0x11, 10, GROUP) + query_tail(ROUTER, said=2),
            query=True, destination=GROUP,
        ),
        made("igmp unknown_type", igmp_head(0x77) + bytes(8), destination=GROUP),
        made("igmp loopback", version_2, destination=GROUP, source=own),
    ]  # fmt: skip


def mld_head(type_: int, code: int = 0, group: bytes = bytes(16)) -> bytes:
    return pack(">BBHHH", type_, 0, 0, code, 0) + group


MLD_QUERY_2 = mld_head(130, 1000) + query_tail()
MLD_REPORT_2 = report_head(143, 2) + record(4, GROUP_6) + record(1, four("ff3e::1"), ROUTER_6)


def mld_frames(own: bytes) -> list[Flooding]:
    """`own`: a link-local address of the interface that they come to."""

    def packet_of(
        message: bytes, *, source: bytes = ROUTER_6, destination: bytes = ALL_NODES,
        hop_limit: int = 1, headers: bytes = HOP_BY_HOP, first: int = 0,
    ) -> bytes:  # fmt: skip
        body = headers + icmpv6(message, source, destination)
        return ipv6(
            body, source=source, destination=destination, next_header=first, hop_limit=hop_limit
        )

    def made(
        counts_as: str, message: bytes, *tags: int, query: bool = False, **ip: object
    ) -> Flooding:
        packet = packet_of(message, **ip)  # type: ignore[arg-type]
        return Flooding(counts_as, ethernet(packet, *tags), query)

    def raw(counts_as: str, packet: bytes, *, query: bool = False) -> Flooding:
        return Flooding(counts_as, ethernet(packet), query)

    general = packet_of(MLD_QUERY_2)
    version_1 = mld_head(131, 0, GROUP_6)
    fragment = b"\x2c" + HOP_BY_HOP[1:] + b"\x3a\0\0\1\0\0\0\7"
    long_chain = b"\x3c" + HOP_BY_HOP[1:] + b"\x3a\0\1\4\0\0\0\0"
    return [
        made("mld query 1", mld_head(130, 1000), query=True),
        made("mld query 1", mld_head(130, 1000, GROUP_6), query=True, destination=GROUP_6),
        made("mld query 2", MLD_QUERY_2, query=True),
        made("mld query 2", MLD_QUERY_2, 7, query=True),
        made("mld query 2", MLD_QUERY_2, 7, 9, query=True),
        made("mld query 2", MLD_QUERY_2, query=True, headers=long_chain),
        made(
            "mld query 2", mld_head(130, 1000, GROUP_6) + query_tail(ROUTER_6),
            query=True, destination=GROUP_6,
        ),
        made("mld report 1", version_1, destination=GROUP_6, source=OTHER_HOST_6),
        made("mld report 2", MLD_REPORT_2, destination=REPORTS_6, source=OTHER_HOST_6),
        made(
            "mld report 2", report_head(143, 1) + record(1, GROUP_6, *(ROUTER_6,) * 88),
            destination=REPORTS_6, source=OTHER_HOST_6,
        ),
        made(
            "mld leave 1", mld_head(132, 0, GROUP_6),
            destination=ALL_ROUTERS_6, source=OTHER_HOST_6,
        ),
        made("mld fragment", MLD_QUERY_2, query=True, headers=fragment),
        made("mld too_short", mld_head(130, 1000) + b"\0\0", query=True),
        raw("mld bad_length", general[:4] + b"\1\0" + general[6:], query=True),
        raw("mld bad_checksum", general[:-1] + b"\1", query=True),
        made("mld bad_ttl", MLD_QUERY_2, query=True, hop_limit=64),
        made("mld no_router_alert", MLD_QUERY_2, query=True, headers=b"", first=58),
        made("mld bad_source", MLD_QUERY_2, query=True, source=four("2001:db8::1")),
        made("mld bad_destination", MLD_QUERY_2, query=True, destination=four("ff15::7")),
        made(
            "mld bad_group", mld_head(131, 0, four("fe80::9")),
            destination=GROUP_6, source=OTHER_HOST_6,
        ),
        made(
            "mld bad_source_count", mld_head(130, 1000, GROUP_6) + query_tail(ROUTER_6, said=2),
            query=True, destination=GROUP_6,
        ),
        made("mld loopback", version_1, destination=GROUP_6, source=own),
    ]  # fmt: skip


def other_frames() -> list[Flooding]:
    """None of our business."""

    def udp(size: int) -> bytes:
        return pack(">HHHH", 5000, 5001, 8 + size, 0) + bytes(size)

    def made(packet: bytes, *tags: int) -> Flooding:
        return Flooding(NOTHING, ethernet(packet, *tags))

    usual = {"destination": GROUP, "protocol": 17, "options": NO_OPTIONS}
    echo = icmpv6(pack(">BBHI", 128, 0, 0, 1), OTHER_HOST_6, ALL_NODES)
    return [
        made(ipv4(udp(18), **usual)),  # type: ignore[arg-type]
        made(ipv4(udp(1400), **usual)),  # type: ignore[arg-type]
        made(ipv4(udp(18), **usual), 7),  # type: ignore[arg-type]
        made(ipv6(udp(18), destination=GROUP_6, next_header=17)),
        made(ipv6(echo, source=OTHER_HOST_6, next_header=58)),
        Flooding(NOTHING, bytes.fromhex("ffffffffffff0200000000010806") + bytes(46)),
        Flooding(NOTHING, bytes.fromhex("01005e0000010200000000010800")),
        Flooding(NOTHING, bytes.fromhex("3333000000010200000000010600") + bytes(50)),
    ]


def all_frames(own: bytes, own_6: bytes) -> list[Flooding]:
    return igmp_frames(own) + mld_frames(own_6) + other_frames()
