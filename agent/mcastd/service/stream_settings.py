"""[streams] of the configuration: what is said of all interfaces' streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mcastd.allowed import Allowed, number
from mcastd.gmp.time import Duration, milliseconds, seconds
from mcastd.printable import brief
from mcastd.service.documents import Unread

DEFAULT_MOST = 4096
"""Streams of all interfaces."""

MOST = 65_536
MOST_FORMATS = 32
"""MCAST_STREAM_FORMATS."""

LEAST_PAIRS = 8
"""For so many there is room, so that a reload may add some."""


class StreamSettingsError(ValueError):
    """Names the key and says what is allowed."""


class StreamSettings(NamedTuple):
    """`lossy`: the share that may be lost; `most`: streams that have room; `formats`, `pairs`: of
    tables.
    """

    lossy: float = 0.001
    stalled_after: Duration = seconds(3)
    most: int = DEFAULT_MOST
    formats: tuple[Any, ...] = ()
    pairs: tuple[Any, ...] = ()
    pair_window: Duration = milliseconds(150)

    @property
    def room_for_pairs(self) -> int:
        """For which the agent makes room when it starts."""
        return max(LEAST_PAIRS, len(self.pairs))


def merged_streams(earlier: StreamSettings, section: Unread) -> StreamSettings:
    """A file's [streams] over those of files before it. StreamSettingsError."""
    made = earlier
    for key, value in section.items():
        if key in KEYS:
            made = made._replace(**{KEYS[key].field: _read(key, value)})
        elif key == FORMAT:
            more = tuple(each for entry in _tables(key, value) for each in _formats(entry))
            made = made._replace(formats=made.formats + more)
        elif key == PAIR:
            made = made._replace(pairs=_pairs(made.pairs, _tables(key, value)))
        else:
            known = ", ".join((*KEYS, FORMAT, PAIR))
            raise StreamSettingsError(f"{key} = {brief(value)}: no such key; {known}")
    if len(made.formats) > MOST_FORMATS:
        raise StreamSettingsError(f"format: {len(made.formats)} of them; {MOST_FORMATS} at most")
    return made


class Key(NamedTuple):
    """The field of StreamSettings, what may be given, and what the field has of it."""

    field: str
    allowed: Allowed
    of: Callable[[Any], Any]


KEYS: Mapping[str, Key] = {
    "lossy": Key("lossy", number(0, 1), float),
    "stalled_after": Key("stalled_after", number(0.1, 3600, "seconds"), seconds),
    "max_streams": Key("most", number(1, MOST), int),
    "pair_window": Key("pair_window", number(0.001, 1, "seconds"), seconds),
}
"""By the names of files."""

FORMAT = "format"
PAIR = "pair"


def _read(key: str, value: object) -> Any:
    field = KEYS[key]
    try:
        return field.of(field.allowed.read(value))
    except (TypeError, ValueError):
        allowed = f"allowed is {field.allowed.text}"
        raise StreamSettingsError(f"{key} = {brief(value)}: {allowed}") from None


def _tables(key: str, value: object) -> list[Unread]:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise StreamSettingsError(f"{key} = {brief(value)}: write [[streams.{key}]]")
    return value


def _whole(key: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise StreamSettingsError(f"format.{key} = {brief(value)}: a whole number")


FORMAT_KEYS = {"groups", "port", "format", "offset", "width", "count"}


def _formats(entry: Unread) -> list[Any]:
    """One for each of the groups."""
    # Only now: most settings have none, and interfaces are attached when the settings are read.
    from mcastd.streams.formats import FormatError, StreamFormat, networks  # noqa: PLC0415

    unknown = set(entry) - FORMAT_KEYS
    if unknown or "groups" not in entry:
        raise StreamSettingsError(
            f"format = {brief(entry)}: keys are {', '.join(sorted(FORMAT_KEYS))}"
        )
    given = entry["groups"]
    groups = given if isinstance(given, list) else [given]
    port = _whole("port", entry["port"]) if "port" in entry else None
    numbers = {key: _whole(key, entry.get(key, default)) for key, default in NUMBERS.items()}
    custom = "custom" if "width" in entry else "none"
    try:
        return [
            StreamFormat(
                networks(str(each)),
                port,
                str(entry.get("format", custom)),
                numbers["offset"],
                numbers["width"],
                numbers["count"],
            ).checked()
            for each in groups
        ]
    except FormatError as error:
        raise StreamSettingsError(f"format = {brief(entry)}: {error}") from None


NUMBERS = {"offset": 0, "width": 0, "count": 1}

PAIR_KEYS = {"a", "b"}


def _pairs(earlier: tuple[Any, ...], entries: list[Unread]) -> tuple[Any, ...]:
    """Those of files before, and these."""
    from mcastd.streams.pairs import (  # noqa: PLC0415 (as above)
        Pair,
        PairError,
        checked_pairs,
        parse_interface_leg,
    )

    made = []
    for entry in entries:
        if set(entry) != PAIR_KEYS or not all(isinstance(each, str) for each in entry.values()):
            raise StreamSettingsError(
                f'{PAIR} = {brief(entry)}: give two legs, a = "eth0 239.1.1.1:5004" and b'
            )
        try:
            made.append(Pair(*(parse_interface_leg(str(entry[leg])) for leg in sorted(PAIR_KEYS))))
        except PairError as error:
            raise StreamSettingsError(f"{PAIR}: {error}") from None
    try:
        return checked_pairs((*earlier, *made))
    except PairError as error:
        raise StreamSettingsError(f"{PAIR}: {error}") from None
