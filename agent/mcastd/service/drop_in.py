"""What `--persist` keeps: a drop-in file of the agent's own making.

It is in the state directory, if the service manager gives one, for there the agent may write; else
beside the configuration.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from mcastd import files
from mcastd.service.config import KEPT_BY_HAND, LARGEST_FILE, drop_ins, state_drop_ins


def place(main: Path) -> Path:
    """The file that is added to."""
    kept = state_drop_ins(main) if os.environ.get("STATE_DIRECTORY") else None
    return (kept or drop_ins(main)) / KEPT_BY_HAND


def write(main: Path, interface: str, tunables: Mapping[str, Any]) -> Path:
    """Adds an interface's tunables to what is kept; the file. OSError if it cannot be written, or
    holds something else than what is written here.
    """
    path = place(main)
    try:
        document = tomllib.loads(files.read(path, LARGEST_FILE).decode())
        document.setdefault("interface", {}).setdefault(interface, {}).update(tunables)
    except FileNotFoundError:
        document = {"interface": {interface: dict(tunables)}}
    except (ValueError, AttributeError, RecursionError) as error:
        raise files.UnfitFileError(path, f"{path}: not what is kept here: {error}") from None
    files.replace(path, tomli_w.dumps(document).encode(), mode=0o644)
    return path
