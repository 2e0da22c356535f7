"""What /proc says of the groups that the kernel receives."""

from __future__ import annotations

import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
from mcastd.net.proc import users

HEAD = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"


def word(address: str) -> str:
    """As the kernel prints a group: the number that its bytes are in memory."""
    return f"{int.from_bytes(packed(address), sys.byteorder):08X}"


def packed(text: str) -> bytes:
    return ip_address(text).packed


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "igmp").write_text(
        HEAD
        + "1\tlo        :     1      V3\n"
        + f"\t\t\t\t{word('224.0.0.1')}     1 0:00000000\t\t0\n"
        + "2\teth0      :     2      V3\n"
        + f"\t\t\t\t{word('232.1.2.3')}    12 0:00000000\t\t0\n"
        + f"\t\t\t\t{word('239.1.2.3')}     1 0:00000000\t\t0\n"
        + "3\taverylongname:     1      V2\n"
        + f"\t\t\t\t{word('239.9.9.9')}     1 1:0000000A\t\t1\n"
        + "4\tenp3s0f0v1: odd   :     1      V3\n"
        + f"\t\t\t\t{word('239.9.9.8')}     1 0:00000000\t\t0\n"
    )
    (tmp_path / "igmp6").write_text(
        "1    lo              ff020000000000000000000000000001     1 0000000C 0\n"
        "2    eth0            ff3e0000000000000000000000000001     3 00000004 0\n"
        "2    eth0            ff150000000000000000000000000001     1 00000004 0\n"
    )
    return tmp_path


def test_groups_are_told_by_the_interfaces_index_with_their_users(proc: Path) -> None:
    """Names may be of any length, and have blanks and colons."""
    assert users(proc) == {
        1: {packed("224.0.0.1"): 1, packed("ff02::1"): 1},
        2: {
            packed("232.1.2.3"): 12,
            packed("239.1.2.3"): 1,
            packed("ff3e::1"): 3,
            packed("ff15::1"): 1,
        },
        3: {packed("239.9.9.9"): 1},
        4: {packed("239.9.9.8"): 1},
    }


def test_a_host_may_be_without_ipv6(proc: Path) -> None:
    (proc / "igmp6").unlink()

    assert users(proc)[3] == {packed("239.9.9.9"): 1}


def test_what_cannot_be_read_is_not_as_if_nothing_were_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="igmp"):
        users(tmp_path)


def test_this_hosts_own_are_read() -> None:
    assert isinstance(users(), dict)
