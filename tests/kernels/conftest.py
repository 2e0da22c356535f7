"""Machines for the tests of kernels: each is booted once, for all tests of its kernel.

`make kernels` sets MCASTD_KERNELS to what is to be tried, all of it. Without it, as in `make test`,
a short part is tried on the kernels of Debian 12 and 13, beside the other tests: the machines take
what these leave of the processors, and are waited for when the others have ended.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from support.machines import Archive, Kernel, Machine, MachineError, chosen, obtain
from support.machines.aside import Aside
from support.machines.kernel import releases, series_of
from support.machines.matrix import REFUSED, SERVED

WANTED = os.environ.get("MCASTD_KERNELS", "")
REQUIRED = bool(WANTED)
"""Whoever asks for kernels is told that they cannot be had; otherwise it is no failure."""

LONG = [f"test_kernels_{each}.py" for each in ("all", "drivers", "lacking", "queues")]
SHORT = ["test_kernels_short.py"]
collect_ignore = SHORT if WANTED else LONG


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`series`: of those that the agent serves; `old_series`: of those that it refuses."""
    for name in ("series", "old_series"):
        if name in metafunc.fixturenames:
            found = [each for each in tried() if (each in REFUSED) == (name == "old_series")]
            metafunc.parametrize(name, found, scope="session")


@cache
def tried() -> list[str]:
    """Series; the archive is asked only if somebody wants more than the usual ones."""
    if not WANTED:
        return list(SERVED)
    return [series_of(each) for each in chosen(WANTED, releases(Archive()))]


def pytest_configure() -> None:
    """What cannot be had is said before anything else is done."""
    try:
        tried()
    except MachineError as error:
        raise pytest.UsageError(str(error)) from None


ASIDE = pytest.StashKey[Aside]()

SHORT_TESTS = (
    "tests/bpf/test_bpf_verifier.py",
    "tests/lab/test_lab_kernel.py",
)
SHORT_SECONDS = 2400.0
"""Two minutes on an idle machine; other work may take most of the processors."""


def waits(item: pytest.Item) -> bool:
    """Whether it is a test of what is tried beside the others."""
    return "aside" in getattr(item, "fixturenames", ())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that only wait come last."""
    items.sort(key=waits)


def pytest_collection_finish(session: pytest.Session) -> None:
    wanted = [each for each in session.items if waits(each)]
    skipped = any(each.get_closest_marker("skip") for each in wanted)
    if wanted and not skipped and not session.config.option.collectonly:
        session.config.stash[ASIDE] = Aside(tried(), SHORT_TESTS, SHORT_SECONDS)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if ASIDE in session.config.stash:
        session.config.stash[ASIDE].close()


@pytest.fixture(scope="session")
def aside(request: pytest.FixtureRequest) -> Aside:
    """The machines in which the short part is tried."""
    return request.config.stash[ASIDE]


def cannot(error: MachineError) -> None:
    if REQUIRED:
        pytest.fail(str(error), pytrace=False)
    pytest.skip(str(error))


def unpacked_or_skipped(series: str) -> Kernel:
    try:
        return obtain(series)
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
def kernel(series: str) -> Kernel:
    return unpacked_or_skipped(series)


@pytest.fixture
def any_kernel() -> Kernel:
    return unpacked_or_skipped(SERVED[-1])


@pytest.fixture(scope="session")
def machines(kernel: Kernel) -> Iterator[list[Machine]]:
    """Those of the kernel that were booted for `machine`; the last may be up."""
    made: list[Machine] = []
    yield made
    for each in made:
        each.close()


@pytest.fixture
def machine(kernel: Kernel, machines: list[Machine]) -> Machine:
    """Of the kernel; shared, so that who changes it for others boots one of their own. One that has
    died in an earlier test is followed by another."""
    if not machines or not machines[-1].is_up:
        made = Machine(kernel)
        try:
            machines.append(made.__enter__())
        except MachineError as error:
            cannot(error)
    return machines[-1]


@pytest.fixture(scope="session")
def old_machine(old_series: str) -> Iterator[Machine]:
    with booted(unpacked_or_skipped(old_series)) as made:
        yield made


@pytest.fixture(scope="session")
def follow() -> Callable[[str], None] | None:
    """Progress lines, for who waits for it."""
    return (lambda line: print(line, file=sys.stderr, flush=True)) if REQUIRED else None
