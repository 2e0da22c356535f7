"""The kernel's table of multicast routes, as /proc shows it."""

from __future__ import annotations

import sys
from ipaddress import ip_address
from pathlib import Path
from socket import AF_INET, AF_INET6

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcastd.net.multicast_routes import Incoming, Outgoing, interfaces, multicast_routes, routes

VIFS = """\
Interface      BytesIn  PktsIn  BytesOut PktsOut Flags Local    Remote
 0 eth0              48       1         0       0 00008 00000002 00000000
 1 eth1               0       0        96       2 00008 00000003 00000000
 2 lan0.100           0       0        96       2 00008 00000003 00000000
"""
MIFS = """\
Interface      BytesIn  PktsIn  BytesOut PktsOut Flags
 0 eth0              48       1         0       0 00000
 1 eth1               0       0        96       2 00000
"""
ENDS_6 = ":".join(("ff35", *["0000"] * 6, "0001")), "2001:0db8:0001:0000:0000:0000:0000:0001"
CACHE_6 = f"""\
Group           Origin          Iif      Pkts  Bytes     Wrong  Oifs
{ENDS_6[0]} {ENDS_6[1]} 0          2        96        0   1:1
"""


def number(address: str) -> str:
    """An address as ip_mr_cache has it."""
    return f"{int.from_bytes(ip_address(address).packed, sys.byteorder):08X}"


def cache(*lines: str) -> str:
    head = "Group    Origin   Iif     Pkts    Bytes    Wrong Oifs\n"
    ends = f"{number('239.1.1.1')} {number('192.0.2.1')}"
    return head + "".join(f"{ends} {line}\n" for line in lines)


def packed(address: str) -> bytes:
    return ip_address(address).packed


FROM = Incoming("eth0", packed("192.0.2.1"), packed("239.1.1.1"))


def test_both_families_are_read(tmp_path: Path) -> None:
    (tmp_path / "ip_mr_vif").write_text(VIFS)
    (tmp_path / "ip_mr_cache").write_text(cache("0          3      144        0  1:1    2:16 "))
    (tmp_path / "ip6_mr_vif").write_text(MIFS)
    (tmp_path / "ip6_mr_cache").write_text(CACHE_6)

    assert multicast_routes(tmp_path) == {
        FROM: (Outgoing("eth1", 1), Outgoing("lan0.100", 16)),
        Incoming("eth0", packed("2001:db8:1::1"), packed("ff35::1")): (Outgoing("eth1", 1),),
    }


def test_where_multicast_is_not_routed_there_is_nothing(tmp_path: Path) -> None:
    assert multicast_routes(tmp_path) == {}


@pytest.mark.parametrize(
    "line",
    [
        "-1         0        0        0",
        "7          0        0        0  1:1",
        "0          0        0        0  9:1",
        "0          0        0        0  1:",
        "x",
        "",
    ],
)
def test_what_leads_nowhere_or_cannot_be_read_is_passed_over(line: str) -> None:
    read = cache(line, "0 1 48 0  1:1")
    names = dict(interfaces(VIFS))

    assert dict(routes(read, names, AF_INET)) == {FROM: (Outgoing("eth1", 1),)}


@given(text=st.text(max_size=300), family=st.sampled_from((AF_INET, AF_INET6)))
def test_no_text_is_a_fault(text: str, family: int) -> None:
    list(interfaces(text))
    list(routes(text, {0: "eth0"}, family))
    list(routes(cache(text.replace("\n", " ")), {0: "eth0"}, family))
