"""Creates the control socket's file, and never takes it from another process."""

from __future__ import annotations

import errno
import grp
import os
import socket
import stat
from pathlib import Path

from mcastd.files import KINDS

OPTIONS = {"control.socket": "--control", "metrics.listen": "--metrics"}
"""Of the command line, by the settings that they stand for."""


class ControlError(Exception):
    """The socket cannot be had; one line for the operator."""


def bound(path: str, group: str | None, key: str = "control.socket") -> socket.socket:
    """A socket bound to `path`, whose mode is 0660 and whose group may read. ControlError.

    `key`: the setting that says where.

    Only a socket that nobody listens at, and that is ours, is replaced.
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        gid = -1 if group is None else gid_of(group)
        make_way(path, key)
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        previous = os.umask(0o117)
        try:
            sock.bind(path)
        finally:
            os.umask(previous)
        os.chown(path, -1, gid, follow_symlinks=False)
    except ControlError:
        sock.close()
        raise
    except (OSError, ValueError) as error:
        sock.close()
        raise ControlError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    return sock


def gid_of(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except (KeyError, ValueError):
        raise ControlError(f"control.group = {group!r}: there is no such group") from None


def make_way(path: str, key: str = "control.socket") -> None:
    """Removes the socket that an agent before us has left. ControlError for all else; OSError."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    kind = stat.S_IFMT(status.st_mode)
    if kind != stat.S_IFSOCK:
        raise ControlError(
            f"{path}: there is {KINDS.get(kind, 'a file')}, which is left alone; remove it, or "
            f"choose another path with {OPTIONS[key]} or {key}"
        )
    if is_answered(path):
        raise ControlError(f"{path}: another mcastd listens there")
    if os.geteuid() not in (0, status.st_uid):
        raise ControlError(f"{path}: there is a socket of user {status.st_uid}, left alone")
    os.unlink(path)


def is_answered(path: str) -> bool:
    """Whether somebody listens at the socket, even if he is too busy to answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        result = probe.connect_ex(path)
    return result not in (errno.ECONNREFUSED, errno.ENOENT)
