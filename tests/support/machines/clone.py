"""A fresh clone in a machine, which has no network: what pip would download is brought."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from support.machines.errors import MachineError
from support.machines.guest_tests import brought
from support.machines.machine import SHARED, Machine
from support.machines.places import BUILD, REPOSITORY

WHEELS = BUILD / "wheels"
DOWNLOAD_SECONDS, CLONE_SECONDS = 600.0, 300.0


def wheels() -> None:
    """Downloads all that building and installing takes, unless it is there. MachineError."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(WHEELS)]
    try:
        done = subprocess.run(
            [*command, "--find-links", str(WHEELS), *wanted],
            capture_output=True,
            text=True,
            check=False,
            timeout=DOWNLOAD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise MachineError(f"pip wheel took more than {DOWNLOAD_SECONDS:.0f} s") from None
    if done.returncode != 0:
        raise MachineError(f"pip wheel: {done.stderr.strip().splitlines()[-1]}")


def clone(machine: Machine) -> tuple[Path, dict[str, str]]:
    """Where it is in the machine, and the environment in which pip finds the wheels.

    What is committed is cloned. The compiled programs are brought, too: to compile takes longer
    there than the agent's start is waited for. MachineError.
    """
    wheels()
    shutil.copytree(WHEELS, machine.directory / WHEELS.name, dirs_exist_ok=True)
    bundle = machine.directory / "mcastd.bundle"
    subprocess.run(
        ["git", "bundle", "create", "--quiet", bundle, "HEAD"], cwd=REPOSITORY, check=True
    )
    place = Path("/run/clone")
    done = machine.run(
        ["git", "clone", "--quiet", f"{SHARED}/{bundle.name}", place], seconds=CLONE_SECONDS
    )
    if done.returncode != 0:
        raise MachineError(f"git clone in the machine: {done.stderr.strip()}")
    cache = {"MCASTD_CACHE": brought(machine)}
    return place, cache | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": f"{SHARED}/{WHEELS.name}"}
