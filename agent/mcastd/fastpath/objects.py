"""Finds the compiled programs: in the package, in a cache, or by compiling them now.

What is kept is bytecode in which maps are named and not yet opened, so that a later start needs
neither bcc nor LLVM. The key is made of all that goes into it: source, flags, machine.
"""

from __future__ import annotations

import json
import os
import struct
from binascii import a2b_base64
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mcastd import files
from mcastd.fastpath.bpf_source import BPF_DIRECTORY, MAIN, file_name, source
from mcastd.files import open_trusted_directory as trusted

LARGEST = 16 << 20
"""Bytes; the programs take a few hundred thousand."""

PREBUILT = BPF_DIRECTORY / "prebuilt"
"""Compiled programs that came with the package, if whoever made it had them compiled."""

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

PROGRAMS = {
    "mcast_xdp": "xdp",
    "mcast_tc": "tc",
    "mcast_inject": "xdp",
    "mcast_sockets": "iterator",
}

TRAFFIC_CONTROL = "mcast_tc"
HOOKS = {"mcast_ingress": 1, "mcast_egress": 2}
"""The programs that are made of that one, and what stands for HOOK in them (enum mcast_hook)."""

HOOK = 0x6D636173
MOVES = (0xB4, 0xB7)
"""Opcodes of instructions that set a register to a number."""


class MapSpec(NamedTuple):
    """What a map is created from; sizes in bytes."""

    name: str
    type: int
    key_size: int
    value_size: int
    entries: int
    flags: int


class ProgramSpec(NamedTuple):
    """Instructions (8 bytes each), and at which of them which map's descriptor belongs."""

    name: str
    type: str
    code: bytes
    maps: tuple[tuple[int, str], ...]

    def variants(self) -> Iterator[ProgramSpec]:
        """The program itself, or those that are made of it. ValueError if none can be."""
        if self.name != TRAFFIC_CONTROL:
            yield self
            return
        places = [
            at
            for at in range(0, len(self.code), 8)
            if self.code[at] in MOVES and struct.unpack_from("<i", self.code, at + 4)[0] == HOOK
        ]
        if len(places) != 1:
            raise ValueError(f"{self.name}: the hook stands in {len(places)} places and not in one")
        head, tail = self.code[: places[0] + 4], self.code[places[0] + 8 :]
        for name, number in HOOKS.items():
            yield self._replace(name=name, code=head + struct.pack("<i", number) + tail)


class BpfObject(NamedTuple):
    """Maps and programs, ready to be created and loaded."""

    compiler: str
    maps: tuple[MapSpec, ...]
    programs: tuple[ProgramSpec, ...]

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> BpfObject:
        """Raises KeyError, TypeError or ValueError for anything else than such an object."""
        return cls(
            document["compiler"],
            tuple(MapSpec(**each) for each in document["maps"]),
            tuple(
                program
                for each in document["programs"]
                for program in ProgramSpec(
                    each["name"],
                    each["type"],
                    a2b_base64(each["code"]),
                    tuple((index, name) for index, name in each["maps"]),
                ).variants()
            ),
        )


def cache_directory() -> Path:
    """Where compiled programs are kept: as the service manager says, the system's, the user's."""
    given = os.environ.get("MCASTD_CACHE") or os.environ.get("CACHE_DIRECTORY")
    if given:
        return Path(given.split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/cache/mcastd")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "mcastd"


def kept(
    say: Callable[[str], None],
    flags: tuple[str, ...] = (),
    *,
    cache: Path | None = None,
    main: str = MAIN,
) -> BpfObject | None:
    """The compiled programs, if they are kept: with the package, or by an earlier start.

    `say` is told why what is there cannot be used.
    """
    name = file_name(flags, main)
    found = read(PREBUILT / name, say, of_package=True)
    if found is None and any(PREBUILT.glob(f"{main.removesuffix('.c')}-*.json")):
        say(
            f"{PREBUILT}: not used: made from other sources or flags than this version's, or not "
            f"for {os.uname().machine} (made by: mcastd build-cache)"
        )
    return found or read((cache or cache_directory()) / name, say)


def obtain(
    say: Callable[[str], None],
    flags: tuple[str, ...] = (),
    *,
    cache: Path | None = None,
    main: str = MAIN,
    programs: Mapping[str, str] = PROGRAMS,
) -> BpfObject:
    """The compiled programs, compiled now only if they are kept nowhere.

    `say` is told what takes time and what went wrong on the way. FastPathError if there is no way.
    """
    found = kept(say, flags, cache=cache, main=main)
    if found is not None:
        return found
    # Only now: what it takes to run a compiler would delay every other start.
    from mcastd.fastpath import compiling  # noqa: PLC0415

    say("compiling the BPF programs (once; kept for the next start)")
    document = compiling.compile_object(source(main), flags, programs)
    try:
        path = (cache or cache_directory()) / file_name(flags, main)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        os.close(trusted(path.parent))
        compiling.keep(path, document)
        compiling.forget_oldest(path.parent, main)
    except OSError as error:
        say(f"{error.filename}: not kept, the next start compiles again: {error.strerror}")
    return BpfObject.from_json(document)


def read(path: Path, say: Callable[[str], None], *, of_package: bool = False) -> BpfObject | None:
    """A kept object; None if there is none, or none that is trusted: this is code for the kernel.

    Who may change the file, or any directory on the way to it, could have put it there. Where the
    package is, whose directories are trusted with all of its code, only the file is judged.
    """
    try:
        directory = os.open(path.parent, FOLDER) if of_package else trusted(path.parent)
        try:
            content = trusted_content(path, directory)
        finally:
            os.close(directory)
        return BpfObject.from_json(json.loads(content))
    except FileNotFoundError:
        return None
    except OSError as error:
        say(f"{error.filename or path}: not used: {error.strerror or error}")
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
        struct.error,
    ) as error:
        say(f"{path}: not used: {error}")
    return None


def trusted_content(path: Path, directory: int) -> bytes:
    """What is in the file: it is judged as it is opened. OSError."""
    descriptor = files.open_regular(Path(path.name), directory=directory)
    try:
        files.check_owner(descriptor, path)
        return files.read_all(descriptor, path, LARGEST)
    finally:
        os.close(descriptor)
