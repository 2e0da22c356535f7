"""What is deployed beside the package holds with the programs that will read it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import mcastd
import pytest
from mcastd.service.config import load
from support.scripts import DEPLOY, loaded

UNIT = DEPLOY / "systemd" / "mcastd.service"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_completions_are_those_of_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make completions` makes them."""
    pytest.importorskip("shtab")
    monkeypatch.delenv("MCASTD_CONTROL", raising=False)
    make = loaded(DEPLOY / "completions" / "make.py")
    for path, text in make.made().items():
        assert path.read_text() == text, path.name
        assert "mcastctl names interfaces" in text or path.name.startswith(("mcastd", "_mcastd"))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_take_the_completions(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    for path in (DEPLOY / "completions" / shell).iterdir():
        result = run(shell, "-n", str(path))
        assert result.returncode == 0, result.stderr


def test_every_package_of_the_agent_is_installed() -> None:
    assert packages_named(DEPLOY.parent) == packages_in(DEPLOY.parent / "agent") | {"mcastd._bpf"}


def test_every_package_of_the_extras_is_installed() -> None:
    extras = DEPLOY.parent / "extras"
    assert packages_named(extras) == packages_in(extras)


def packages_named(project: Path) -> set[str]:
    """Those that the project's setuptools install."""
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    return set(settings["tool"]["setuptools"]["packages"])


def packages_in(folder: Path) -> set[str]:
    found = folder.rglob("__init__.py")
    return {".".join(each.parent.relative_to(folder).parts) for each in found}


def test_what_the_package_installs_is_there() -> None:
    for name in ("mcastd", "mcastd-lab", "mcastd-prometheus"):
        for kind in ("install", "manpages", "docs"):
            listed = DEPLOY / "debian" / f"{name}.{kind}"
            lines = listed.read_text().splitlines() if listed.exists() else []
            for line in lines:
                assert (DEPLOY.parent / line.split()[0]).exists(), f"{listed.name}: {line}"


def test_the_versions_of_the_packages_are_the_programs() -> None:
    changelog = (DEPLOY / "debian" / "changelog").read_text()
    assert changelog.startswith(f"mcastd ({mcastd.__version__})")
    pages = (DEPLOY / "man").iterdir()
    assert all(f'"mcastd {mcastd.__version__}"' in page.read_text() for page in pages)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize(("drop_in", "tenths"), [(None, 19), ("hardened.conf", 15)])
def test_the_unit_is_hardened(tmp_path: Path, drop_in: str | None, tenths: int) -> None:
    """As far as its own comment says, and no less."""
    unit = shutil.copy(UNIT, tmp_path)
    if drop_in is not None:
        folder = tmp_path / "mcastd.service.d"
        folder.mkdir()
        shutil.copy(UNIT.with_name(drop_in), folder)
    result = run("systemd-analyze", "security", "--offline=yes", f"--threshold={tenths}", str(unit))
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr
    assert f"{tenths / 10} " in result.stdout.splitlines()[-1]
    said = UNIT.with_name(drop_in).read_text() if drop_in else UNIT.read_text()
    assert f"{tenths / 10} of 10" in said


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_socket_unit_is_sound(tmp_path: Path) -> None:
    """But for the program, which is not installed here."""
    shutil.copy(UNIT, tmp_path)
    unit = shutil.copy(UNIT.with_name("mcastd-metrics.socket"), tmp_path)
    said = run("systemd-analyze", "verify", "--man=no", str(unit)).stderr.splitlines()
    assert [each for each in said if "mcastd-metrics" in each] == []


def test_the_shipped_configuration_is_good() -> None:
    assert load(DEPLOY / "mcastd.toml").interfaces == {}


def test_the_image_leaves_to_mmdebstrap_what_its_apt_reads() -> None:
    """Its apt, without that, would update and empty the lists of the machine that builds."""
    finish = (DEPLOY / "image" / "finish.sh").read_text()
    assert not re.search(r'"\$root"/(tmp|etc/apt)(/\*)?[\s"]', finish)
    assert "! -name 00mmdebstrap" in finish
    assert "--skip=cleanup/apt " in (DEPLOY / "image.sh").read_text()
