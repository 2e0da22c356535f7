"""Names and the namespaces that they stand for: what is there, and what is something else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mcastd.net import namespaces
from mcastd.service.namespaces.finding import found
from mcastd.service.namespaces.settings import NamespaceSettings

OWN = Path(namespaces.OWN)


def named(*names: str, path: str | None = None) -> dict[str, NamespaceSettings]:
    return {name: NamespaceSettings({}, path) for name in names}


def test_a_name_that_nothing_stands_for_is_waited_for(tmp_path: Path) -> None:
    there = found(named("blue"), tmp_path)["blue"]
    assert (there.identity, there.problem) == (None, None)
    assert found(named("blue"), tmp_path / "no such directory")["blue"].problem is None


def test_a_namespace_is_known_by_whatever_name_or_path(tmp_path: Path) -> None:
    (tmp_path / "blue").symlink_to(OWN)
    own = namespaces.identity(namespaces.OWN)

    assert found(named("blue"), tmp_path)["blue"].identity == own
    by_path = found(named("red", path=namespaces.OWN), tmp_path)["red"]
    assert (by_path.identity, by_path.path) == (own, namespaces.OWN.encode())


def test_a_file_that_is_no_namespace_is_told(tmp_path: Path) -> None:
    """Such as the one that ip(8) makes, before it is a namespace's name."""
    (tmp_path / "blue").touch()
    (tmp_path / "loop").symlink_to("loop")

    there = found(named("blue", "loop"), tmp_path)

    assert there["blue"].problem == f"{tmp_path}/blue: a file, and no network namespace"
    assert "Too many levels of symbolic links" in str(there["loop"].problem)


def test_a_pattern_stands_for_the_namespaces_that_are_there(tmp_path: Path) -> None:
    for name in (b"cni-1", b"cni-2", b"other", b"cni-\xff", b"cni-" + b"x" * 200):
        (tmp_path / os.fsdecode(name)).symlink_to(OWN)
    (tmp_path / "cni-file").touch()

    there = found(named("cni-2", "cni-*"), tmp_path)

    assert list(there) == ["cni-2", "cni-1", "cni-\\xff"]
    assert there["cni-\\xff"].path == os.fsencode(tmp_path) + b"/cni-\xff"


def test_a_namespace_of_another_kind_is_not_entered() -> None:
    path = "/proc/self/ns/uts"
    with pytest.raises(namespaces.NoNamespaceError, match="another kind"):
        namespaces.opened(path, namespaces.identity(path))


def test_a_namespace_that_has_taken_anothers_place_is_not_entered() -> None:
    there = namespaces.identity("/proc/self/ns/uts")
    with pytest.raises(FileNotFoundError, match="replaced"):
        namespaces.opened(namespaces.OWN, there)
