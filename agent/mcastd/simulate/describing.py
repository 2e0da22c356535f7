"""Lines and expectations in a few words, for people who look for the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from mcastd.gmp.time import Instant, in_seconds
from mcastd.simulate.scenario import JSON, Window

_MOST_SOURCES = 6
_MOST_RECORDS = 8


def at(instant: Instant) -> str:
    return f"{in_seconds(instant):.3f}"


def span(window: Window) -> str:
    if window.first == window.last:
        return at(window.first)
    return f"{at(window.first)}..{at(window.last)}"


def what(kind: str, value: JSON) -> str:
    """A line's content: `report v3 TO_EX 239.1.2.3 {}`."""
    if kind == "send" and isinstance(value, Mapping):
        return _message(value)
    if isinstance(value, Mapping):
        return f"{kind} " + ", ".join(f"{name} {each}" for name, each in value.items())
    return f"{kind} {value}"


def _message(value: Mapping[str, JSON]) -> str:
    words = [str(value.get("message", "any message"))]
    if "version" in value:
        words.append(f"v{value['version']}")
    if "group" in value:
        words.append(str(value["group"]))
    if "records" in value:
        words.append(_records(cast("Sequence[Mapping[str, JSON]]", value["records"])))
    words += [f"{name} {value[name]}" for name in ("from", "to") if name in value]
    return " ".join(words)


def _records(records: Sequence[Mapping[str, JSON]]) -> str:
    if not records:
        return "(no records)"
    shown = [_record(each) for each in records[:_MOST_RECORDS]]
    more = len(records) - len(shown)
    return ", ".join(shown) + (f", and {more} more records" if more else "")


def _record(record: Mapping[str, JSON]) -> str:
    words = [str(record.get("type", "any record")), str(record.get("group", ""))]
    if "sources" in record:
        words.append(_sources(cast("Sequence[str]", record["sources"])))
    return " ".join(filter(None, words))


def _sources(sources: Sequence[str]) -> str:
    if len(sources) > _MOST_SOURCES:
        return f"{{{sources[0]} .. {sources[-1]}, {len(sources)} sources}}"
    return "{" + ", ".join(sources) + "}"
