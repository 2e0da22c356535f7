"""From the start of `mcastd run` to an attached interface, and the memory it takes a while later.

Attached is what the agent's log says is ready. Cold: nothing is kept, all is compiled. The baseline
compiles with bcc in its own process and attaches, as most tools do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter, sleep
from typing import NamedTuple

from mcastd.bench.row import Contest, Row, Unavailable
from mcastd.fastpath.objects import BPF_DIRECTORY
from mcastd.lab import Lab, LabError, Namespace, veth

SECONDS = 60.0
LATER = 5.0
MEBIBYTE = 1024
"""In the kernel's KiB."""

BCC = """
import sys, time
from bcc import BPF
module = BPF(text=open(sys.argv[1]).read(), cflags=["-Wno-unused-function"])
module.attach_xdp("eth0", module.load_func("mcast_xdp", BPF.XDP), 0)
print("ready", flush=True)
time.sleep(100)
"""


class Started(NamedTuple):
    """Milliseconds until it was ready, MiB of resident memory `LATER` seconds after that."""

    milliseconds: float
    memory: float


def rows() -> Iterable[Row]:
    yield Row("startup/cached", "ms", partial(_contest, _time, True))
    yield Row("startup/cold", "ms", partial(_contest, _time, False))
    yield Row("startup/memory_5s_later", "MiB", partial(_contest, _memory, True))


def _contest(figure: Callable[[Callable[[bool], Started]], float], cached: bool) -> Contest:
    lab = Lab()
    try:
        lab.__enter__()
    except LabError as why:
        raise Unavailable(str(why)) from why
    host, other = lab.namespace("host"), lab.namespace("other")
    veth(host, "eth0", other, "eth0")
    directory = Path(tempfile.mkdtemp(dir=lab.directory))
    agent = partial(_start_agent, host, directory, cached)
    bcc = partial(_start_bcc, host, directory)
    if cached:
        agent(False)
    return Contest(
        ours=lambda seconds: figure(agent),
        baselines={"bcc_in_process": lambda seconds: figure(bcc)},
        close=lambda: lab.__exit__(None, None, None),
    )


def _time(start: Callable[[bool], Started]) -> float:
    return start(False).milliseconds


def _memory(start: Callable[[bool], Started]) -> float:
    return start(True).memory


def _start_agent(host: Namespace, directory: Path, cached: bool, wait: bool) -> Started:
    cache = directory / "cache" if cached else Path(tempfile.mkdtemp(dir=directory))
    command = [sys.executable, "-m", "mcastd.cli.mcastd", "run", "-i", "eth0"]
    command += ["--control", str(directory / "socket")]
    return _started(host, command, {"MCASTD_CACHE": str(cache)}, wait)


def _start_bcc(host: Namespace, directory: Path, wait: bool) -> Started:
    from mcastd.fastpath.objects import source  # noqa: PLC0415

    text = directory / "programs.c"
    text.write_text(source())
    command = [sys.executable, "-c", BCC, str(text)]
    return _started(host, command, {"BCC_KERNEL_SOURCE": str(BPF_DIRECTORY / "headers")}, wait)


def _started(
    host: Namespace, command: list[str], environment: Mapping[str, str], wait: bool
) -> Started:
    """RuntimeError if it is not ready in time."""
    start = perf_counter()
    with host.entered():
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
        )
    with process:
        try:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if "ready" in line:
                    break
            else:
                raise RuntimeError(f"{command[:4]}: {''.join(said)[-500:]}")
            spent = perf_counter() - start
            if wait:
                sleep(LATER)
            return Started(spent * 1e3, resident(process.pid))
        finally:
            process.kill()


def resident(process: int) -> float:
    """MiB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / MEBIBYTE
    raise RuntimeError("the kernel does not say how much memory it takes")
