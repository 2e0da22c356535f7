"""Machines for the tests of kernels: each is booted once, for all tests of its kernel.

`make kernels` sets MCASTD_KERNELS to what is to be tried, all of it. Without it, as in `make test`,
a short part is tried on the kernels of Debian 12 and 13.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from support.machines import Archive, Kernel, Machine, MachineError, chosen
from support.machines.kernel import releases, series_of, unpacked
from support.machines.matrix import REFUSED, SERVED

WANTED = os.environ.get("MCASTD_KERNELS", "")
REQUIRED = bool(WANTED)
"""Whoever asks for kernels is told that they cannot be had; otherwise it is no failure."""

collect_ignore = [] if WANTED else ["test_kernels_all.py"]


def wanted(archive: Archive) -> list[str]:
    """Releases, by whose names the tests are called. Only names are asked for here."""
    return chosen(WANTED or " ".join(SERVED), releases(archive))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`release`: of those that the agent serves; `old_release`: of those that it refuses."""
    for name in ("release", "old_release"):
        if name in metafunc.fixturenames:
            old = name == "old_release"
            metafunc.parametrize(name, parameters(old=old), scope="session")


def parameters(*, old: bool) -> list[object]:
    try:
        return [each for each in wanted(Archive()) if (series_of(each) in REFUSED) == old]
    except MachineError as error:
        if REQUIRED:
            raise pytest.UsageError(str(error)) from None
        return [pytest.param("none", marks=pytest.mark.skip(reason=str(error)))]


def cannot(error: MachineError) -> None:
    if REQUIRED:
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))


def unpacked_or_skipped(release: str) -> Kernel:
    try:
        return unpacked(Archive(), release)
    except MachineError as error:
        cannot(error)
        raise


@contextmanager
def booted(kernel: Kernel) -> Iterator[Machine]:
    made = Machine(kernel)
    try:
        made.__enter__()
    except MachineError as error:
        cannot(error)
    yield made
    made.close()


@pytest.fixture(scope="session")
def kernel(release: str) -> Kernel:
    return unpacked_or_skipped(release)


@pytest.fixture(scope="session")
def machine(kernel: Kernel) -> Iterator[Machine]:
    """Of the kernel; shared, so that who changes it for others boots one of their own."""
    with booted(kernel) as made:
        yield made


@pytest.fixture(scope="session")
def old_machine(old_release: str) -> Iterator[Machine]:
    with booted(unpacked_or_skipped(old_release)) as made:
        yield made


@pytest.fixture(scope="session")
def follow() -> Callable[[str], None] | None:
    """Progress lines, for who waits for it."""
    return (lambda line: print(line, file=sys.stderr, flush=True)) if REQUIRED else None
