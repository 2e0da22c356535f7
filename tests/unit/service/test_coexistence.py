"""What is said about others that have a say in IGMP and MLD."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcastd.service.coexistence import igmp_sockets, networkd, remarks

RAW = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref
    1: 00000000:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9001 2
    2: 00000000:0002 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9002 2
    2: 0100007F:0002 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 9003 2
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return tmp_path / "proc"


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_raw_igmp_sockets_are_counted() -> None:
    assert igmp_sockets(RAW) == 2
    assert igmp_sockets("") == 0
    assert igmp_sockets("a head\n\n  odd\n") == 0


def test_nothing_to_say(proc: Path, tmp_path: Path) -> None:
    for where in ("all", "eth0"):
        put(proc / f"sys/net/ipv4/conf/{where}/force_igmp_version", "0\n")
        put(proc / f"sys/net/ipv6/conf/{where}/force_mld_version", "2\n")
    assert remarks("eth0", 3, proc, tmp_path / "links") == []


@pytest.mark.parametrize("where", ["all", "eth0"])
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("sys/net/ipv4/conf/{}/force_igmp_version", "2"),
        ("sys/net/ipv4/conf/{}/force_igmp_version", "1"),
        ("sys/net/ipv6/conf/{}/force_mld_version", "1"),
    ],
)
def test_a_forced_version_is_told_with_its_remedy(
    proc: Path, tmp_path: Path, where: str, path: str, value: str
) -> None:
    put(proc / path.format(where), f"{value}\n")
    (told,) = remarks("eth0", 3, proc, tmp_path / "links")
    name = path.format(where).removeprefix("sys/")
    assert f"{name} = {value}" in told
    assert f"sysctl -w {name}=0" in told


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("eth0.100", "sysctl -w net/ipv4/conf/eth0.100/force_igmp_version=0"),
        ("a;$b*", "sysctl -w 'net/ipv4/conf/a;$b*/force_igmp_version'=0"),
    ],
)
def test_a_remedy_can_be_typed_whatever_the_name(
    proc: Path, tmp_path: Path, name: str, command: str
) -> None:
    put(proc / "sys/net/ipv4/conf" / name / "force_igmp_version", "2\n")
    (told,) = remarks(name, 3, proc, tmp_path / "links")
    assert command in told


def test_another_daemon_is_told(proc: Path, tmp_path: Path) -> None:
    put(proc / "net/raw", RAW)
    (told,) = remarks("eth0", 3, proc, tmp_path / "links")
    assert told.startswith("2 raw IGMP sockets are open")


@pytest.mark.parametrize(("version", "told"), [("v2", 1), ("v3", 0), ("no", 0)])
def test_networkd_names_the_file(tmp_path: Path, version: str, told: int) -> None:
    file = tmp_path / "10-lan.network"
    file.write_text(f"[Network]\nMulticastIGMPVersion = {version}\n")
    found = list(networkd("eth0", f"ADMIN_STATE=configured\nNETWORK_FILE={file}\n"))
    assert len(found) == told
    assert all(str(file) in each for each in found)


def test_networkd_without_a_file() -> None:
    assert list(networkd("eth0", "ADMIN_STATE=unmanaged\n")) == []
