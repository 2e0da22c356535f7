"""Finds out who asks at the control socket, and what they may do."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import struct
from pathlib import Path

from mcastd.net.task_names import task_name
from mcastd.printable import printable

PROC = Path("/proc")


class Caller:
    """Who asks: by the socket, not by his own word. `name`: of the program, None if hidden.

    `task`: its name, for people, also where /proc hides it; memberships are not told apart by it,
    as not all kernels tell.
    """

    def __init__(self, uid: int, pid: int, name: str | None, task: str | None = None) -> None:
        self.uid = uid
        self.pid = pid
        self.name = name
        self.task = task or name

    @property
    def is_root(self) -> bool:
        """Root, or the agent's own user."""
        return self.uid in (0, os.geteuid())

    def application(self, program: str | None = None, *, held: bool = False) -> str:
        """By what name its memberships are told apart from others'.

        `program`: what it calls itself, believed only where the kernel does not say (ProtectProc of
        systemd). What is `held` ends with one process, so it is that process's alone.
        """
        name = self.name or program
        if name is None:
            return f"uid {self.uid} pid {self.pid}"
        of_user = "" if self.is_root and self.name else f" uid {self.uid}"
        of_process = f" pid {self.pid}" if held else ""
        return f"{name}{of_user}{of_process}"


def caller_of(sock: socket.socket, proc: Path = PROC) -> Caller:
    """Who is at the other end. OSError if the kernel does not say."""
    size = struct.calcsize("3i")
    pid, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    try:
        name = (proc / str(pid) / "comm").read_bytes()
    except OSError:
        return Caller(uid, pid, None, printable(task_name(pid) or "") or None)
    return Caller(uid, pid, printable(name.decode(errors="backslashreplace").strip()) or None)


def may_change(caller: Caller, admin_group: str | None) -> bool:
    """Root, the agent's own user, and the members of the group. It may take long to find out."""
    if caller.is_root:
        return True
    try:
        user = pwd.getpwuid(caller.uid)
        gid = grp.getgrnam(admin_group or "").gr_gid
        return gid in os.getgrouplist(user.pw_name, user.pw_gid)
    except (KeyError, ValueError, OSError):
        return False
