"""Runs a command that can make no IP socket, as under RestrictAddressFamilies= of a unit.

`python no_ip_sockets.py COMMAND...`: a seccomp filter, which outlasts exec(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import sys
from struct import pack

LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
NUMBER, FIRST_ARGUMENT = 0, 16
"""Where seccomp_data has the system call's number and its first argument (little endian)."""

SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]

PROGRAM = [
    (LOAD, 0, 0, NUMBER),
    (JUMP_IF_EQUAL, 0, 3, SOCKET),
    (LOAD, 0, 0, FIRST_ARGUMENT),
    (JUMP_IF_EQUAL, 2, 0, socket.AF_INET),
    (JUMP_IF_EQUAL, 1, 0, socket.AF_INET6),
    (RETURN, 0, 0, ALLOW),
    (RETURN, 0, 0, ERRNO | errno.EAFNOSUPPORT),
]


def refuse_ip_sockets() -> None:
    """For this process and all that it runs. OSError if it cannot be."""
    code = ctypes.create_string_buffer(b"".join(pack("=HBBI", *each) for each in PROGRAM))
    program = pack("@H6xP", len(PROGRAM), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for call in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)):
        if libc.prctl(*call):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    refuse_ip_sockets()
    os.execvp(sys.argv[1], sys.argv[1:])
