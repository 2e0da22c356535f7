"""Frames for property tests: of every kind, then spoilt in every way that a header can be."""

from __future__ import annotations

from ipaddress import ip_address
from struct import pack
from typing import TypeVar

from hypothesis import strategies as st

from support.packets import ethernet, icmpv6, igmp, internet_checksum, ipv6

T = TypeVar("T")

IPV4_SOURCES = ["192.0.2.1", "0.0.0.0", "127.0.0.1", "224.0.0.9", "255.255.255.255", "10.0.0.255"]
IPV4_DESTINATIONS = [
    "224.0.0.1", "224.0.0.2", "224.0.0.22", "239.1.2.3", "239.1.2.4", "192.0.2.10",
    "255.255.255.255", "192.0.2.255", "0.0.0.0",
]  # fmt: skip
IPV4_GROUPS = ["0.0.0.0", "239.1.2.3", "239.1.2.4", "224.0.0.1", "10.1.1.1", "240.0.0.1"]
IPV6_SOURCES = ["fe80::1", "::", "2001:db8::1", "febf::1", "fec0::1", "ff02::1", "::1"]
IPV6_DESTINATIONS = [
    "ff02::1", "ff02::2", "ff02::16", "ff15::abcd", "ff15::abce", "fe80::10", "2001:db8::10", "::",
]  # fmt: skip
IPV6_GROUPS = ["::", "ff15::abcd", "ff15::abce", "ff02::1", "fe80::1"]


def mostly(usual: T, *unusual: T) -> st.SearchStrategy[T]:
    """Half of the time the first."""
    return st.one_of(st.just(usual), st.sampled_from(unusual))


def usually(
    strategy: st.SearchStrategy[bytes], other: st.SearchStrategy[bytes]
) -> st.SearchStrategy[bytes]:
    return st.integers(0, 4).flatmap(lambda chance: other if chance == 0 else strategy)


def one_address(texts: list[str]) -> st.SearchStrategy[bytes]:
    """Half of the time the first, which is good in most messages."""
    return mostly(*(ip_address(text).packed for text in texts))


@st.composite
def query_tails(draw: st.DrawFn, width: int) -> bytes:
    """Flags, QQIC, Number of Sources and sources, perhaps of another number."""
    there = draw(st.integers(0, 3))
    said = draw(mostly(there, there + 1, 0, 0xFFFF))
    sources = b"".join(bytes(width - 1) + bytes((number + 1,)) for number in range(there))
    additional = draw(mostly(b"", b"\1\2\3\4\5"))
    return pack(">BBH", draw(st.integers(0, 255)), 125, said) + sources + additional


@st.composite
def igmp_messages(draw: st.DrawFn) -> bytes:
    type_ = draw(
        st.sampled_from([0x11] * 5 + [0x12, 0x16, 0x17, 0x22, 0x13, 0x14, 0x1E, 0x31, 0x40, 0])
    )
    code = draw(st.sampled_from([0, 0, 1, 100, 255]))
    group = draw(one_address(draw(st.permutations(IPV4_GROUPS))))
    tail = draw(st.one_of(st.just(b""), query_tails(4), st.binary(max_size=30)))
    return igmp(bytes((type_, code, 0, 0)) + group + tail)


ROUTER_ALERT_4 = bytes((0x94, 4, 0, 0))
IPV4_OPTIONS = [
    ROUTER_ALERT_4,
    b"",
    ROUTER_ALERT_4 + ROUTER_ALERT_4,
    bytes((0x94, 4, 0, 1)),
    bytes((0x94, 3, 0, 0)),
    bytes((0x94, 2, 1, 1)),
    bytes((1, 1, 1, 1)) + ROUTER_ALERT_4,
    bytes((0, 9, 9, 9)) + ROUTER_ALERT_4,
    bytes((7, 1, 0, 0)),
    bytes((7, 0, 0, 0)),
    bytes((7, 8, 0, 0)),
    bytes((1, 1, 1, 0x94)),
    bytes((1,)) * 16,
    bytes((1,)) * 20,
    bytes((1,)) * 36 + ROUTER_ALERT_4,
    bytes((7, 39)) + bytes(37) + b"\1",
]


@st.composite
def igmp_packets(draw: st.DrawFn) -> bytes:
    options = draw(st.one_of(st.sampled_from(IPV4_OPTIONS[:2]), st.sampled_from(IPV4_OPTIONS)))
    message = draw(usually(igmp_messages(), st.binary(max_size=40)))
    destination = draw(one_address(draw(st.permutations(IPV4_DESTINATIONS))))
    words = 5 + len(options) // 4
    length = 4 * words + len(message)
    head = pack(
        ">BBHHHBBH",
        draw(mostly(0x40 | words, 0x44, 0x45, 0x46, 0x4F, 0x50 | words)),
        0,
        draw(mostly(length, length - 1, length + 1, length - 8, 4 * words, 19, 0, 0xFFFF)),
        0,
        draw(mostly(0, 0x4000, 0x4000, 0x4000, 0x2000, 0x0001, 0x8000)),
        draw(mostly(1, 0, 2, 255)),
        draw(mostly(2, 2, 2, 2, 17)),
        0,
    )  # fmt: skip
    head += draw(one_address(IPV4_SOURCES)) + destination + options
    summed = 4 * (head[0] & 0x0F)
    total = internet_checksum((head + message)[:summed])
    return head[:10] + total.to_bytes(2) + head[12:] + message


@st.composite
def mld_messages(draw: st.DrawFn, source: bytes, destination: bytes) -> bytes:
    type_ = draw(st.sampled_from([130] * 4 + [131, 132, 143, 128, 135, 0]))
    group = draw(one_address(draw(st.permutations(IPV6_GROUPS))))
    tail = draw(st.one_of(st.just(b""), query_tails(16), st.binary(max_size=30)))
    head = bytes((type_, 0, 0, 0)) + draw(st.sampled_from([b"\0\0", b"\x27\x10"])) + b"\0\0"
    return icmpv6(head + group + tail, source, destination)


ROUTER_ALERT_6 = bytes((5, 2, 0, 0))
IPV6_OPTIONS = [
    ROUTER_ALERT_6 + b"\1\0",
    b"\1\0" + ROUTER_ALERT_6,
    ROUTER_ALERT_6 + b"\0\0",
    bytes((5, 2, 0, 1, 1, 0)),
    bytes((5, 3, 0, 0, 0, 0)),
    bytes((5, 0, 1, 2, 0, 0)),
    bytes((1, 4, 0, 0, 0, 0)),
    ROUTER_ALERT_6 + ROUTER_ALERT_6 + bytes((1, 4, 0, 0, 0, 0)),
    ROUTER_ALERT_6 + bytes((5, 2, 0, 1)) + bytes((1, 4, 0, 0, 0, 0)),
    ROUTER_ALERT_6 + bytes((0x3E, 0)),
    ROUTER_ALERT_6 + bytes((0x7E, 0)),
    ROUTER_ALERT_6 + bytes((0xC2, 0)),
    ROUTER_ALERT_6 + bytes((1, 1)),
    ROUTER_ALERT_6 + bytes((0, 1)),
    bytes((1, 200, 0, 0, 0, 0)),
    ROUTER_ALERT_6 + bytes(10),
    bytes(10) + ROUTER_ALERT_6,
    ROUTER_ALERT_6 + bytes(18),
    bytes(18) + ROUTER_ALERT_6,
    bytes(26) + ROUTER_ALERT_6,
]


CHAINS = [
    [0], [], [60], [0, 60], [0, 0], [60, 0], [0, 44], [44], [0, 60, 44], [0, 43], [0, 60, 60, 60],
    [0, 60, 60, 60, 60], [60, 60, 60, 60], [60, 60, 60, 60, 60], [0, 50],
]  # fmt: skip
"""Numbers of extension headers."""


@st.composite
def extension_headers(draw: st.DrawFn) -> tuple[int, bytes]:
    """The first header's number, and the headers; the last one's next header is ICMPv6, mostly."""
    shape = draw(mostly(*CHAINS))
    numbers = [*shape, draw(mostly(58, 58, 17, 59, 0, 44))]
    headers = b""
    for number, following in zip(shape, numbers[1:], strict=True):
        headers += bytes((following,)) + draw(_header_bodies(number))
    return numbers[0], headers


@st.composite
def _header_bodies(draw: st.DrawFn, number: int) -> bytes:
    """An extension header without its first byte."""
    if number == 44:
        return b"\0" + pack(">HI", draw(st.sampled_from([0, 1, 8, 0x5A9])), 7)
    options = draw(mostly(IPV6_OPTIONS[0], *IPV6_OPTIONS))
    length = (len(options) + 2) // 8 - 1
    return bytes((draw(mostly(length, length, length, length + 1, 255)),)) + options


@st.composite
def mld_packets(draw: st.DrawFn) -> bytes:
    source = draw(one_address(IPV6_SOURCES))
    destination = draw(one_address(draw(st.permutations(IPV6_DESTINATIONS))))
    first, headers = draw(extension_headers())
    message = draw(usually(mld_messages(source, destination), st.binary(max_size=40)))
    packet = ipv6(
        headers + message,
        source=source,
        destination=destination,
        next_header=first,
        hop_limit=draw(mostly(1, 0, 2, 255)),
    )
    length = len(headers) + len(message)
    said = draw(mostly(length, length - 1, length + 1, length - 8, 0, 8, 0xFFFF))
    return packet[:4] + max(0, said).to_bytes(2) + packet[6:]


@st.composite
def spoilt(draw: st.DrawFn, data: bytes) -> bytes:
    """As it is, cut, lengthened, or with a byte changed."""
    match draw(st.integers(0, 5)):
        case 0:
            return data[: draw(st.integers(0, len(data)))]
        case 1:
            return data + draw(st.binary(min_size=1, max_size=20))
        case 2 if data:
            at = draw(st.integers(0, len(data) - 1))
            return data[:at] + bytes((draw(st.integers(0, 255)),)) + data[at + 1 :]
    return data


packets = st.one_of(igmp_packets(), mld_packets())
spoilt_packets = packets.flatmap(spoilt)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    tags = draw(mostly((), (7,), (0xE007,), (1, 0x0FFF)))
    frame = ethernet(draw(packets), *tags)
    if draw(st.integers(0, 9)) == 0:
        frame = (
            frame[:12]
            + draw(
                st.sampled_from(
                    [b"\x91\0\0\5", b"\x81\0\0\5\x81\0\0\6\x81\0\0\7", b"\x08\6", b"\0\x40"]
                )
            )
            + frame[12:]
        )
    return draw(spoilt(frame))
