"""Tells network namespaces apart, and enters them."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from typing import NamedTuple

CLONE_NEWNET = 0x40000000
NS_GET_NSTYPE = 0xB703
PR_SET_PDEATHSIG = 1

OWN = "/proc/self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


class Identity(NamedTuple):
    """A namespace's, as long as it lives: whatever it is called, and however often."""

    device: int
    inode: int


class NoNamespaceError(OSError):
    """There is something else, or nothing yet, where a network namespace was looked for."""


def identity(path: str | bytes) -> Identity:
    """Of what stands at the path, links followed. OSError; NoNamespaceError for another file."""
    found = os.stat(path)
    if found.st_dev != os.stat(OWN).st_dev:
        raise NoNamespaceError(errno.EINVAL, "a file, and no network namespace")
    return Identity(found.st_dev, found.st_ino)


def opened(path: str | bytes, expected: Identity) -> int:
    """A descriptor of the network namespace. OSError, also if it is another one by now."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) != expected:
            raise FileNotFoundError(errno.ENOENT, "it was replaced meanwhile")
        if fcntl.ioctl(descriptor, NS_GET_NSTYPE) != CLONE_NEWNET:
            raise NoNamespaceError(errno.EINVAL, "a namespace of another kind")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def enter(descriptor: int) -> None:
    """Moves this thread, and what it starts, into the network namespace. OSError."""
    if _libc.setns(descriptor, CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")


def end_with_parent(signal: int) -> None:
    """Has the kernel send this process a signal when the one that made it ends. OSError."""
    if _libc.prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, f"prctl: {os.strerror(code)}")
