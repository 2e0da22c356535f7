"""What is deployed beside the package holds with the programs that will read it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from mcastd.service.config import load

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "mcastd.rules.yml"
UNIT = DEPLOY / "systemd" / "mcastd.service"
METRICS = Path(__file__).resolve().parents[2] / "agent" / "mcastd" / "service" / "metrics.py"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_prometheus_accepts_the_alerting_rules() -> None:
    result = run("promtool", "check", "rules", str(RULES))
    assert result.returncode == 0, result.stderr


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_the_alerting_rules_do_what_their_tests_say() -> None:
    result = run("promtool", "test", "rules", str(RULES.with_suffix(".test.yml")))
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_metric_in_the_rules_is_one_that_the_agent_has() -> None:
    used = set(re.findall(r"\bmcastd_[a-z_]+", RULES.read_text()))
    known = set(re.findall(r'"(mcastd_[a-z_]+)"', METRICS.read_text()))
    assert {name.removesuffix("_total") for name in used} <= known


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_unit_is_hardened() -> None:
    result = run("systemd-analyze", "security", "--offline=yes", "--threshold=19", str(UNIT))
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr


def test_the_shipped_configuration_is_good() -> None:
    assert load(DEPLOY / "mcastd.toml").interfaces == {}
