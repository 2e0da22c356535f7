"""The reference pages of docs/ are what the code makes of them now."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
from mcastd.cli import mcastctl, mcastd
from mcastd.service.describe import NAMES
from support.golden import GOLDEN
from support.pages import events, metrics
from support.pages.all import PAGES, REFERENCE
from support.pages.commands import commands


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_page_is_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make completions` writes it anew."""
    monkeypatch.delenv("MCASTD_CONTROL", raising=False)
    assert path.read_text() == PAGES[path]()


def test_no_other_page_is_there() -> None:
    assert set(REFERENCE.glob("*.md")) == PAGES.keys()


def test_the_metrics_of_a_scrape_are_those_that_were_found_in_the_code() -> None:
    found = {each.name: each for each in metrics.families()}
    scraped = (GOLDEN / "metrics.txt").read_text()
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", scraped, flags=re.M))
    types = dict(re.findall(r"^# TYPE (\S+) (.*)$", scraped, flags=re.M))
    assert len(helps) > 30
    for name, text in helps.items():
        assert (found[name].text, found[name].kind) == (text, types[name])
    for name, inner in re.findall(r"^(mcastd_[a-z_]+)\{(.*)\} ", scraped, flags=re.M):
        if name in found and "..." not in inner:
            assert set(re.findall(r"(\w+)=\"", inner)) == found[name].usual, name


def test_each_command_has_what_it_is_for() -> None:
    for parser in (mcastctl.parser(), mcastd.parser()):
        for name, command in commands(parser):
            assert isinstance(command, argparse.ArgumentParser)
            assert command.description, name


def test_each_event_says_what_it_is_and_was_told_once() -> None:
    told = events.examples()
    assert set(NAMES.values()) <= told.keys()
    assert events.meanings().keys() == told.keys() | events.OTHERS.keys()
    assert all(text for texts in events.meanings().values() for text in texts)
