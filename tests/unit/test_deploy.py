"""What is deployed beside the package holds with the programs that will read it."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import mcastd
import pytest
import yaml
from mcastd.service.config import load

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "mcastd.rules.yml"
ALERTS = DEPLOY.parent / "docs" / "alerts"
UNIT = DEPLOY / "systemd" / "mcastd.service"
METRICS = DEPLOY.parent / "agent" / "mcastd" / "service"
HOSTS = 500


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


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_a_healthy_week_has_no_alert() -> None:
    result = run("promtool", "test", "rules", str(RULES.with_name("mcastd.week.test.yml")))
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_alert_is_tested_and_has_a_page_that_says_what_to_do() -> None:
    alerts = {
        rule["alert"]: rule
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    tests = yaml.safe_load(RULES.with_suffix(".test.yml").read_text())["tests"]
    fired = {
        each["alertname"]
        for test in tests
        for each in test.get("alert_rule_test", ())
        if each.get("exp_alerts")
    }
    assert set(alerts) == fired
    pages = {each.stem: each.read_text() for each in ALERTS.glob("*.md") if each.stem != "index"}
    assert set(pages) == set(alerts)
    index = (ALERTS / "index.md").read_text()
    for name, rule in alerts.items():
        assert rule["annotations"]["runbook_url"].endswith(f"/mcastd-prometheus/alerts/{name}.md")
        assert f"| [{name}]({name}.md) | {rule['labels']['severity']} | " in index
        for part in (f"# {name}\n", "**Means:**", "**Look at:**", "**Do:**"):
            assert part in pages[name], name


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_few_hosts_without_a_querier_are_ports_and_all_of_them_are_the_querier(
    tmp_path: Path,
) -> None:
    shutil.copy(RULES, tmp_path)
    stories = {"few": (3, 0), "all": (HOSTS, 1)}
    tests = [fleet(name, silent, gone) for name, (silent, gone) in stories.items()]
    path = tmp_path / "fleet.yml"
    document = {"rule_files": [RULES.name], "evaluation_interval": "1m", "tests": tests}
    path.write_text(yaml.safe_dump(document))

    result = run("promtool", "test", "rules", str(path))

    assert result.returncode == 0, result.stdout + result.stderr


def fleet(name: str, silent: int, gone: int) -> dict[str, object]:
    """A fleet in which so many hosts hear no query after the first, and what is to fire."""
    series = []
    for number in range(HOSTS):
        labels = f'job="mcastd", instance="host{number}", interface="eth0", protocol="igmp"'
        heard = "0x20" if number < silent else "0+60x20"
        last = f"mcastd_querier_last_query_timestamp_seconds{{{labels}}}"
        groups = f'mcastd_groups{{{labels}, mode="exclude"}}'
        series += [{"series": last, "values": heard}, {"series": groups, "values": "4x20"}]
    firing = {"MulticastQuerierSilent": silent, "MulticastQuerierGone": gone}
    expected = [
        {
            "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) or vector(0)',
            "eval_time": "12m",
            "exp_samples": [{"labels": "{}", "value": count}],
        }
        for alert, count in firing.items()
    ]
    return {
        "name": name, "interval": "1m", "input_series": series, "promql_expr_test": expected,
    }  # fmt: skip


def test_the_completions_are_those_of_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make completions` makes them."""
    pytest.importorskip("shtab")
    monkeypatch.delenv("MCASTD_CONTROL", raising=False)
    spec = importlib.util.spec_from_file_location("make", DEPLOY / "completions" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
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


def test_every_metric_in_the_rules_is_one_that_the_agent_has() -> None:
    used = set(re.findall(r"(?<!:)\bmcastd_[a-z_]+", RULES.read_text()))
    texts = [each.read_text() for each in METRICS.glob("*metrics.py")]
    known = {name for text in texts for name in re.findall(r'"(mcastd_[a-z_]+)"', text)}
    assert {name.removesuffix("_total") for name in used} <= known


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_unit_is_hardened() -> None:
    result = run("systemd-analyze", "security", "--offline=yes", "--threshold=19", str(UNIT))
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr


def test_the_shipped_configuration_is_good() -> None:
    assert load(DEPLOY / "mcastd.toml").interfaces == {}
