"""Lists settings that need a restart, and checks settings against this machine."""

from __future__ import annotations

import errno
import grp
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from mcastd.service.config import KEYS, Address, ConfigFileError, Settings
from mcastd.service.control_socket import ControlError, gid_of

AT_START = frozenset(
    {"metrics", "web_config", "socket", "group", "max_interfaces", "max_namespaces"}
)
"""Fields of Settings that are looked at when the agent starts, and never again."""

LONGEST_SOCKET = 107
"""Bytes of a path that the kernel binds a socket to (unix(7))."""


def needs_restart(started_with: Settings, now: Settings) -> list[str]:
    """Keys of the files whose values are not in force until the agent is started anew."""
    streams = {
        "streams": now.counts_streams and not started_with.counts_streams,
        "streams.pair": len(now.streams.pairs) > started_with.streams.room_for_pairs,
        "streams.max_streams": now.streams.most != started_with.streams.most,
    }
    return [
        ".".join(key)
        for key, (field, _) in KEYS.items()
        if field in AT_START and getattr(started_with, field) != getattr(now, field)
    ] + [key for key, differs in streams.items() if differs]


def check_machine(settings: Settings) -> None:
    """ConfigFileError for what a start on this machine would be refused for."""
    try:
        if settings.group is not None:
            gid_of(settings.group)
    except ControlError as error:
        raise ConfigFileError(settings.path, str(error)) from None
    if len(os.fsencode(settings.socket)) > LONGEST_SOCKET:
        raise ConfigFileError(
            settings.path, f"control.socket: a path has at most {LONGEST_SOCKET} bytes here"
        )
    if settings.web_config is not None:
        from mcastd.service.web_config import WebConfig, WebConfigError  # noqa: PLC0415 (rare)

        try:
            WebConfig(Path(settings.web_config))
        except WebConfigError as error:
            raise ConfigFileError(settings.path, f"metrics.web_config: {error}") from None
    if settings.metrics is None:
        return
    if settings.metrics.is_path:
        if len(os.fsencode(settings.metrics.host)) > LONGEST_SOCKET:
            raise ConfigFileError(
                settings.path, f"metrics.listen: a path has at most {LONGEST_SOCKET} bytes here"
            )
    elif not is_local(settings.metrics):
        raise ConfigFileError(
            settings.path,
            f"metrics.listen: {settings.metrics.host} is no address of this machine now",
        )


def is_local(address: Address) -> bool:
    """Whether one could listen there; a port that is taken is another matter."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind((address.host, 0))
    except OSError as error:
        return error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def warnings(settings: Settings) -> Iterator[str]:
    """What is no reason not to start, and hardly what was meant."""
    if not settings.interfaces and not settings.namespaces:
        yield "no interface is named: add [interface.NAME], then mcastctl reload"
    if settings.admin_group is not None:
        try:
            grp.getgrnam(settings.admin_group)
        except (KeyError, ValueError):
            yield (
                f"control.admin_group = {settings.admin_group!r}: there is no such group; only "
                "root may change anything"
            )
