"""The import contracts of pyproject.toml hold, and they would notice."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "agent" / "mcastd"
LINT = Path(sys.executable).with_name("lint-imports")

pytestmark = pytest.mark.skipif(not LINT.exists(), reason="import-linter is not installed")

USERS_OF_LIBBPF = re.compile(r"fastpath/|net/presence\.py|service/system\.py")
"""The same C module has getifaddrs(3), capset(2) and mallopt(3), which two modules outside use."""


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    """lint-imports over the package in `root`, by the contracts that stand there."""
    return subprocess.run(
        [LINT, "--no-cache", "--config", root / "pyproject.toml"],
        cwd=root,
        env={"PYTHONPATH": f"{root / 'agent'}:{root / 'extras'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_contracts_hold() -> None:
    found = lint(ROOT)
    assert found.returncode == 0, found.stdout[-2000:] + found.stderr[-2000:]


BREACHES = {
    "The core knows no clock": ("gmp/host.py", "import time"),
    "Nothing below calls anything above": ("wire/codec.py", "import mcastd.service.agent"),
    "Only fastpath knows bcc": ("service/agent.py", "import bcc"),
    "Only net knows pyroute2": ("service/agent.py", "import pyroute2"),
    "Only the pages of Prometheus": ("service/agent.py", "import prometheus_client"),
    "The agent imports neither": ("cli/mcastd.py", "import mcastd_lab"),
}


def test_each_contract_notices_that_it_is_broken(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(PACKAGE, tmp_path / "agent" / "mcastd", ignore=shutil.ignore_patterns("*.pyc"))
    shutil.copytree(ROOT / "extras", tmp_path / "extras", ignore=shutil.ignore_patterns("*.pyc"))
    for place, line in BREACHES.values():
        with (tmp_path / "agent" / "mcastd" / place).open("a") as broken:
            broken.write(f"\n{line}\n")

    found = lint(tmp_path)

    assert found.returncode != 0
    broken_ones = [each for each in found.stdout.splitlines() if " BROKEN" in each]
    noticed = {name for name in BREACHES if any(name in each for each in broken_ones)}
    assert noticed == BREACHES.keys()


def test_only_the_fast_path_calls_libbpf() -> None:
    users = {
        str(each.relative_to(PACKAGE))
        for each in PACKAGE.rglob("*.py")
        if any(
            isinstance(node, ast.ImportFrom) and node.module == "mcastd._libbpf"
            for node in ast.walk(ast.parse(each.read_text()))
        )
    }
    assert users
    assert [each for each in sorted(users) if not USERS_OF_LIBBPF.match(each)] == []
