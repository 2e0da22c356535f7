"""The limits that can be set, as a table of docs/security.md: made from the settings themselves.

`python tests/support/limits.py` writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mcastd.gmp.config import TUNABLES, HostConfig
from mcastd.gmp.family import IGMP
from mcastd.gmp.time import in_seconds
from mcastd.service import guard
from mcastd.service.config import KEYS, Settings
from mcastd.service.guard import Guard
from mcastd.service.interface_settings import OURS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "security.md"
BEGIN, END = "<!-- limits: begin -->\n", "<!-- limits: end -->\n"

BOUNDS = ("ovqp_limit", "queriers", "max_sources_per_filter", "max_pending_sources")
"""Those of the tunables that bound what others can do."""

Row = tuple[str, str, str]
"""Key, default, what is allowed."""


def rows() -> Iterator[Row]:
    settings = Settings()
    for (section, name), (field, allowed) in KEYS.items():
        default = getattr(settings, field)
        if isinstance(default, int) and not isinstance(default, bool):
            yield f"{section}.{name}", str(default), allowed.text
    for name, default in Guard().as_mapping().items():
        if not isinstance(default, bool):
            yield f"interface.NAME.{name}", str(default), guard.KEYS[name].text
    tunables = HostConfig.from_mapping(IGMP, OURS)
    for name in BOUNDS:
        value: Any = getattr(tunables, TUNABLES[name].field)
        text = f"{in_seconds(value):g}" if name in OURS else str(value or "all are believed")
        yield f"interface.NAME.{name}", text, TUNABLES[name].allowed.text


def table() -> str:
    lines = ["| key | default | allowed |", "|---|---|---|"]
    lines += [f"| `{key}` | {default} | {allowed} |" for key, default, allowed in sorted(rows())]
    return "\n".join(lines) + "\n"


def parts() -> tuple[str, str, str]:
    """The page before its table, that, and the rest."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    there, _, after = rest.partition(END)
    return before, there, after


if __name__ == "__main__":
    before, _, after = parts()
    PAGE.write_text(before + BEGIN + table() + END + after)
