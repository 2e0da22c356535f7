"""iproute2's commands: they are everywhere where there are network namespaces to make."""

from __future__ import annotations

import subprocess

from mcastd_lab.errors import LabError


def run(*command: str, given: str | None = None) -> str:
    """What the command prints; LabError with its words if it fails. `given`: its standard input."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, input=given)
    except FileNotFoundError:
        raise LabError(f"{command[0]}: not installed (the package is iproute2)") from None
    if done.returncode:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise LabError(f"{' '.join(command)}: {said}")
    return done.stdout


def ip(*arguments: str, given: str | None = None) -> str:
    return run("ip", *arguments, given=given)
