"""What `--persist` keeps: a drop-in file of the agent's own making.

It is in the state directory, if the service manager gives one, for there the agent may write; else
beside the configuration.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import tomli_w

from mcastd import files
from mcastd.net.names import raw
from mcastd.service.config import LARGEST_FILE, drop_ins, state_drop_ins
from mcastd.service.documents import Own, Unread
from mcastd.service.interface_settings import KEPT_BY_HAND


def place(main: Path, namespace: str | None = None) -> Path:
    """The file that is added to: each namespace's agent has its own."""
    kept = state_drop_ins(main) if os.environ.get("STATE_DIRECTORY") else None
    inner = "" if namespace is None else f".{os.fsdecode(raw(namespace))}"
    name = f"{KEPT_BY_HAND}{inner}.toml"
    return (kept or drop_ins(main)) / name


def write(main: Path, interface: str, tunables: Unread, namespace: str | None = None) -> Path:
    """Adds an interface's tunables to what is kept; the file. OSError if it cannot be written, or
    holds something else than what is written here.
    """
    path = place(main, namespace)
    outer = () if namespace is None else ("namespace", namespace)
    try:
        document = read(path)
        section = document
        for each in (*outer, "interface", interface):
            section = section.setdefault(each, {})
        section.update(tunables)
    except (ValueError, AttributeError, RecursionError) as error:
        raise files.UnfitFileError(path, f"{path}: not what is kept here: {error}") from None
    files.replace(path, tomli_w.dumps(document).encode(), mode=0o644)
    return path


def read(path: Path) -> Own:
    try:
        return tomllib.loads(files.read(path, LARGEST_FILE).decode())
    except FileNotFoundError:
        return {}
