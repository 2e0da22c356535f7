"""The documentation: links lead somewhere, commands are taken, files that it shows are valid."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import mcastd
import pytest
import yaml
from mcastd.service.config import load
from support.command_lines import commands_in, is_taken
from support.markdown import anchors_of_github, anchors_of_the_site, indented_blocks, links

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
SITE = ROOT / "mkdocs.yml"
PLAYBOOK = ROOT / "deploy" / "ansible" / "mcastd.yml"
TRYING = ROOT / "deploy" / "prometheus" / "prometheus.yml"
SHIPPED = ROOT / "deploy" / "debian" / "mcastd-prometheus.install"

PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
HAND_MADE = [each for each in PAGES if each.parent.name != "reference"]
"""The others are made of the code, and show how a command is called rather than a command."""


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_each_link_leads_to_something_that_is_there(page: Path) -> None:
    """Its anchor, too, on the site as on a forge that shows the repository."""
    for target in links(page.read_text()):
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), target
        if anchor:
            text = path.read_text()
            assert anchor in anchors_of_github(text) & anchors_of_the_site(text), target


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=name)
def test_a_page_of_the_site_leads_only_to_what_is_on_the_site(page: Path) -> None:
    for target in links(page.read_text()):
        path = (page.parent / target.partition("#")[0]).resolve()
        assert path.is_relative_to(DOCS), target


def test_each_page_is_in_the_contents_of_the_site_once() -> None:
    listed = re.findall(r"[\w/-]+\.md", str(yaml.safe_load(SITE.read_text())["nav"]))
    assert sorted(listed) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


@pytest.mark.skipif(not shutil.which("mkdocs"), reason="mkdocs is not installed")
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    command = ["mkdocs", "build", "--quiet", "--strict", "-f", str(SITE), "-d", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    for path in DOCS.rglob("*.md"):
        assert (tmp_path / path.relative_to(DOCS).with_suffix(".html")).exists()
    text = " ".join(path.read_text() for path in tmp_path.rglob("*.html"))
    assert not re.search(r"<(script|link)\b[^>]*(src|href)=\"(https?:)?//", text)


@pytest.mark.parametrize("page", HAND_MADE, ids=name)
def test_the_commands_of_a_page_are_taken(page: Path) -> None:
    said = commands_in(page.read_text())
    assert [command for command in said if not is_taken(command)] == []


def settings_in(page: Path) -> list[str]:
    """Blocks that begin with a section of a configuration of mcastd."""
    blocks = (each for block in indented_blocks(page.read_text()) for each in parts(block))
    return [each for each in blocks if re.match(r"\[\[?(defaults|interface|metrics|agent)\b", each)]


def parts(block: str) -> list[str]:
    """A block of commands, an empty line and a block of settings are two."""
    return re.split(r"\n\n(?=\[)", block)


def test_pages_show_settings_and_commands() -> None:
    """What follows would prove nothing if none were found."""
    assert sum(len(settings_in(page)) for page in HAND_MADE) >= 6
    assert sum(len(list(commands_in(page.read_text()))) for page in HAND_MADE) >= 100


@pytest.mark.parametrize("page", HAND_MADE, ids=name)
def test_the_settings_that_a_page_shows_are_taken(page: Path, tmp_path: Path) -> None:
    for text in settings_in(page):
        path = tmp_path / "mcastd.toml"
        path.write_text(text)
        load(path)


def test_the_quick_start_has_five_steps_with_a_command_each() -> None:
    text = (DOCS / "quickstart.md").read_text()
    steps = re.split(r"^## \d\. ", text, flags=re.M)[1:]
    assert len(steps) == 5
    for step in steps:
        first = next(indented_blocks(step.partition("\n## ")[0]))
        assert re.match(r"(sudo |curl |printf )", first)


def test_what_the_quick_start_runs_prometheus_with_is_in_the_package() -> None:
    text = (DOCS / "quickstart.md").read_text()
    examples = SHIPPED.with_suffix(".examples").read_text().split()
    assert examples == [name(TRYING)]
    assert "/usr/share/doc/mcastd-prometheus/examples/prometheus.yml" in text
    [rules] = yaml.safe_load(TRYING.read_text())["rule_files"]
    shipped = dict(line.split() for line in SHIPPED.read_text().splitlines())
    file, directory = next(each for each in shipped.items() if each[0].endswith("rules.yml"))
    assert rules == f"/{directory}/{Path(file).name}"
    assert (DOCS / "alerts" / "MulticastHookMissing.md").exists()


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_prometheus_takes_the_configuration_to_try_it_with() -> None:
    command = ["promtool", "check", "config", "--syntax-only", str(TRYING)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_settings_of_the_playbook_are_taken(tmp_path: Path) -> None:
    [play] = yaml.safe_load(PLAYBOOK.read_text())
    variables: dict[str, Any] = play["vars"]
    assert f"/build/deb/mcastd_{mcastd.__version__}_" in variables["mcastd_package"]
    path = tmp_path / "mcastd.toml"
    path.write_text(variables["mcastd_settings"])
    load(path)
    commands = [task.get("ansible.builtin.command", "") for task in play["tasks"]]
    assert all(is_taken(command) for command in commands if command)


@pytest.mark.skipif(not shutil.which("ansible-playbook"), reason="ansible is not installed")
def test_ansible_takes_the_playbook() -> None:
    command = ["ansible-playbook", "--syntax-check", "-i", "localhost,", str(PLAYBOOK)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
