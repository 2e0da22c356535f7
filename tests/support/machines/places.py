"""Where things lie: downloads are shared by all checkouts, the rest is this checkout's own."""

from __future__ import annotations

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
BUILD = REPOSITORY / "build" / "kernels"


def downloads() -> Path:
    """Packages and lists of the archive, kept from one checkout to the next."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "mcastd-tests" / "debian"
