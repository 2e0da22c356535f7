"""The reference of events: from their classes, and from what a story of all of them tells."""

from __future__ import annotations

import inspect
import json
from typing import Any

from mcastd.service.describe import NAMES

from support.golden import GOLDEN
from support.pages.tables import list_of

HEAD = """# Every event

What `mcastctl watch --json` and `mcastd.client.Client` tell, one JSON object each: made of the
events' classes and of `tests/golden/events.json`, which a test compares with what the agent
tells. `event` is the name that `mcastctl watch --type` knows; `ts` is in seconds since 1970;
`interface`, and where one of them is meant `protocol`, say where. More fields may come; those
that are here stay.
"""

ALWAYS = ("event", "ts", "interface")

OTHERS = {
    "message": "A message that the programs handed over, with all that could be decoded of it.",
    "namespace": "What becomes of another network namespace, `namespace`: its `state`, or gone.",
    "lost": "So many events (`count`) were not told, because this watcher was too slow.",
}
"""What is not made of a class: it concerns no interface, or is told by who hands events over."""


def examples() -> dict[str, list[dict[str, Any]]]:
    """By the event's name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for text in (GOLDEN / "events.json").read_text().splitlines():
        event = json.loads(text)
        found.setdefault(event["event"], []).append(event)
    return found


def meanings() -> dict[str, list[str]]:
    found = {name: [text] for name, text in OTHERS.items()}
    for kind, name in NAMES.items():
        text = " ".join((inspect.getdoc(kind) or "").split())
        found.setdefault(name, []).append(text)
    return found


def fields(told: list[dict[str, Any]]) -> list[str]:
    """In the order in which they come, without those that all events have."""
    names = {name: None for event in told for name in event if name not in ALWAYS}
    return list(names)


def page() -> str:
    lines = [HEAD]
    told = examples()
    for name, texts in meanings().items():
        lines += [f"## {name}", "", *(f"{text}\n" for text in texts)]
        if name in told:
            lines += [f"Fields: {list_of(fields(told[name])) or 'none of its own'}.", ""]
            shortest = min(told[name], key=lambda event: len(json.dumps(event)))
            lines += [f"    {json.dumps(shortest)}", ""]
    return "\n".join(lines).rstrip() + "\n"
