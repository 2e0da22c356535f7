"""By which agents know of one another on an interface."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from mcastd.service.signs import PREFIX, SignOnLink, agents_on, signs

INDEX = 1_000_000 + os.getpid()
"""Of no interface, and of this run alone."""

HEAD = "Num       RefCount Protocol Flags    Type St Inode Path\n"


def test_each_agent_that_runs_an_interface_is_counted_until_it_does_not() -> None:
    one, other = SignOnLink(), SignOnLink()
    one.update([INDEX])
    other.update([INDEX, INDEX + 1])
    for _ in range(3):  # who has asked is not taken for an agent
        assert agents_on([INDEX, INDEX + 1]) == {INDEX: 2, INDEX + 1: 1}
        one.update([INDEX])
    other.update([INDEX + 1])
    assert agents_on([INDEX, INDEX + 1]) == {INDEX: 1, INDEX + 1: 1}
    one.close()
    other.close()
    assert agents_on([INDEX, INDEX + 1]) == {}


def test_a_name_without_a_listener_is_no_agent() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{PREFIX}{INDEX}/forged")
        assert agents_on([INDEX]) == {}


@pytest.mark.parametrize("name", ["@mcastd/agent/x/1", "@mcastd/agent/", "/run/x", "@mcastd"])
def test_other_names_are_none(name: str) -> None:
    line = f"0000: 00000002 00000000 00010000 0001 01 123 {name}\n"
    assert list(signs(HEAD + line)) == []


def test_a_table_that_cannot_be_read_tells_of_nobody(tmp_path: Path) -> None:
    assert agents_on([INDEX], tmp_path / "none") == {}
