"""Whether a line of the output is what an entry describes; only fields that it names count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from mcastd.simulate.matching import assign
from mcastd.simulate.scenario import JSON

Fields = Mapping[str, JSON]

_RECORD_FIELDS = {"type", "group", "sources"}


def agrees(expected: JSON, actual: JSON) -> bool:
    """Records and sources are compared as sets, all else by value."""
    if not isinstance(expected, Mapping) or not isinstance(actual, Mapping):
        return expected == actual
    return all(_field_agrees(name, value, actual) for name, value in expected.items())


def _field_agrees(name: str, expected: JSON, actual: Fields) -> bool:
    if name not in actual:
        return False
    if name == "records":
        return records_agree(_records(expected), _records(actual[name]))
    return expected == actual[name]


def _records(value: JSON) -> Sequence[Fields]:
    return cast("Sequence[Fields]", value)


def records_agree(expected: Sequence[Fields], actual: Sequence[Fields]) -> bool:
    if len(expected) != len(actual):
        return False
    if all(each.keys() == _RECORD_FIELDS for each in expected):
        return Counter(map(_identity, expected)) == Counter(map(_identity, actual))
    choices = [
        [i for i, candidate in enumerate(actual) if agrees(dict(each), dict(candidate))]
        for each in expected
    ]
    return None not in assign(choices)


def _identity(record: Fields) -> tuple[JSON, JSON, tuple[str, ...]]:
    return record["type"], record["group"], tuple(sorted(_sources(record)))


def _sources(record: Fields) -> Sequence[str]:
    return cast("Sequence[str]", record["sources"])


def merged(records: Sequence[Fields]) -> list[Fields]:
    """Records of the same type and group as one, with the sources of all."""
    together: dict[tuple[JSON, JSON], set[str]] = {}
    for record in records:
        together.setdefault((record["type"], record["group"]), set()).update(_sources(record))
    return [
        {"type": kind, "group": group, "sources": cast("list[JSON]", sorted(sources))}
        for (kind, group), sources in together.items()
    ]


def differing(expected: Fields, actual: Fields, path: str = "") -> Iterator[str]:
    """What in a mapping is not as expected; an empty mapping stands for an empty one."""
    for name, value in expected.items():
        where = f"{path}.{name}".lstrip(".")
        found = actual.get(name)
        if isinstance(value, Mapping) and isinstance(found, Mapping) and value:
            yield from differing(value, found, where)
        elif value != found:
            yield f"{where} is {_shown(found)}, not {_shown(value)}"


def _shown(value: JSON) -> str:
    if value is None:
        return "absent"
    if isinstance(value, Mapping):
        return "{" + ", ".join(value) + "}"
    return str(value)
