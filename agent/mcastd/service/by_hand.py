"""Keeps what operators have set at run time, which overrides the files until it is undone.

It lives with an interface's name, as counters do, and ends with the agent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mcastd.gmp.family import FAMILIES
from mcastd.service.interface_settings import InterfaceSettings
from mcastd.service.mode import Mode

VERSION_KEYS = {f"{name}_max_version": name for name in FAMILIES}
KEYS = ("mode", *VERSION_KEYS)


class Difference(NamedTuple):
    """A key that is another than in the files."""

    interface: str
    key: str
    value: Mode | int
    files: Mode | int


class ByHand:
    """Modes and versions, by the interface's name."""

    def __init__(self) -> None:
        self._set: dict[str, dict[str, Mode | int]] = {}

    def set(self, name: str, key: str, value: Mode | int) -> None:
        """`key`: one of KEYS."""
        self._set.setdefault(name, {})[key] = value

    def applied(self, name: str, files: InterfaceSettings) -> InterfaceSettings:
        """The settings as they are to be: the files', and what was set by hand."""
        settings = files
        for key, value in self._set.get(name, {}).items():
            if isinstance(value, Mode):
                settings = settings._replace(mode=value)
            else:
                configs = dict(settings.configs)
                family = VERSION_KEYS[key]
                configs[family] = configs[family]._replace(max_version=value)
                settings = settings._replace(configs=configs)
        return settings

    def differences(self, name: str, files: InterfaceSettings) -> Iterator[Difference]:
        """What was set by hand, and the files say otherwise."""
        for key, value in self._set.get(name, {}).items():
            written = files.mode if key == "mode" else files.configs[VERSION_KEYS[key]].max_version
            if value != written:
                yield Difference(name, key, value, written)

    def rename(self, old: str, new: str) -> None:
        """It is the same device. What was set on one that had the new name is over."""
        self._set.pop(new, None)
        if old in self._set:
            self._set[new] = self._set.pop(old)

    def forget(self, name: str) -> None:
        self._set.pop(name, None)

    def undo(self) -> None:
        """The files count again."""
        self._set.clear()
