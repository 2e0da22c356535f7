"""`mcastctl bundle`: the file, its pcapng, and what is said of them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import which

import pytest
from mcastd import pcapng
from mcastd.classify import captures
from mcastd.cli.bundle import Part, packed, write

FRAMES = [
    pcapng.Frame("eth0", 1_763_751_234_500_000_123, False, 60, bytes(range(60))),
    pcapng.Frame("blue/eth0", 1_763_751_235_000_000_000, True, 1000, bytes(61), "held_back"),
    pcapng.Frame("eth0", 1_763_751_236_000_000_000, True, 60, bytes(60)),
]


def test_tshark_reads_the_frames_with_time_interface_direction_and_comment(tmp_path: Path) -> None:
    if which("tshark") is None:
        pytest.skip("tshark is not installed")
    path = tmp_path / "made.pcapng"
    path.write_bytes(pcapng.file(FRAMES))
    fields = ("frame.time_epoch", "frame.interface_name", "frame.len", "frame.cap_len",
              "frame.packet_flags_direction", "frame.comment")  # fmt: skip
    options = [text for each in fields for text in ("-e", each)]
    done = subprocess.run(
        ["tshark", "-r", path, "-T", "fields", "-E", "separator=;", *options],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [line.split(";") for line in done.stdout.splitlines()] == [
        ["1763751234.500000123", "eth0", "60", "60", "0x00000001", ""],
        ["1763751235.000000000", "blue/eth0", "1000", "61", "0x00000002", "held_back"],
        ["1763751236.000000000", "eth0", "60", "60", "0x00000002", ""],
    ]


def test_our_own_reader_reads_them_too(tmp_path: Path) -> None:
    path = tmp_path / "made.pcapng"
    path.write_bytes(pcapng.file(FRAMES))
    with path.open("rb") as stream:
        assert [each.data for each in captures.read_capture(stream)] == [e.data for e in FRAMES]


def test_an_empty_recorder_is_a_file_without_frames() -> None:
    assert len(pcapng.file([])) == 28


PARTS = [Part("status.json", b"{}\n", "status")]


def test_a_bundle_is_its_owners_alone_and_takes_no_ones_place(tmp_path: Path) -> None:
    path = tmp_path / "x.tar.gz"
    write(path, PARTS, force=False)
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        write(path, [], force=False)
    assert path.read_bytes() == before
    path.chmod(0o644)
    write(path, PARTS, force=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_that_is_there_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "x.tar.gz").symlink_to(target)
    with pytest.raises(OSError, match=r".*"):
        write(tmp_path / "x.tar.gz", PARTS, force=False)
    assert not target.exists()


def test_all_is_in_one_directory_that_is_named_as_the_file(tmp_path: Path) -> None:
    path = tmp_path / "case.tar.gz"
    path.write_bytes(packed(path, PARTS))
    listed = subprocess.run(["tar", "tzf", path], capture_output=True, text=True, check=True)
    assert listed.stdout == "case/status.json\n"
