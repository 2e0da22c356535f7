"""What it costs to look up who has joined what, and for how long that keeps the loop.

On a host with as many joined sockets and open files as the row says, in a few processes. The loop's
row is the longest time between two of its turns while readings are made as the service makes them,
in a thread: there the loop waits for the interpreter's lock only, which Python hands on every 5 ms.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from subprocess import PIPE
from time import perf_counter, thread_time

from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.fast_path import FastPath
from mcastd.fastpath.sockets import Sockets
from mcastd.service.joined import Change, Joined
from mcastd.service.reader import KernelReader, look
from mcastd_lab import Lab, LabError, Namespace, veth

from mcastd_bench.row import Contest, Row, Sampler, Unavailable

SIZES = ((100, 1000), (10_000, 100_000))
"""Joined sockets, and open files with them."""

TIMER_SECONDS = 0.001

FILES_EACH = 15_000
"""Of one process at the most: few systems permit more."""

HOLDS = """
import os, signal, socket, sys
sockets, files, first = map(int, sys.argv[1:])
host = socket.inet_aton("192.0.2.10")
held = []
for number in range(first, first + sockets):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    group = bytes((239, 1, number % 1000 // 250, number % 250 + 1))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + host)
    held.append(sock)
for _ in range(files):
    os.dup(0)
print("ready", flush=True)
signal.pause()
"""

Known = dict[int, dict[bytes, Joined]]


def rows() -> Iterable[Row]:
    for sockets, files in SIZES:
        name = f"{sockets}/{files}"
        yield Row(f"joined.reading/{name}", "ms", partial(_contest, _reading, sockets, files))
        yield Row(f"joined.loop_kept/{name}", "ms", partial(_contest, _loop_kept, sockets, files))


class Host:
    """A namespace in which processes hold sockets and files; `sockets` looks at them."""

    def __init__(self, lab: Lab, sockets: int, files: int) -> None:
        self.namespace: Namespace = lab.namespace("host")
        veth(lab.namespace("outside"), "out0", self.namespace, "eth0")
        self.namespace.ip("address", "add", "192.0.2.10/24", "dev", "eth0")
        self.index = self.namespace.index("eth0")
        self._hold(lab, sockets, files - sockets)
        with self.namespace.entered():
            self.fast_path = lab.keep(FastPath.open(lambda text: None))
        if self.fast_path.sockets is None:
            raise Unavailable(self.fast_path.sockets_problem or "sockets cannot be looked at")
        self.sockets: Sockets = self.fast_path.sockets
        self.joined = sockets

    def _hold(self, lab: Lab, sockets: int, files: int) -> None:
        processes = -(-(sockets + files) // FILES_EACH)
        shares = [sockets // processes + (each < sockets % processes) for each in range(processes)]
        started = [
            lab.process(
                self.namespace, sys.executable, "-c", HOLDS,
                str(share), str(files // processes), str(sum(shares[:number])), output=PIPE,
            )
            for number, share in enumerate(shares)
        ]  # fmt: skip
        for process in started:
            if process.stdout is None or process.stdout.readline() != b"ready\n":
                raise Unavailable("the sockets and files cannot be had: ulimit -n")

    def known(self) -> Known:
        """As the service knows it after a first reading."""
        found: Known = {self.index: {}}
        for index, group, joined in look(self.sockets, found).changes:
            if joined is not None:
                found[index][group] = joined
        users = sum(each.users for each in found[self.index].values() if each.holders)
        if users != self.joined:
            raise RuntimeError(f"{users} sockets were found, of {self.joined}")
        return found


def reading(host: Host) -> Callable[[float], float]:
    """Milliseconds of processor time of one reading, with what is made of it."""
    with host.namespace.entered():
        known = host.known()

    def sample(_seconds: float) -> float:
        with host.namespace.entered():
            begun = thread_time()
            changes = look(host.sockets, known).changes
            spent = thread_time() - begun
        if changes:
            raise RuntimeError(f"{len(changes)} changes, where nothing changed")
        return spent * 1e3

    return sample


def loop_kept(host: Host) -> tuple[Sampler, Sampler]:
    """Milliseconds by which a timer of the loop is late at the most: with readings, and without."""
    with host.namespace.entered():
        known = host.known()

    def sample(seconds: float, *, reads: bool) -> float:
        with host.namespace.entered():
            return asyncio.run(latest_timer(host.sockets, known, seconds, reads=reads)) * 1e3

    return partial(sample, reads=True), partial(sample, reads=False)


async def latest_timer(sockets: Sockets, known: Known, seconds: float, *, reads: bool) -> float:
    """Seconds by which one of many timers was late, while one reading follows the other."""

    async def apply(changes: Sequence[Change]) -> None:
        raise RuntimeError(f"{len(changes)} changes, where nothing changed")

    reader = KernelReader(lambda: sockets, lambda: known, apply, lambda: False)
    until, late = perf_counter() + seconds, 0.0
    waited = reader.fresh() if reads else None
    while perf_counter() < until or (waited is not None and not waited.done()):
        due = perf_counter() + TIMER_SECONDS
        await asyncio.sleep(TIMER_SECONDS)
        late = max(late, perf_counter() - due)
        if waited is not None and waited.done() and perf_counter() < until:
            waited = reader.fresh()
    reader.close()
    return late


def _reading(host: Host) -> Contest:
    return Contest(reading(host))


def _loop_kept(host: Host) -> Contest:
    ours, idle = loop_kept(host)
    return Contest(ours, {"idle_loop": idle})


def _contest(prepare: Callable[[Host], Contest], sockets: int, files: int) -> Contest:
    lab = Lab()
    try:
        lab.__enter__()
        made = prepare(Host(lab, sockets, files))
    except BaseException as why:
        lab.__exit__(None, None, None)
        if isinstance(why, LabError | FastPathError | OSError):
            raise Unavailable(str(why)) from why
        raise
    return replace(made, close=lambda: lab.__exit__(None, None, None))
