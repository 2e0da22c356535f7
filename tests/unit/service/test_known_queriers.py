"""Who was known before a restart: believed for as long as a querier may be silent."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from mcastd.gmp.family import IGMP, MLD
from mcastd.gmp.time import Instant, in_seconds, seconds
from mcastd.service.known_queriers import QUERIERS_FILE, KnownQueriers
from mcastd.service.querier import SILENCE

STARTED = Instant(seconds(1000))
KEPT = [("eth0", "igmp", "192.0.2.1"), ("eth0", "mld", "fe80::1"), ("eth1", "igmp", "192.0.2.9")]


def test_what_is_kept_comes_back_by_interface_and_family(tmp_path: Path) -> None:
    first = KnownQueriers(tmp_path, STARTED)
    first.keep(KEPT)
    first.close()
    again = KnownQueriers(tmp_path, STARTED)

    (v4,) = again.earlier("eth0", IGMP, STARTED)
    (v6,) = again.earlier("eth0", MLD, STARTED)

    assert (v4[0], v6[0]) == (IGMP.parse("192.0.2.1"), MLD.parse("fe80::1"))
    assert in_seconds(SILENCE) - 5 < in_seconds(v4[1] - STARTED) <= in_seconds(SILENCE)
    assert [*again.earlier("eth1", MLD, STARTED)] == []
    assert [*again.earlier("eth0", IGMP, v4[1])] == []


def test_an_old_file_is_believed_no_more(tmp_path: Path) -> None:
    KnownQueriers(tmp_path, STARTED).keep(KEPT)
    long_ago = time.time() - in_seconds(SILENCE) - 1
    os.utime(tmp_path / QUERIERS_FILE, (long_ago, long_ago))

    assert [*KnownQueriers(tmp_path, STARTED).earlier("eth0", IGMP, STARTED)] == []


def test_who_is_known_still_keeps_the_file_young(tmp_path: Path) -> None:
    known = KnownQueriers(tmp_path, STARTED)
    known.keep(KEPT)
    os.utime(tmp_path / QUERIERS_FILE, (0, 0))
    known.touch()

    assert [*KnownQueriers(tmp_path, STARTED).earlier("eth0", IGMP, STARTED)]


def test_nobody_known_leaves_no_file_young(tmp_path: Path) -> None:
    known = KnownQueriers(tmp_path, STARTED)
    known.keep(KEPT)
    known.keep([])
    os.utime(tmp_path / QUERIERS_FILE, (0, 0))
    known.touch()

    assert (tmp_path / QUERIERS_FILE).stat().st_mtime == 0


@pytest.mark.parametrize("text", ["", "{", "7", "[7]", '[["eth0", "igmp"]]'])
def test_a_spoilt_file_is_told_and_not_believed(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / QUERIERS_FILE).write_text(text)

    known = KnownQueriers(tmp_path, STARTED)

    assert [*known.earlier("eth0", IGMP, STARTED)] == []
    assert QUERIERS_FILE in caplog.text
    known.keep(KEPT)
    assert [*KnownQueriers(tmp_path, STARTED).earlier("eth0", IGMP, STARTED)]


def test_an_address_that_is_none_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / QUERIERS_FILE).write_text('[["eth0", "igmp", "fe80::1"]]')

    assert [*KnownQueriers(tmp_path, STARTED).earlier("eth0", IGMP, STARTED)] == []
    assert "fe80::1" in caplog.text


def test_what_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    KnownQueriers(tmp_path / "file" / "state", STARTED).keep(KEPT)
    assert f"{QUERIERS_FILE}: not written: Not a directory" in caplog.text


def test_without_a_directory_nothing_is_kept() -> None:
    known = KnownQueriers(None, STARTED)
    known.keep(KEPT)
    known.close()
    assert [*known.earlier("eth0", IGMP, STARTED)] == []
