"""Compares what a run did with what its scenario expects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from mcastd.gmp.time import Instant, milliseconds
from mcastd.simulate import describing
from mcastd.simulate.comparing import agrees, differing, merged
from mcastd.simulate.lines import Line
from mcastd.simulate.matching import assign
from mcastd.simulate.scenario import (
    JSON,
    AnyOf,
    Expectation,
    Expected,
    ExpectedEnd,
    Scenario,
    Silent,
    Window,
)

TOLERANCE = milliseconds(1)
"""How far from its time a line may be."""

_MOST_CHOICES = 4096
"""Combinations of `any_of` alternatives that are tried."""

Single = Expected | Silent | ExpectedEnd


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """`at` is what differences are sorted by, `sign` is `-` (missing), `+` (too much) or `!`."""

    at: Instant
    sign: str
    text: str

    def __str__(self) -> str:
        return f"{self.sign} {self.text}"


def check(scenario: Scenario, lines: Sequence[Line]) -> list[Difference]:
    """What is not as expected, in order of time; of several alternatives the nearest."""
    fewest: list[Difference] | None = None
    for entries in _choices(scenario.expectations):
        found = sorted(_compare(entries, lines, scenario.exhaustive))
        if not found:
            return []
        if fewest is None or len(found) < len(fewest):
            fewest = found
    return fewest or []


def _choices(expectations: Sequence[Expectation]) -> Iterator[list[Single]]:
    """Every list of entries that the alternatives allow."""
    for chosen in islice(product(*map(_alternatives, expectations)), _MOST_CHOICES):
        yield [entry for entries in chosen for entry in entries]


def _alternatives(expectation: Expectation) -> list[list[Single]]:
    if not isinstance(expectation, AnyOf):
        return [[expectation]]
    return [entries for each in expectation.alternatives for entries in _choices(each)]


def _compare(
    entries: Sequence[Single], lines: Sequence[Line], exhaustive: bool
) -> Iterator[Difference]:
    expected = [entry for entry in entries if isinstance(entry, Expected)]
    sends = [line for line in lines if line.kind == "send"]
    for entry in entries:
        if isinstance(entry, Silent):
            yield from _not_silent(entry, sends)
        elif isinstance(entry, ExpectedEnd):
            yield from _ends_otherwise(entry, lines[-1])
    others = [line for line in lines if line.kind != "send"]
    yield from _unaccounted([e for e in expected if e.kind != "send"], others, exhaustive=False)
    yield from _sends_differ([e for e in expected if e.kind == "send"], sends, exhaustive)


def _sends_differ(
    expected: Sequence[Expected], sends: Sequence[Line], exhaustive: bool
) -> Iterator[Difference]:
    left = list(sends)
    for entry in expected:
        if entry.merged:
            messages = _moment(entry, left)
            if not messages:
                yield _missing(entry)
            yield from _too_long(entry, messages)
            taken = set(map(id, messages))
            left = [line for line in left if id(line) not in taken]
    yield from _unaccounted([e for e in expected if not e.merged], left, exhaustive)


def _moment(entry: Expected, sends: Iterable[Line]) -> list[Line]:
    """The messages of the first instant at which all together are what the entry describes."""
    assert isinstance(entry.value, dict)
    together = {name: value for name, value in entry.value.items() if name == "records"}
    each = {name: value for name, value in entry.value.items() if name != "records"}
    moments: dict[Instant, list[Line]] = {}
    for line in sends:
        if _is_in_time(entry.window, line) and agrees(each, line.value):
            moments.setdefault(line.at, []).append(line)
    for messages in moments.values():
        if entry.count in (None, len(messages)) and agrees(together, _merged_records(messages)):
            return messages
    return []


def _merged_records(messages: Iterable[Line]) -> JSON:
    records = [
        record
        for line in messages
        if isinstance(line.value, Mapping)
        for record in _list(line.value.get("records"))
    ]
    return {"records": [dict(each) for each in merged(records)]}


def _list(records: JSON) -> list[dict[str, JSON]]:
    return [each for each in records if isinstance(each, dict)] if isinstance(records, list) else []


def _unaccounted(
    expected: Sequence[Expected], lines: Sequence[Line], exhaustive: bool
) -> Iterator[Difference]:
    wanted = [entry for entry in expected for _ in range(entry.count or 1)]
    choices = [_candidates(entry, lines) for entry in wanted]
    chosen = assign(choices)
    for entry, choice in zip(wanted, chosen, strict=True):
        if choice is None:
            yield _missing(entry)
        else:
            yield from _too_long(entry, [lines[choice]])
    if exhaustive:
        accounted = set(chosen)
        for i, line in enumerate(lines):
            if i not in accounted:
                yield _unexpected(line)


def _candidates(entry: Expected, lines: Sequence[Line]) -> list[int]:
    return [i for i, line in enumerate(lines) if _accounts_for(entry, line)]


def _accounts_for(entry: Expected, line: Line) -> bool:
    return (
        line.kind == entry.kind
        and _is_in_time(entry.window, line)
        and entry.packet in (None, line.packet)
        and agrees(entry.value, line.value)
    )


def _is_in_time(window: Window, line: Line) -> bool:
    return window.first - TOLERANCE <= line.at <= window.last + TOLERANCE


def _missing(entry: Expected) -> Difference:
    what = describing.what(entry.kind, entry.value)
    together = ", all messages of the moment together" if entry.merged else ""
    packets = f", in {entry.count} messages" if entry.merged and entry.count else ""
    return Difference(
        entry.window.first,
        "-",
        f"{describing.span(entry.window)}  {what}{together}{packets}"
        f"  (expected by line {entry.line}, did not happen)",
    )


def _unexpected(line: Line) -> Difference:
    what = describing.what(line.kind, line.value)
    return Difference(line.at, "+", f"{describing.at(line.at)}  {what}  (sent, not expected)")


def _too_long(entry: Expected, messages: Iterable[Line]) -> Iterator[Difference]:
    for line in messages:
        size = len(line.packet or b"")
        if entry.longest is not None and size > entry.longest:
            yield Difference(
                line.at,
                "!",
                f"{describing.at(line.at)}  a packet of {size} bytes, more than max_packet"
                f" {entry.longest}  (line {entry.line})",
            )


def _not_silent(entry: Silent, sends: Iterable[Line]) -> Iterator[Difference]:
    for line in sends:
        if line.at in entry.window:
            what = describing.what(line.kind, line.value)
            text = f"{describing.at(line.at)}  {what}  (sent, line {entry.line} wants silence)"
            yield Difference(line.at, "+", text)


def _ends_otherwise(entry: ExpectedEnd, last: Line) -> Iterator[Difference]:
    assert last.kind == "end"
    assert isinstance(last.value, Mapping)
    if entry.window is not None and not _is_in_time(entry.window, last):
        span = describing.span(entry.window)
        text = f"end: at {describing.at(last.at)}, not {span}  (expected by line {entry.line})"
        yield Difference(last.at, "!", text)
    for each in differing(entry.value, last.value):
        yield Difference(last.at, "!", f"end: {each}  (expected by line {entry.line})")
