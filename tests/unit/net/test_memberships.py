"""What /proc says of the kernel's memberships."""

from __future__ import annotations

import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
from mcastd.net import all_memberships, memberships

HEAD_4 = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
HEAD_FILTER = "Idx Device        MCA        SRC    INC    EXC\n"
HEAD_FILTER_6 = (
    "Idx Device                Multicast Address                   Source Address    INC    EXC\n"
)


def word(address: str) -> str:
    """As the kernel prints a group: the number that its bytes are in memory."""
    return f"{int.from_bytes(ip_address(address).packed, sys.byteorder):08X}"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "igmp").write_text(
        HEAD_4
        + "1\tlo        :     1      V3\n"
        + f"\t\t\t\t{word('224.0.0.1')}     1 0:00000000\t\t0\n"
        + "2\teth0      :     4      V3\n"
        + "".join(
            f"\t\t\t\t{word(group)}     1 0:00000000\t\t0\n"
            for group in ("232.1.2.3", "239.1.2.3", "239.1.2.4", "224.0.0.1")
        )
        + "3\taverylongname:     1      V2\n"
        + f"\t\t\t\t{word('239.9.9.9')}     1 0:00000000\t\t0\n"
    )
    (tmp_path / "mcfilter").write_text(
        HEAD_FILTER
        # The kernel cuts names to six letters here.
        + "  2   eth0 0xe8010203 0xc6336401      1      0\n"
        + "  2   eth0 0xe8010203 0xc6336402      1      0\n"
        + "  2   eth0 0xef010204 0xc6336403      0      1\n"
        + "  3 averyl 0xef090909 0x0a000001      1      0\n"
    )
    (tmp_path / "igmp6").write_text(
        "1    lo              ff020000000000000000000000000001     1 0000000C 0\n"
        "2    eth0            ff3e0000000000000000000000000001     1 00000004 0\n"
        "2    eth0            ff150000000000000000000000000001     1 00000004 0\n"
    )
    (tmp_path / "mcfilter6").write_text(
        HEAD_FILTER_6
        + f"  2   eth0 {packed('ff3e::1').hex()} {packed('2001:db8::1').hex()}      1      0\n"
    )
    return tmp_path


def packed(text: str) -> bytes:
    return ip_address(text).packed


def test_groups_and_sources_of_an_interface_are_read(proc: Path) -> None:
    assert memberships(2, proc) == {
        packed("232.1.2.3"): ("include", (packed("198.51.100.1"), packed("198.51.100.2"))),
        packed("239.1.2.3"): ("exclude", ()),
        packed("239.1.2.4"): ("exclude", (packed("198.51.100.3"),)),
        packed("224.0.0.1"): ("exclude", ()),
        packed("ff3e::1"): ("include", (packed("2001:db8::1"),)),
        packed("ff15::1"): ("exclude", ()),
    }


def test_a_name_so_long_that_it_touches_the_colon_is_read(proc: Path) -> None:
    assert memberships(3, proc) == {packed("239.9.9.9"): ("include", (packed("10.0.0.1"),))}


def test_a_name_of_any_bytes_is_in_no_ones_way(proc: Path) -> None:
    """Python takes more characters for white space than the kernel, which lets names have none."""
    name = "\x1c\u2028\x85".encode() + b"\xff"
    with (proc / "igmp").open("ab") as stream:
        stream.write(b"4\t" + name + b"     :     1      V3\n")
        stream.write(f"\t\t\t\t{word('239.4.4.4')}     1 0:00000000\t\t0\n".encode())
    with (proc / "igmp6").open("ab") as stream:
        stream.write(b"4    " + name + b"   ff150000000000000000000000000004     1 00000004 0\n")

    assert memberships(4, proc) == {
        packed("239.4.4.4"): ("exclude", ()),
        packed("ff15::4"): ("exclude", ()),
    }
    assert packed("239.1.2.3") in memberships(2, proc)


def test_all_interfaces_are_read_at_once(proc: Path) -> None:
    found = all_memberships(proc)

    assert found.keys() == {1, 2, 3}
    assert all(found[index] == memberships(index, proc) for index in found)


def test_an_interface_without_groups_has_none(proc: Path) -> None:
    assert memberships(9, proc) == {}


def test_what_is_not_there_is_as_if_empty(tmp_path: Path) -> None:
    """A kernel without IPv6 has no igmp6."""
    assert memberships(2, tmp_path) == {}


def test_the_running_kernels_own_files_are_read() -> None:
    assert isinstance(memberships(1), dict)
