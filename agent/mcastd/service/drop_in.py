"""What `--persist` keeps: a drop-in file beside the configuration, of the agent's own making."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from mcastd import files

NAME = "90-mcastctl.toml"


def write(main: Path, interface: str, tunables: Mapping[str, Any]) -> Path:
    """Adds an interface's tunables to what is kept; the file. OSError if it cannot be written."""
    path = main.with_suffix(".d") / NAME
    try:
        document = tomllib.loads(path.read_text())
    except FileNotFoundError:
        document = {}
    except tomllib.TOMLDecodeError as error:
        raise OSError(f"{path}: {error}") from None
    document.setdefault("interface", {}).setdefault(interface, {}).update(tunables)
    files.replace(path, tomli_w.dumps(document).encode(), mode=0o644)
    return path
