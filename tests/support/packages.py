"""Debian packages, built and tried in trees of Debian made by mmdebstrap."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.machines.archive import system_mirror
from support.machines.places import REPOSITORY

TREES = REPOSITORY / "build" / "trees"
SUITES = {"bookworm": "Debian 12", "trixie": "Debian 13"}

BUILD = (
    "build-essential,debhelper,dh-python,dpkg-dev,libbpf-dev,lintian,pybuild-plugin-pyproject,"
    "python3-all-dev,python3-cffi,python3-setuptools"
)

SECONDS = 1800.0

MOUNTS = """
mount -t proc proc "$0/proc"
mount --rbind /sys "$0/sys"
mount --rbind /dev "$0/dev"
"""


def tree(suite: str, name: str, include: str = "") -> Path:
    """A minimal system of the suite with these packages, made once; it is not to be changed."""
    TREES.mkdir(parents=True, exist_ok=True)
    made, half = TREES / f"{suite}-{name}", TREES / f"{suite}-{name}.half"
    with (TREES / f"{suite}-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            shutil.rmtree(half, ignore_errors=True)
            wanted = [
                "--quiet",
                "--variant=minbase",
                *([f"--include={include}"] if include else []),
            ]
            run(["mmdebstrap", *wanted, suite, str(half), system_mirror()])
            half.rename(made)
    return made


class Copy:
    """A copy of a tree, to be changed, and programs in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(
        self, *command: str, isolated: str = "--mount", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """In the tree; `isolated`: options of unshare(1). AssertionError, with what was said."""
        inside = f'{MOUNTS}exec chroot "$0" "$@"'
        return run(
            ["unshare", *isolated.split(), "sh", "-ec", inside, str(self.root), *command],
            check=check,
        )

    def start(self, *command: str, isolated: str = "--mount") -> subprocess.Popen[str]:
        """The same, without waiting for its end."""
        inside = f'{MOUNTS}exec chroot "$0" "$@"'
        return subprocess.Popen(
            ["unshare", *isolated.split(), "sh", "-ec", inside, str(self.root), *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def files(self) -> dict[str, str]:
        """All files but those of packages' administration and of the moment, with their content."""
        found = {}
        for path in self.root.rglob("*"):
            name = str(path.relative_to(self.root))
            if name.startswith(PASSING) or (path.is_dir() and not path.is_symlink()):
                continue
            found[name] = str(path.readlink()) if path.is_symlink() else digest(path)
        return found


PASSING = (
    "var/lib/dpkg",
    "var/cache",
    "var/log",
    "var/lib/apt",
    "proc",
    "sys",
    "dev",
    "run",
    "tmp",
)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "special"


@contextmanager
def copy_of(original: Path, place: Path) -> Iterator[Copy]:
    """A copy that goes again."""
    shutil.rmtree(place, ignore_errors=True)
    run(["cp", "--archive", "--reflink=auto", str(original), str(place)])
    try:
        (place / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (place / "usr/sbin/policy-rc.d").chmod(0o755)
        shutil.copy("/etc/resolv.conf", place / "etc/resolv.conf")
        yield Copy(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def staged(place: Path, version: str | None = None) -> Path:
    """The source as `make deb` has it, with the BPF programs; of another version, if so wanted."""
    run([str(REPOSITORY / "deploy" / "deb.sh"), "--stage", str(place)])
    if version is not None:
        changelog = place / "debian" / "changelog"
        changelog.write_text(changelog.read_text().replace("(0.1.0)", f"({version})", 1))
    return place


def build(suite: str, source: Path, result: Path, *, where: str = "/build/mcastd") -> list[Path]:
    """Builds the packages of a source in a tree of the suite; the files that were made."""
    original = tree(suite, "packages", BUILD)
    with copy_of(original, TREES / f"{suite}-building-{time.time_ns()}") as copy:
        inside = copy.root / where.lstrip("/")
        inside.parent.mkdir(parents=True)
        shutil.copytree(source, inside, symlinks=True)
        copy.run("sh", "-ec", f"cd {where} && dpkg-buildpackage --build=binary --no-sign 2>&1")
        lintian = f"cd {where}/.. && lintian --allow-root --fail-on error,warning *.changes"
        copy.run("sh", "-ec", lintian)
        result.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copy(each, result)) for each in sorted(inside.parent.glob("*.deb"))]


def install(copy: Copy, packages: list[Path]) -> str:
    """By apt, with what they depend on, and nothing that is only recommended."""
    place = copy.root / "tmp" / "debs"
    place.mkdir(parents=True, exist_ok=True)
    wanted = [shutil.copy(each, place) for each in packages if "dbgsym" not in each.name]
    names = " ".join(f"/tmp/debs/{Path(each).name}" for each in wanted)
    done = copy.run(
        "sh", "-ec",
        "export DEBIAN_FRONTEND=noninteractive; apt-get -q update >/dev/null; "
        f"apt-get -q -y --no-install-recommends install {names} 2>&1",
    )  # fmt: skip
    shutil.rmtree(place)
    return done.stdout


def run(command: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """AssertionError, with the end of what it said, if it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if check and done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise AssertionError(f"{' '.join(command[-4:])}: exit code {done.returncode}\n{said}")
    return done
