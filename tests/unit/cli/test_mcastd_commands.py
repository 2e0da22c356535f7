"""The commands of `mcastd`: all there are, and those of a package that is not installed."""

from __future__ import annotations

import sys

import pytest
from mcastd.cli.mcastd import COMMANDS, main, parser

EXTRAS = [(name, module.partition(".")[0]) for name, module in COMMANDS.items()
          if not module.startswith("mcastd.")]  # fmt: skip


def test_all_commands_are_offered_where_all_is_installed() -> None:
    help_text = parser().format_help()
    assert EXTRAS
    for name in COMMANDS:
        assert f"\n    {name.replace('_', '-')}" in help_text


@pytest.mark.parametrize(("command", "package"), EXTRAS)
def test_a_command_that_is_not_installed_names_its_package(
    command: str, package: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    assert main([command]) == 3

    said = capsys.readouterr().err
    assert said == f"mcastd {command}: not installed: it is in the package mcastd-lab\n"
    assert f"\n    {command} " not in parser().format_help()
