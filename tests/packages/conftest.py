"""`make packages-test` sets MCASTD_PACKAGES: trees are downloaded, packages built; minutes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.machines.archive import system_mirror
from support.machines.errors import MachineError
from support.packages import SUITES, build, staged

WANTED = os.environ.get("MCASTD_PACKAGES", "")
collect_ignore = (
    [] if WANTED else ["test_image.py", "test_packages.py", "test_service.py", "test_wheel.py"]
)

CHOSEN = [suite for suite in SUITES if WANTED in ("all", "") or suite in WANTED.split()]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        system_mirror()
    except MachineError as error:
        pytest.skip(str(error))
    return staged(tmp_path_factory.mktemp("source") / "mcastd")


@pytest.fixture(scope="session")
def earlier_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, of an earlier version."""
    return staged(tmp_path_factory.mktemp("earlier") / "mcastd", "0.1.0~earlier")


@pytest.fixture(scope="session", params=CHOSEN)
def suite(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture(scope="session")
def packages(suite: str, source: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return build(suite, source, tmp_path_factory.mktemp(f"{suite}-packages"))
