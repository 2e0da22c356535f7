"""The programs in the running kernel, compiled once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mcastd.fastpath.objects import BpfObject, obtain
from support.bytecode import bring
from support.kernel_programs import EVERYTHING, KernelPrograms


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the compiled programs are kept."""
    made = tmp_path_factory.mktemp("cache")
    bring(made, "programs")
    return made


@pytest.fixture(scope="session")
def compiled(kept: Path) -> BpfObject:
    return obtain(print, cache=kept)


@pytest.fixture(scope="session")
def programs(compiled: BpfObject) -> Iterator[KernelPrograms]:
    made = KernelPrograms(compiled)
    yield made
    made.close()


@pytest.fixture
def fresh(programs: KernelPrograms) -> Iterator[KernelPrograms]:
    """Everything handed over, nothing assigned."""
    programs.use(EVERYTHING)
    programs.assign()
    yield programs
    programs.use(EVERYTHING)
    programs.beat(until=0)
