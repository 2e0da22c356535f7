"""Names of interfaces as they are shown, and as words for a shell."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given as given_that
from hypothesis import settings
from hypothesis import strategies as st
from mcastd.net.names import given, raw, shown, word

NAMES = st.binary(min_size=1, max_size=15).filter(
    lambda name: not set(name) & set(b"\0/: \t\n\v\f\r")
)
"""What the kernel takes, dev_valid_name()."""


@pytest.mark.parametrize(
    ("device", "text"),
    [
        (b"eth0.100", "eth0.100"),
        ("büro".encode(), "büro"),
        (b"\xff\xfe0", r"\xff\xfe0"),
        (b"\x1b[2J", r"\x1b[2J"),
        (b"a\\b", r"a\\b"),
        (b"\xe2\x80\xae0", r"\xe2\x80\xae0"),
    ],
    ids=["usual", "UTF-8", "none", "terminal", "backslash", "right to left"],
)
def test_a_name_is_shown_so_that_it_does_no_harm(device: bytes, text: str) -> None:
    assert shown(device) == text
    assert raw(text) == device


@given_that(NAMES)
def test_each_shown_name_stands_for_one_device(name: bytes) -> None:
    assert raw(shown(name)) == name
    assert shown(name).isprintable()


def test_a_name_that_a_shell_has_made_is_the_one_that_is_shown() -> None:
    assert given("\udcff0") == shown(b"\xff0") == given(r"\xff0")
    assert given(r"a\0") == shown(rb"a\0") == given(r"a\\0")


@pytest.mark.parametrize("name", ["eth0", "eth0.100", "br-lan", "eth0@if5"])
def test_a_usual_name_is_a_word_as_it_is(name: str) -> None:
    assert word(name) == name


@settings(deadline=None, max_examples=40)
@given_that(NAMES)
def test_a_word_is_the_name_to_a_shell(name: bytes) -> None:
    printed = subprocess.run(
        ["bash", "-c", f"printf %s {word(shown(name))}"], capture_output=True, check=True
    )

    assert printed.stdout == name
    assert printed.stderr == b""
