"""From the start of `mcastd run` to an attached interface, and the memory it takes a while later.

Attached is when the kernel says that there is an XDP program, asked from outside some hundred times
a second; ready is what its log says is. Cold: nothing is kept, all is compiled. The baseline
compiles with bcc in its own process and attaches, as most tools do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from select import select
from time import perf_counter, sleep
from typing import NamedTuple

from mcastd.fastpath.bpf_source import BPF_DIRECTORY, source
from mcastd_lab import Lab, LabError, Namespace, veth

from mcastd_bench.attached import Probe
from mcastd_bench.row import Contest, Row, Unavailable

SECONDS = 60.0
"""After which a start has failed."""

POLL_SECONDS = 0.002
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
    """Milliseconds until it was attached and until it was ready, MiB of resident memory at last."""

    attached: float
    ready: float
    memory: float


Start = Callable[[float], Started]
"""Starts it, and lets it be for so many seconds from when it is ready."""


def rows() -> Iterable[Row]:
    for name, cached in (("cached", True), ("cold", False)):
        yield Row(f"startup/attached/{name}", "ms", partial(_contest, _attached, cached))
    for name, cached in (("cached", True), ("cold", False)):
        yield Row(f"startup/{name}", "ms", partial(_contest, _ready, cached))
    yield Row("startup/memory", "MiB", partial(_contest, _memory, True), once=True)


def _contest(figure: Callable[[Start, float], float], cached: bool) -> Contest:
    lab = Lab()
    try:
        lab.__enter__()
    except LabError as why:
        raise Unavailable(str(why)) from why
    host, other = lab.namespace("host"), lab.namespace("other")
    veth(host, "eth0", other, "eth0")
    directory = Path(tempfile.mkdtemp(dir=lab.directory))
    probe = lab.keep(Probe(host, "eth0"))
    agent = partial(_start_agent, host, probe, directory, cached)
    bcc = partial(_start_bcc, host, probe, directory)
    if cached:
        agent(0)
    return Contest(
        ours=partial(figure, agent),
        baselines={"bcc_in_process": partial(figure, bcc)},
        close=lambda: lab.__exit__(None, None, None),
    )


def _attached(start: Start, _seconds: float) -> float:
    return start(0).attached


def _ready(start: Start, _seconds: float) -> float:
    return start(0).ready


def _memory(start: Start, seconds: float) -> float:
    return start(seconds).memory


def _start_agent(
    host: Namespace, probe: Probe, directory: Path, cached: bool, linger: float
) -> Started:
    cache = directory / "cache" if cached else Path(tempfile.mkdtemp(dir=directory))
    command = [sys.executable, "-m", "mcastd.cli.mcastd", "run", "-i", "eth0"]
    command += ["--control", str(directory / "socket")]
    return _started(host, probe, command, {"MCASTD_CACHE": str(cache)}, linger)


def _start_bcc(host: Namespace, probe: Probe, directory: Path, linger: float) -> Started:
    text = directory / "programs.c"
    text.write_text(source())
    command = [sys.executable, "-c", BCC, str(text)]
    headers = {"BCC_KERNEL_SOURCE": str(BPF_DIRECTORY / "headers")}
    try:
        return _started(host, probe, command, headers, linger)
    finally:
        host.ip("link", "set", "dev", "eth0", "xdp", "off")  # bcc's stays when its process ends


def _started(
    host: Namespace,
    probe: Probe,
    command: list[str],
    environment: Mapping[str, str],
    linger: float,
) -> Started:
    """RuntimeError if it is not ready in time."""
    _wait_until_free(probe)
    with host.entered(), all_processors():
        start = perf_counter()
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
        )
    with process:
        try:
            attached, ready = _watch(process, probe, start)
            sleep(linger)
            return Started(attached, ready, resident(process.pid))
        finally:
            process.kill()


def _wait_until_free(probe: Probe) -> None:
    """The kernel takes the program of a killed process off a while later. RuntimeError."""
    end = perf_counter() + SECONDS
    while probe.is_attached():
        if perf_counter() > end:
            raise RuntimeError("the program of the start before is still there")
        sleep(POLL_SECONDS)


def _watch(process: subprocess.Popen[bytes], probe: Probe, start: float) -> tuple[float, float]:
    """Milliseconds until it is attached and until it says so. RuntimeError, with its words."""
    assert process.stdout is not None
    words = Words(process.stdout.fileno())
    attached = ready = 0.0
    while perf_counter() < start + SECONDS and not words.are_all:
        if not attached and probe.is_attached():
            attached = perf_counter() - start
        if not ready and words.have(b"ready"):
            ready = perf_counter() - start
        if attached and ready:
            return attached * 1e3, ready * 1e3
    raise RuntimeError(f"{process.args!r}: {words.said[-500:].decode(errors='replace')}")


class Words:
    """What a process says. `are_all`: it says no more."""

    def __init__(self, output: int) -> None:
        self._output = output
        self.said = b""
        self.are_all = False

    def have(self, word: bytes) -> bool:
        """Whether the word is among them; waits a moment for more."""
        if select([self._output], [], [], POLL_SECONDS)[0]:
            piece = os.read(self._output, 65536)
            self.said += piece
            self.are_all = not piece
        return word in self.said


@contextmanager
def all_processors() -> Iterator[None]:
    """What is started meanwhile may use all of them, as it would without a benchmark around it."""
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, pinned)


def resident(process: int) -> float:
    """MiB."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / MEBIBYTE
    raise RuntimeError("the kernel does not say how much memory it takes")
