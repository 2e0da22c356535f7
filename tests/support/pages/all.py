"""Which pages there are, and what makes each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.pages import alerts, commands, events, metrics

REFERENCE = Path(__file__).resolve().parents[3] / "docs" / "reference"

PAGES: dict[Path, Callable[[], str]] = {
    REFERENCE / "alerts.md": alerts.page,
    REFERENCE / "commands.md": commands.page,
    REFERENCE / "events.md": events.page,
    REFERENCE / "metrics.md": metrics.page,
}
