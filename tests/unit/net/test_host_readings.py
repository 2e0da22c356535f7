"""What the kernel prints of counters, sockets, routes and bridges; garbage is read as nothing."""

from __future__ import annotations

from ipaddress import ip_address
from struct import pack

from hypothesis import given
from hypothesis import strategies as st
from mcastd.net.asking import attributes
from mcastd.net.bridges import known_queriers, table_of
from mcastd.net.host_counters import one_a_line, with_heads
from mcastd.net.routes import Route, route_of
from mcastd.net.udp_sockets import UdpSocket, sockets_in

SNMP = "Tcp: MaxConn InSegs\nTcp: -1 7\nUdp: InDatagrams RcvbufErrors\nUdp: 5 2\n"

UDP = """\
   sl  local_address rem_address   st tx_queue rx_queue
  120: 010101EF:138C 00000000:0000 07 0:0 00:0 0 1000 0 4711 2 0 9
"""

UDP6 = """\
  sl  local_address remote_address st tx_queue
  1: 000015FF000000000000000001000000:138C 0:0000 07 0:0 00:0 0 0 0 42 2 0 3
"""


def attribute(kind: int, data: bytes) -> bytes:
    return pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def test_counters_are_named_as_nstat_names_them() -> None:
    assert dict(with_heads(SNMP)) == {
        "TcpMaxConn": -1, "TcpInSegs": 7, "UdpInDatagrams": 5, "UdpRcvbufErrors": 2,
    }  # fmt: skip
    assert dict(one_a_line("Ip6InReceives   \t12\nIp6ReasmFails 0\nnonsense\n")) == {
        "Ip6InReceives": 12, "Ip6ReasmFails": 0,
    }  # fmt: skip


def test_a_socket_has_its_address_port_owner_and_drops() -> None:
    (found,) = sockets_in(UDP)
    assert found == UdpSocket(ip_address("239.1.1.1").packed, 5004, 1000, 4711, 9)
    assert not found.is_wildcard
    (found,) = sockets_in(UDP6)
    assert found == UdpSocket(ip_address("ff15::1").packed, 5004, 0, 42, 3)


def test_a_route_has_its_interface_and_gateway() -> None:
    head = pack("=BBBBBBBBI", 2, 32, 0, 0, 254, 0, 0, 1, 0)
    way = attribute(4, pack("=I", 7)) + attribute(5, ip_address("192.0.2.1").packed)
    assert route_of(head + way) == Route(7, "192.0.2.1", True)
    assert route_of(head[:7] + b"\2" + head[8:]) == Route(None, None, False)


def test_a_bridges_table_is_read_by_port_and_only_its_own() -> None:
    group = ip_address("239.1.1.1").packed
    entry = pack("=IBBH16s2s2x", 5, 1, 0, 0, group.ljust(16, b"\0"), b"\x08\x00")
    told = attribute(1, attribute(1, attribute(1, entry)))
    told += attribute(2, attribute(1, pack("=I", 9)))
    of_five, of_six = (pack("=BBHI", 7, 0, 0, number) + told for number in (5, 6))
    assert table_of([of_five], 5) == (frozenset({9}), frozenset({(5, group)}))
    assert table_of([of_six], 5) == (frozenset(), frozenset())


def test_a_bridge_knows_a_querier_by_its_address() -> None:
    state = attribute(1, bytes(4)) + attribute(5, ip_address("fe80::1").packed)
    assert known_queriers(state) == {"mld"}
    assert known_queriers(b"") == frozenset()


@given(st.binary(max_size=200))
def test_bytes_that_are_no_attributes_end_nothing(data: bytes) -> None:
    list(attributes(data))
    table_of([data], 5)
    known_queriers(data)


@given(st.text(max_size=300))
def test_text_that_is_no_table_ends_nothing(text: str) -> None:
    list(with_heads(text))
    list(one_a_line(text))
    list(sockets_in(f"head\n{text}"))
