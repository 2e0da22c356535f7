"""Which kernels are tried, and what is said when something for a machine is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.machines import Archive, Kernel, Machine, MachineError, Nic, chosen, matrix
from support.machines import machine as machines
from support.machines.kernel import key

FOUND = [
    "5.10.0-30-amd64",
    "5.10.0-32-amd64",
    "6.1.0-47-amd64",
    "6.1.0-50-amd64",
    "6.12.95+deb12-amd64",
    "6.12.117+deb13-amd64",
    "7.2.9+deb13-amd64",
    "7.2.12+deb13-amd64",
    "7.3.4+deb13-amd64",
]


def test_the_newest_release_of_each_series_is_tried_and_the_two_newest_series() -> None:
    assert matrix(sorted(FOUND)) == {
        "5.10": "5.10.0-32-amd64",
        "6.1": "6.1.0-50-amd64",
        "6.12": "6.12.117+deb13-amd64",
        "7.2": "7.2.12+deb13-amd64",
        "7.3": "7.3.4+deb13-amd64",
    }


def test_releases_are_ordered_by_their_numbers() -> None:
    assert sorted(sorted(FOUND), key=key) == FOUND


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("6.1 6.12", ["6.1.0-50-amd64", "6.12.117+deb13-amd64"]),
        ("newest", ["7.3.4+deb13-amd64"]),
        ("newest 7.3", ["7.3.4+deb13-amd64"]),
        ("all", list(matrix(FOUND).values())),
        ("", []),
    ],
)
def test_kernels_are_chosen_by_their_series(words: str, wanted: list[str]) -> None:
    assert chosen(words, FOUND) == wanted


def test_a_series_that_the_archive_does_not_have_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(MachineError, match=r"^4\.19: .* it has 5\.10, 6\.1, 6\.12, 7\.2, 7\.3$"):
        chosen("6.1 4.19", FOUND)


def test_an_archive_that_cannot_be_reached_is_said_in_one_line(tmp_path: Path) -> None:
    archive = Archive(tmp_path, "http://127.0.0.1:9/debian")
    with pytest.raises(MachineError, match=r"^Debian's archive cannot be reached: .*127\.0\.0\.1"):
        archive.search("^linux-image")


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [("virtme-run", "pip install virtme-ng"), ("qemu-system-x86_64", "qemu-system-x86")],
)
def test_a_tool_that_is_missing_is_named_with_its_remedy(
    missing: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if missing != "virtme-run":
        (tmp_path / "virtme-run").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr(machines, "BUILD", tmp_path / "build")

    with (
        pytest.raises(MachineError, match=f"^no {missing}: .*{remedy}"),
        Machine(Kernel("6.1.0-50-amd64", tmp_path)),
    ):
        pytest.fail("it ran")
    assert list((tmp_path / "build" / "run").iterdir()) == []


def test_nics_on_one_wire_hear_each_other() -> None:
    first, second = Nic(wire=3).arguments(0), Nic("vmxnet3", 3, "x=off").arguments(1)
    assert (first[1], second[1]) == ("hubport,id=n0,hubid=3", "hubport,id=n1,hubid=3")
    assert second[3] == "vmxnet3,netdev=n1,mac=52:54:00:12:34:02,x=off"
