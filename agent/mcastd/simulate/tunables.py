"""Tunables as a scenario writes them: the names of the configuration file."""

from __future__ import annotations

from mcastd.gmp.config import TUNABLES, ConfigError, HostConfig
from mcastd.gmp.family import ProtocolFamily
from mcastd.simulate.nodes import Node


def changed(config: HostConfig, node: Node, family: ProtocolFamily) -> HostConfig:
    """The configuration but for what the mapping says."""
    for name, value in node.fields(TUNABLES).items():
        try:
            config = config.changed(family, {name: _plain(value)})
        except ConfigError as error:
            value.refuse(f"{_shown(value)} is refused: {error.allowed}")
    return config


def _plain(node: Node) -> bool | int | float | str | list[str]:
    if node.is_list():
        return [each.text() for each in node.items()]
    if node.is_boolean():
        return node.boolean()
    if node.is_number():
        number = node.number()
        return number if "." in node.text() else int(number)
    return node.text()


def _shown(node: Node) -> str:
    return "the list" if node.is_list() else node.text()
