"""The reference of all settings and its schema say what the files are really checked by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcastd.service.config import ConfigFileError, load
from support.settings_reference import (
    INTERFACE,
    MANUAL,
    PAGE,
    SCHEMA,
    Setting,
    meanings,
    page,
    schema,
    schema_of,
    schema_text,
    settings,
)

ALL = list(settings())
BOUNDED = [each for each in ALL if "minimum" in schema_of(each)]


def is_taken(directory: Path, setting: Setting, value: Any) -> bool:
    path = directory / "mcastd.toml"
    section = setting.section.replace("NAME", "eth0")
    path.write_text(f"[{section}]\n{setting.name} = {json.dumps(value)}\n")
    try:
        load(path)
    except ConfigFileError:
        return False
    return True


def test_page_and_schema_are_up_to_date() -> None:
    """tests/support/settings_reference.py writes them anew."""
    assert PAGE.read_text() == page()
    assert SCHEMA.read_text() == schema_text()


def test_the_manual_page_has_each_setting() -> None:
    assert {(each.section, each.name) for each in ALL} <= meanings(MANUAL.read_text()).keys()


@pytest.mark.parametrize("setting", BOUNDED, ids=lambda each: each.name)
def test_bounds_of_the_schema_are_those_of_the_files(setting: Setting, tmp_path: Path) -> None:
    bounds = schema_of(setting)
    step = 1 if bounds["type"] == "integer" else 0.001
    assert is_taken(tmp_path, setting, bounds["minimum"])
    assert is_taken(tmp_path, setting, bounds["maximum"])
    assert not is_taken(tmp_path, setting, bounds["minimum"] - step)
    assert not is_taken(tmp_path, setting, bounds["maximum"] + 1)


@pytest.mark.parametrize("setting", ALL, ids=lambda each: each.name)
def test_each_default_may_be_written_into_a_file(setting: Setting, tmp_path: Path) -> None:
    if setting.default is not None:
        assert is_taken(tmp_path, setting, setting.default)


def test_words_are_those_of_the_files(tmp_path: Path) -> None:
    for setting in ALL:
        words = schema_of(setting).get("enum", [])
        assert all(is_taken(tmp_path, setting, each) for each in words)
        assert not words or not is_taken(tmp_path, setting, "another")


def test_the_schema_knows_each_key_of_an_interface() -> None:
    known = schema()["$defs"]["interface"]["properties"]
    assert {each.name for each in ALL if each.section == INTERFACE} < known.keys()
