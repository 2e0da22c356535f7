"""Which tools show the firewall's rules, and what cannot be seen without them."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcastd.net import firewall


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory, in which alone tools are looked for; no old tables are in use."""
    monkeypatch.setattr(firewall, "PATH", str(tmp_path))
    old = {family: (tmp_path / family, name) for family, (_, name) in firewall.LEGACY.items()}
    monkeypatch.setattr(firewall, "LEGACY", old)
    return tmp_path


def install(tools: Path, name: str) -> Path:
    made = tools / name
    made.write_text(f"#!/bin/sh\necho '# {name}'\n")
    made.chmod(0o755)
    return made


@pytest.mark.parametrize(
    ("installed", "problem"),
    [
        ((), "the host's firewall: neither nft(8) nor iptables-save(8) is installed"),
        (("iptables-save",), "rules that iptables does not know: nft(8) is not installed"),
        (("nft",), None),
    ],
)
def test_what_is_not_installed_is_told_where_it_leaves_something_unseen(
    tools: Path, installed: tuple[str, ...], problem: str | None
) -> None:
    for name in installed:
        install(tools, name)
    assert firewall.firewall_text().problems == (() if problem is None else (problem,))


def test_old_tables_that_nobody_can_show_are_told(tools: Path) -> None:
    install(tools, "nft")
    (tools / "ip6").write_text("filter\n")
    (problem,) = firewall.firewall_text().problems
    assert problem.endswith("in use: ip6tables-legacy-save(8) is not installed")


def test_a_tool_of_two_names_is_asked_once(tools: Path) -> None:
    """Where iptables is the old one, its tables would be there twice."""
    install(tools, "nft")
    (tools / "ip").write_text("filter\n")
    old = install(tools, "iptables-legacy-save")
    (tools / "iptables-save").symlink_to(old)
    shown = [command for _, command, _ in firewall.firewall_text().tables]
    assert shown == ["iptables-save -c"]

    (tools / "iptables-save").unlink()
    install(tools, "iptables-save")
    shown = [command for _, command, _ in firewall.firewall_text().tables]
    assert shown == ["iptables-save -c", "iptables-legacy-save -c"]
