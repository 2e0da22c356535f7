"""A kernel of the distribution, unpacked; installed nowhere."""

from __future__ import annotations

import fcntl
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from support.machines.archive import Archive, run
from support.machines.errors import MachineError
from support.machines.places import BUILD

IMAGE = r"^linux-image-[0-9].*-amd64$"
OTHER_FLAVOURS = re.compile(r"-(cloud|rt)-amd64$|-unsigned$|-dbg$")
"""The cloud's has no 9p, the real-time one is another kernel."""

PARTS = ("linux-binary-", "linux-modules-", "linux-base-")
"""Where newer packages keep what was in one before."""


def key(release: str) -> tuple[int, ...]:
    """By which releases are ordered: all the numbers in them."""
    return tuple(int(each) for each in re.findall(r"\d+", release))


def series_of(release: str) -> str:
    """6.12 of 6.12.117+deb13-amd64."""
    return ".".join(map(str, key(release)[:2]))


class Kernel(NamedTuple):
    """`release` as uname(1) has it; `image` is what boots; `tree` holds lib/modules."""

    release: str
    tree: Path

    @property
    def series(self) -> str:
        return series_of(self.release)

    @property
    def modules(self) -> Path:
        return self.tree / "lib" / "modules" / self.release

    @property
    def image(self) -> Path:
        """Older packages have it in boot/, newer ones beside the modules."""
        beside, boot = self.modules / "vmlinuz", self.tree / "boot" / f"vmlinuz-{self.release}"
        return beside if beside.exists() else boot


def releases(archive: Archive) -> list[str]:
    """Of the ordinary flavour, oldest first."""
    names = [each for each in archive.search(IMAGE) if not OTHER_FLAVOURS.search(each)]
    return sorted((each.removeprefix("linux-image-") for each in names), key=key)


def unpacked(archive: Archive, release: str, trees: Path = BUILD / "trees") -> Kernel:
    """Downloaded and unpacked, if it is not yet. MachineError."""
    made = Kernel(release, trees / release)
    trees.mkdir(parents=True, exist_ok=True)
    with (trees / f"{release}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.tree.exists():
            unpack(archive, made)
    return made


def unpack(archive: Archive, wanted: Kernel) -> None:
    image = f"linux-image-{wanted.release}"
    parts = [each for each in archive.depends(image) if each.startswith(PARTS)]
    half = Kernel(wanted.release, wanted.tree.with_name(f"{wanted.tree.name}.half"))
    shutil.rmtree(half.tree, ignore_errors=True)
    for package in [image, *parts]:
        run(["dpkg-deb", "-x", archive.fetch(package), half.tree])
    if not (half.tree / "lib").exists():
        (half.tree / "lib").symlink_to("usr/lib")
    if not half.image.exists() or not half.modules.is_dir():
        raise MachineError(f"{image}: no vmlinuz or no modules in it ({', '.join(parts)})")
    run(["depmod", "-b", half.tree, wanted.release])
    half.tree.rename(wanted.tree)
