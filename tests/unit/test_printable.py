"""No text from outside turns, hides or ends a line where it is shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from mcastd.cli.log import PrintableFormatter
from mcastd.printable import LONGEST, brief, cleaned, printable

ANYTHING = st.text(st.characters(codec=None))
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANYTHING,
    lambda inner: st.lists(inner) | st.dictionaries(ANYTHING, inner),
)


@given(ANYTHING)
def test_what_is_shown_is_visible_and_encodable(text: str) -> None:
    shown = printable(text)
    assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in shown)
    shown.encode()
    assert printable(shown) == shown


def test_text_that_is_fit_stays_as_it_is() -> None:
    for text in ("eth0", "Grüße", "日本語", "a b", "\N{SNOWMAN}"):
        assert printable(text) == text


def test_escapes_line_ends_and_turns_are_told_as_what_they_are() -> None:
    assert printable("\x1b[2J\n\u202e\ud800\x9b") == r"\x1b[2J\n\u202e\ud800\x9b"


@given(NESTED)
def test_a_value_in_an_error_is_one_short_line(value: object) -> None:
    shown = brief(value)
    assert len(shown) <= LONGEST + 3
    assert printable(shown) == shown


def test_a_value_too_large_or_too_deep_is_told_as_that() -> None:
    deep: object = 0
    for _ in range(100_000):
        deep = [deep]
    assert brief(deep) == "a list in many levels"
    assert brief(16**10_000) == "a very large number"
    assert brief([16**10_000]) == "a list too large to show"


@given(NESTED)
def test_a_document_is_cleaned_with_its_keys(value: object) -> None:
    for text in texts(cleaned(value)):
        assert printable(text) == text


def texts(value: Any) -> Iterator[str]:
    """All that a document holds, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        yield from texts(list(value.values()))
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def test_a_log_line_is_one_line() -> None:
    record = logging.LogRecord("m", logging.INFO, "", 0, "%s said", ("a\n\x1b[31mb",), None)
    assert PrintableFormatter("%(message)s").format(record) == r"a\n\x1b[31mb said"
