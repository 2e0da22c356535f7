"""Checks the requests of the control socket: methods, parameters and their types."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypedDict, cast

from mcastd.printable import brief, printable
from mcastd.service.after_leave import LONGEST
from mcastd.service.documents import Unread

LONGEST_TEXT = 256
"""Characters of a name or an address."""

LONGEST_APPLICATION = 64

A_REQUEST = 'a request is {"method": ..., "parameters": {}}, each key once'


class RequestError(Exception):
    """A request that cannot be answered, by a code that programs understand."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Kind:
    """What a parameter may be."""

    def __init__(self, fits: Callable[[object], bool], allowed: str) -> None:
        self.fits = fits
        self.allowed = allowed


def is_text(value: object) -> bool:
    """Not too long, and made of characters, or of the bytes of a name that is none."""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        return False
    try:
        value.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def is_application(value: object) -> bool:
    """Not empty, and fit to be shown."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_APPLICATION:
        return False
    return printable(value) == value and value.strip() == value


def whole(most: int, of: str = "") -> Kind:
    """A whole number from 0 on; `of`: of what, in words."""
    return Kind(
        lambda value: isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most,
        f"a whole number{of} from 0 to {most}",
    )


TEXT = Kind(is_text, f"a text of at most {LONGEST_TEXT} characters")
YES_OR_NO = Kind(lambda value: isinstance(value, bool), "true or false")
NUMBER = whole(255)
APPLICATION = Kind(
    is_application,
    f"a name of at most {LONGEST_APPLICATION} visible characters, without spaces around it",
)
HOLD_AFTER_LEAVE = whole(LONGEST, " of seconds")
ADDRESSES = Kind(
    lambda value: isinstance(value, list) and all(map(is_text, value)), "a list of addresses"
)

OF_MEMBERSHIP = {
    "name": TEXT, "group": TEXT, "sources": ADDRESSES, "exclude": YES_OR_NO, "hold": YES_OR_NO,
    "as": APPLICATION, "program": APPLICATION, "kernel": YES_OR_NO,
}  # fmt: skip

Parameters = TypedDict(
    "Parameters",
    {
        "name": str, "group": str, "sources": list[str], "exclude": bool, "hold": bool, "as": str,
        "program": str, "kernel": bool, "type": str, "interface": str, "mode": str,
        "protocol": str, "version": int, "dry_run": bool, "announce": bool, "persist": bool,
        "undo": bool, "hold_after_leave": int, "now": bool,
    },
    total=False,
)  # fmt: skip
"""What a request that was checked may have, whatever its method; `name`: of an interface."""

PARAMETERS: Mapping[str, Mapping[str, Kind]] = {
    "status": {},
    "querier": {"name": TEXT},
    "groups": {"name": TEXT, "group": TEXT},
    "counters": {"name": TEXT},
    "streams": {"name": TEXT, "group": TEXT},
    "pairs": {},
    "doctor": {"name": TEXT, "group": TEXT},
    "recording": {"name": TEXT},
    "configuration": {},
    "watch": {"type": TEXT, "interface": TEXT},
    "join": OF_MEMBERSHIP | {"hold_after_leave": HOLD_AFTER_LEAVE},
    "leave": OF_MEMBERSHIP | {"now": YES_OR_NO},
    "mode": {"name": TEXT, "mode": TEXT},
    "version": {
        "name": TEXT, "protocol": TEXT, "version": NUMBER,
        "dry_run": YES_OR_NO, "announce": YES_OR_NO, "persist": YES_OR_NO,
    },
    "reload": {"undo": YES_OR_NO},
}  # fmt: skip
"""All methods. None of a parameter's value is as if it were left out."""


def parsed(line: bytes) -> tuple[str, dict[str, object]]:
    """The method, whatever it is called, and the parameters. RequestError for anything else."""
    try:
        request = json.loads(line, object_pairs_hook=each_once)
        method, parameters = request["method"], request.get("parameters") or {}
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise RequestError("bad_request", A_REQUEST) from None
    if not isinstance(method, str) or not isinstance(parameters, dict):
        raise RequestError("bad_request", A_REQUEST)
    return method, parameters


def each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """ValueError for a key that is there twice: which of them is meant?"""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError
    return made


def checked(method: str, parameters: Unread) -> Parameters:
    """The parameters that are given; RequestError for a method, a name or a value that is none."""
    known = PARAMETERS.get(method)
    if known is None:
        methods = ", ".join(PARAMETERS)
        raise RequestError("unknown_method", f"{brief(method)}: no such method; {methods}")
    given: dict[str, object] = {}
    for name, value in parameters.items():
        kind = known.get(name)
        if kind is None:
            names = ", ".join(known) or "none"
            raise RequestError(
                "bad_parameter",
                f"{brief(name)[1:-1]} = {brief(value)}: not a parameter of {method} ({names})",
            )
        if value is None:
            continue
        if not kind.fits(value):
            raise RequestError(
                "bad_parameter",
                f"{name} = {brief(value)}: not a parameter of this kind; allowed is {kind.allowed}",
            )
        given[name] = value
    return cast(Parameters, given)
