"""Writes one line for each event that `mcastctl watch` and `mcastctl top` show."""

from __future__ import annotations

import time
from typing import Any

from mcastd.classify.lines import as_text
from mcastd.cli.namespace_tables import qualified

FATES = {None: ">", "own": ">", "held_back": "|"}
"""What leaves the host and what is held back, in host mode."""


def event_line(event: dict[str, Any]) -> str:
    """One line for an event of `watch`."""
    fields = dict(event)
    name = fields.pop("event")
    if name == "message":
        text = as_text({"n": "", **fields}).strip()
        arrow = "<" if fields["direction"] == "rx" else FATES[fields.get("fate")]
        clock, _, rest = text.partition("  ")
        return f"{clock}  {qualified(event)} {arrow} {rest}"
    at = fields.pop("ts", None)
    if "interface" in fields:
        fields |= {"interface": qualified(fields)}
        fields.pop("namespace", None)
    clock = " " * 15
    if at is not None:
        clock = time.strftime("%H:%M:%S", time.gmtime(at)) + f"{at % 1:.6f}"[1:]
    said = "  ".join(f"{key} {value_text(value)}" for key, value in fields.items() if value != [])
    return f"{clock}  {name.upper()}  {said}"


def value_text(value: object) -> str:
    return "{" + ", ".join(map(str, value)) + "}" if isinstance(value, list) else str(value)
