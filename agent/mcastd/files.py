"""Reads files that others may have changed, within bounds, and writes files in one step.

Whatever stands at a path, opening it never waits: a FIFO, a device, a socket or a directory where a
file is expected is an error with one line, and so is a file that is larger than it can sensibly be.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, NoReturn

LARGEST = 16 << 20
"""Bytes of a file that is read as a whole, unless the reader allows others."""

KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
}
"""What may stand where a regular file is expected."""

OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class UnfitFileError(OSError):
    """There is something, and it is no file that can be used; `strerror` says what it is."""

    def __init__(self, path: object, why: str) -> None:
        super().__init__(errno.EINVAL, why, str(path))


def read(path: Path, most: int = LARGEST, *, directory: int | None = None) -> bytes:
    """A regular file's content. OSError, also for what is no regular file or has more bytes.

    `directory`: a descriptor that the path is relative to; then no symbolic link is followed.
    """
    descriptor = open_regular(path, directory=directory)
    try:
        return read_all(descriptor, path, most)
    finally:
        os.close(descriptor)


def open_regular(path: Path, *, directory: int | None = None) -> int:
    """A descriptor to read from a regular file; it never waits for somebody to write. OSError."""
    descriptor = open_unwaiting(path, 0 if directory is None else os.O_NOFOLLOW, directory)
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        refuse_kind(kind, path)
    return descriptor


def open_unwaiting(path: Path, follow: int, directory: int | None) -> int:
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | follow
    try:
        return os.open(path, flags, dir_fd=directory)
    except ValueError as error:  # a NUL
        raise UnfitFileError(path, str(error)) from None
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise UnfitFileError(path, "a socket and no regular file") from None
        raise


def refuse_kind(kind: int, path: Path) -> NoReturn:
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise UnfitFileError(path, f"{KINDS.get(kind, 'something else')} and no regular file")


def open_stream(path: Path) -> BinaryIO:
    """A file to read from beginning to end: a regular one, or a FIFO that somebody writes to. It is
    never waited for that somebody comes to write. OSError.
    """
    descriptor = open_unwaiting(path, 0, None)
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    try:
        if kind not in (stat.S_IFREG, stat.S_IFIFO):
            refuse_kind(kind, path)
    except OSError:
        os.close(descriptor)
        raise
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "rb")


def read_all(descriptor: int, path: object, most: int = LARGEST) -> bytes:
    """What an opened file holds; UnfitFileError if that is more than `most` bytes. OSError."""
    pieces: list[bytes] = []
    left = most + 1
    while left > 0 and (piece := os.read(descriptor, min(left, 1 << 20))):
        pieces.append(piece)
        left -= len(piece)
    if left <= 0:
        raise UnfitFileError(path, f"larger than {most} bytes")
    return b"".join(pieces)


def open_trusted_directory(path: Path) -> int:
    """A descriptor of a directory that nobody but root and us can change; PermissionError if others
    can, at any place on the way to it. OSError.

    Symbolic links are resolved first, and then none is followed any more: what is judged is what is
    opened. A directory on the way may be written by others if it is sticky, as /tmp is: there they
    cannot rename what is ours.
    """
    parts = path.resolve().parts
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(parts[0], flags)
    try:
        for number, part in enumerate(parts[1:], 1):
            inner = os.open(part, flags, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
            check_owner(inner, Path(*parts[: number + 1]), sticky=number + 1 < len(parts))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_owner(descriptor: int, path: object, *, sticky: bool = False) -> None:
    """PermissionError unless it is root's or ours, and only they may write to it.

    `sticky`: others may, if they cannot rename what is there.
    """
    status = os.fstat(descriptor)
    if status.st_uid not in (0, os.geteuid()):
        raise PermissionError(errno.EPERM, f"it belongs to user {status.st_uid}", str(path))
    if status.st_mode & OTHERS_MAY_WRITE and not (sticky and status.st_mode & stat.S_ISVTX):
        raise PermissionError(errno.EPERM, "others than its owner may write it", str(path))


def replace(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = False) -> None:
    """Replaces the file, or makes it and its directory, in one step: a crash leaves the old file or
    the new one, and what fails leaves nothing behind. OSError.

    `durable`: it is on the disk before it takes the old one's place.
    """
    from tempfile import NamedTemporaryFile  # noqa: PLC0415 (most starts write nothing so early)

    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    with NamedTemporaryFile(dir=path.parent, prefix=".new-", delete=False) as stream:
        try:
            stream.write(data)
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            if durable:
                os.fsync(stream.fileno())
            Path(stream.name).replace(path)
        except BaseException:
            Path(stream.name).unlink(missing_ok=True)
            raise
