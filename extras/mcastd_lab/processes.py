"""Processes in a namespace, which end with the process that started them, even if it is killed."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import IO

from mcastd_lab.namespaces import Namespace

PATIENCE = 10.0
"""Seconds to end after SIGTERM, before SIGKILL."""


def start(
    namespace: Namespace,
    command: Sequence[str],
    *,
    output: int | IO[bytes] | None = None,
    errors: int | IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """It gets SIGKILL if this process ends first, and no Ctrl-C of the terminal."""
    with namespace.entered():
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=environment,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL to what does not listen."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()
