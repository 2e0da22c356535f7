"""Small file systems that tests fill, and take the right to write from."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOM = "64k"


def mounted(place: Path, how: str = "rw") -> subprocess.CompletedProcess[bytes]:
    """Puts one there, or changes how that which is there may be used: "remount,ro"."""
    options = f"{how},size={ROOM}"
    return subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", place], check=False)


def remounted(place: Path, how: str) -> None:
    """`how`: "ro" or "rw"."""
    mounted(place, f"remount,{how}").check_returncode()
