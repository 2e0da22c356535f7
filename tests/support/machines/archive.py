"""Debian's archive, read by an apt with lists and settings of its own.

The system's sources and packages are neither asked nor changed.
"""

from __future__ import annotations

import fcntl
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.machines.errors import MachineError
from support.machines.places import downloads

SUITES = ("bullseye", "bookworm", "bookworm-backports", "trixie", "trixie-backports")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

FRESH_SECONDS = 86400.0
"""Lists younger than this are not asked for again."""

APT_SECONDS = 300.0

RETRIES = 2


def system_mirror() -> str:
    """Where the system's own apt has Debian's archive from; MachineError if from nowhere."""
    try:
        shown = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)"],
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise MachineError(f"apt-get: {error}") from None
    for line in shown.splitlines():
        if line.rstrip("/").endswith("/debian"):
            return line.rstrip("/")
    raise MachineError("apt knows no archive of Debian: name one in /etc/apt/sources.list")


class Archive:
    """Names and packages; what was downloaded once is not downloaded again."""

    def __init__(self, directory: Path | None = None, mirror: str | None = None) -> None:
        """`mirror`: the one that the system uses if it is None; MachineError if it has none."""
        self._directory = directory or downloads()
        self._mirror = mirror or system_mirror()

    def search(self, pattern: str) -> list[str]:
        """Names of the packages that match; MachineError if the archive was never reached."""
        with self._ready():
            found = self._apt("apt-cache", "search", "--names-only", pattern)
        return [line.split(" ", 1)[0] for line in found.splitlines()]

    def depends(self, package: str) -> list[str]:
        """Names of the packages that it needs."""
        with self._ready():
            found = self._apt("apt-cache", "depends", "--no-recommends", "--no-suggests", package)
        return re.findall(r"^\s+\|?Depends: ([^<\s]+)", found, re.MULTILINE)

    def fetch(self, package: str) -> Path:
        """The package's file; MachineError if it cannot be had."""
        with self._ready():
            file = self._file(package)
            if not file.exists():
                self._download(package, file)
        return file

    def _file(self, package: str) -> Path:
        """apt's own name for it: the version follows the name."""
        shown = self._apt("apt-cache", "show", "--no-all-versions", package)
        version = re.search(r"^Version: (.+)$", shown, re.MULTILINE)
        machine = re.search(r"^Architecture: (.+)$", shown, re.MULTILINE)
        if not version or not machine:
            raise MachineError(f"{package}: Debian's archive has no such package")
        name = f"{package}_{version[1].replace(':', '%3a')}_{machine[1]}.deb"
        return self._directory / "packages" / name

    def _download(self, package: str, file: Path) -> None:
        with self._unfinished() as directory:
            try:
                self._apt("apt-get", "-q", "download", package, where=directory)
            except MachineError:
                # It may have been replaced since: the next time, the lists are asked for anew.
                (self._directory / "updated").unlink(missing_ok=True)
                raise
            (directory / file.name).replace(file)

    @contextmanager
    def _unfinished(self) -> Iterator[Path]:
        """A place for half a download; what an earlier one left there goes."""
        directory = self._directory / "unfinished"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        yield directory
        shutil.rmtree(directory, ignore_errors=True)

    @contextmanager
    def _ready(self) -> Iterator[None]:
        """Lists that are fresh, or as they were if the archive cannot be reached; one at a time."""
        if not shutil.which("apt-get"):
            raise MachineError("no apt-get: kernels are taken from Debian's archive with it")
        if not KEYRING.exists():
            raise MachineError(f"no {KEYRING}: apt-get install debian-archive-keyring")
        for name in ("lists/partial", "cache/archives/partial", "packages"):
            (self._directory / name).mkdir(parents=True, exist_ok=True)
        (self._directory / "status").touch()
        with (self._directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._update()
            yield

    def _update(self) -> None:
        sources, updated = self._directory / "sources.list", self._directory / "updated"
        text = "".join(f"deb [signed-by={KEYRING}] {self._mirror} {s} main\n" for s in SUITES)
        known = sources.exists() and sources.read_text() == text and updated.exists()
        if known and time.time() - updated.stat().st_mtime < FRESH_SECONDS:
            return
        sources.write_text(text)
        try:
            self._apt("apt-get", "-q", "update", "-o", "APT::Update::Error-Mode=any")
        except MachineError as error:
            if not known:
                raise MachineError(f"Debian's archive cannot be reached: {error}") from None
        updated.touch()

    def _apt(self, *command: str, where: Path | None = None) -> str:
        here = self._directory
        settings = {
            "Dir::Etc::sourcelist": here / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State": here,
            "Dir::State::Lists": here / "lists",
            "Dir::State::status": here / "status",
            "Dir::Cache": here / "cache",
            "Acquire::Languages": "none",
            "Acquire::Retries": RETRIES,
            "Acquire::http::Timeout": 30,
            "APT::Sandbox::User": "root",
        }
        options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        return run([command[0], *options, *command[1:]], where)


def run(command: Sequence[str | Path], where: Path | None = None) -> str:
    """Standard output; MachineError with the first error it names."""
    try:
        done = subprocess.run(
            [str(each) for each in command],
            capture_output=True,
            text=True,
            check=False,
            cwd=where,
            stdin=subprocess.DEVNULL,
            timeout=APT_SECONDS,
        )
    except FileNotFoundError:
        raise MachineError(f"no {command[0]}: deploy/setup.sh --test installs it") from None
    except subprocess.TimeoutExpired:
        raise MachineError(f"{command[0]} took more than {APT_SECONDS:.0f} s") from None
    if done.returncode != 0:
        complaints = (done.stderr.strip() or done.stdout.strip()).splitlines()
        said = [line for line in complaints if line.startswith("E:")] or complaints or ["no words"]
        raise MachineError(f"{Path(command[0]).name}: {said[0]}")
    return done.stdout
