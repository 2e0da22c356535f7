"""Networks for the tests of the lab."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcastd_lab import Lab
from support.bytecode import bring
from support.disks import mounted
from support.lab import Cable, Segment


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Programs are compiled once for all tests, and not kept for others."""
    with pytest.MonkeyPatch.context() as patch:
        made = tmp_path_factory.mktemp("cache")
        bring(made)
        patch.setenv("MCASTD_CACHE", str(made))
        yield


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


@pytest.fixture
def segment(lab: Lab) -> Segment:
    return Segment(lab)


@pytest.fixture
def cable(lab: Lab) -> Cable:
    return Cable(lab)


@pytest.fixture(scope="module")
def observed() -> Iterator[Segment]:
    """A host observed by an agent, shared by tests that do not get into each other's way."""
    with Lab() as made:
        segment = Segment(made)
        segment.observe()
        yield segment


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    if mounted(place).returncode:
        pytest.skip("file systems may not be mounted here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)
