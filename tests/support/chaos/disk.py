"""A small file system for the state directory: it can be filled, spoilt and made read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

ROOM = "256k"


class Disk:
    """A tmpfs; `state` is the directory in it."""

    def __init__(self, place: Path) -> None:
        self._place = place
        place.mkdir()
        self._mount("-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(place))
        self.state = place / "state"
        self.fault = "none"
        self.state.mkdir()

    def full(self) -> None:
        self.mend()
        self.fault = "full"
        with (self._place / "ballast").open("wb", buffering=0) as stream, suppress(OSError):
            while True:
                stream.write(bytes(4096))

    def gone(self) -> None:
        """The directory is not there any more; what is written next makes it anew."""
        self.mend()
        self.fault = "gone"
        shutil.rmtree(self.state)

    def in_the_way(self) -> None:
        """A file has the directory's name."""
        self.gone()
        self.fault = "in_the_way"
        self.state.write_text("")

    def read_only(self) -> None:
        """Only while nobody has a file open."""
        self.mend()
        self._mount("-o", f"remount,ro,size={ROOM}", str(self._place))
        self.fault = "read_only"

    def mend(self) -> None:
        if self.fault == "read_only":
            self._mount("-o", f"remount,rw,size={ROOM}", str(self._place))
        (self._place / "ballast").unlink(missing_ok=True)
        if not self.state.is_dir():
            self.state.unlink(missing_ok=True)
            self.state.mkdir()
            os.chown(self.state, 0, 0)
        self.fault = "none"

    def close(self) -> None:
        subprocess.run(["umount", "-l", self._place], check=True)

    @staticmethod
    def _mount(*arguments: str) -> None:
        subprocess.run(["mount", *arguments], check=True, capture_output=True)
