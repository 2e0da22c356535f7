"""What the number of interfaces costs: a packet, a look at the counters, the start, the memory.

All of a host's interfaces are veths. Reports come from each of them in turn; the counters are read
as for `mcastctl counters`, the metrics as Prometheus does; start and memory are the whole agent's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import partial
from http.client import HTTPConnection
from itertools import cycle, islice
from time import perf_counter

from mcastd.fastpath.attach import attach
from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.fast_path import FastPath
from mcastd.fastpath.kernel import Kernel
from mcastd.fastpath.objects import obtain
from mcastd.fastpath.policies import Policies, Policy
from mcastd.fastpath.test_run import run
from mcastd.gmp.family import IGMP
from mcastd_lab import Lab, LabError, RunningAgent, veth

from mcastd_bench import frames
from mcastd_bench.programs import OWN, QUERIER
from mcastd_bench.row import Contest, Row, Timed, Unavailable
from mcastd_bench.startup import resident

SIZES = (1, 8, 64)
"""Interfaces."""

METRICS = ("127.0.0.1", 9776)
SCRAPE_SECONDS = 30.0

RUNS_AT_ONCE = 4096
INTERFACES_AT_ONCE = 8
"""As each run of many makes the kernel wait for all its CPUs, twice."""

NO_IPV6 = ("ipv6.conf.all.disable_ipv6", "ipv6.conf.default.disable_ipv6")

Prepare = Callable[["Host"], Callable[[float], float]]


def rows() -> Iterable[Row]:
    measured: dict[str, tuple[str, Prepare]] = {
        "report": ("ns", packets),
        "counters": ("us", counters),
        "metrics": ("ms", metrics),
        "startup": ("ms", startup),
        "memory": ("MiB", memory),
    }
    for name, (unit, prepare) in measured.items():
        for size in SIZES:
            yield Row(f"scale.{name}/{size}", unit, partial(_contest, prepare, size))


def _contest(prepare: Prepare, size: int) -> Contest:
    lab = Lab()
    try:
        lab.__enter__()
        ours = prepare(Host(lab, size))
    except (LabError, FastPathError, OSError) as why:
        lab.__exit__(None, None, None)
        raise Unavailable(str(why)) from why
    return Contest(ours, close=lambda: lab.__exit__(None, None, None))


class Host:
    """A namespace with so many interfaces, eth0 and so on."""

    def __init__(self, lab: Lab, size: int) -> None:
        self.lab = lab
        self.namespace, outside = lab.namespace("host"), lab.namespace("outside")
        outside.sysctl(dict.fromkeys(NO_IPV6, 1))
        self.indices = {f"eth{number}": 0 for number in range(size)}
        for name in self.indices:
            veth(outside, name, self.namespace, name)
            self.indices[name] = self.namespace.index(name)

    def agent(self) -> RunningAgent:
        """On all of them."""
        listen = "{}:{}".format(*METRICS)
        state = ("env", f"STATE_DIRECTORY={self.lab.directory}")
        return self.lab.agent(self.namespace, "-i", "eth*", "--metrics", listen, wrapper=state)


def packets(host: Host) -> Callable[[float], float]:
    """Nanoseconds of the program for a report that is only counted, the mean over interfaces."""
    kernel = host.lab.keep(Kernel(obtain(lambda text: None)))
    policies = Policies(kernel.maps)
    with host.namespace.entered():
        for slot, index in enumerate(host.indices.values()):
            policies.put(index, slot, Policy(), OWN, QUERIER)
            host.lab.keep(attach(kernel, index))
    program = kernel.program("mcast_xdp", frags=True)
    turns = zip(cycle(host.indices.values()), cycle(frames.reports(IGMP)), strict=False)

    def sample(_seconds: float) -> float:
        spent = 0
        with host.namespace.entered():
            for index, frame in islice(turns, INTERFACES_AT_ONCE):
                context = struct.pack("=6I", 0, len(frame), 0, index, 0, 0)
                spent += run(program, frame, context, repeat=RUNS_AT_ONCE).nanoseconds
        return spent / INTERFACES_AT_ONCE

    return sample


def counters(host: Host) -> Callable[[float], float]:
    """Microseconds of reading all interfaces' counters from the kernel."""
    fast_path = host.lab.keep(FastPath.open(lambda text: None))
    with host.namespace.entered():
        for name, index in host.indices.items():
            host.lab.keep(fast_path.attach(name, index, Policy()))
    return Timed(lambda _: fast_path.counters(), [(None,)], "us")


def metrics(host: Host) -> Callable[[float], float]:
    """Milliseconds of a scrape."""
    host.agent()

    def sample(_seconds: float) -> float:
        with host.namespace.entered():
            connection = HTTPConnection(*METRICS, timeout=SCRAPE_SECONDS)
            start = perf_counter()
            connection.request("GET", "/metrics")
            page = connection.getresponse().read()
            spent = perf_counter() - start
            connection.close()
        last = list(host.indices)[-1]
        if f'interface="{last}"'.encode() not in page:
            raise RuntimeError(f"the metrics do not know {last}")
        return spent * 1e3

    return sample


def startup(host: Host) -> Callable[[float], float]:
    """Milliseconds from the start of the process to its being ready, attached to all of them."""

    def sample(_seconds: float) -> float:
        start = perf_counter()
        agent = host.agent()
        spent = perf_counter() - start
        agent.close()
        return spent * 1e3

    return sample


def memory(host: Host) -> Callable[[float], float]:
    """MiB of resident memory, once the agent has answered a first question."""

    def sample(_seconds: float) -> float:
        agent = host.agent()
        hooks = [each["hook"] for each in agent.ask("status")["interfaces"]]
        if hooks != ["xdp-native"] * len(host.indices):
            raise RuntimeError(f"{len(host.indices)} interfaces, attached: {', '.join(hooks)}")
        taken = resident(agent.process.pid)
        agent.close()
        return taken

    return sample
