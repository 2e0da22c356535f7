"""Writing files so that nobody ever finds half of one."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile


def replace(path: Path, data: bytes, *, mode: int = 0o600, durable: bool = False) -> None:
    """Replaces the file, or makes it and its directory, in one step: a crash leaves the old file or
    the new one, and what fails leaves nothing behind. OSError.

    `durable`: it is on the disk before it takes the old one's place.
    """
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
