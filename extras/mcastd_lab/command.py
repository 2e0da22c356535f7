"""`mcastd lab`: the demonstration, in network namespaces of its own."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import Popen
from typing import Any

from mcastd.cli import tables
from mcastd.fastpath.errors import FastPathError

from mcastd_lab import Lab, LabError, RunningAgent
from mcastd_lab.demo import METRICS, Demo

DONE, BAD_INPUT, NOT_THERE = 0, 2, 3

WITHOUT_TERMINAL = 20.0
"""Seconds, if nobody is there to end it and nothing else is said."""

BEFORE_THE_STORY, BETWEEN_STEPS = 2.5, 1.5
"""Seconds: a query and its answers first, then what each step brings about."""

URL = "http://{}:{}/metrics".format(*METRICS)

SHOWN_METRICS = (
    "mcastd_messages_total",
    "mcastd_querier_info",
    "mcastd_groups",
    "mcastd_query_response_seconds_count",
    "mcastd_query_response_seconds_sum",
    "mcastd_interface_mode_info",
)

HEAD = f"""\
A lab of three network namespaces:

  switch     br0   192.0.2.1    a bridge: IGMPv3 and MLDv2 querier, every 2 s; snooping
  host       eth0  192.0.2.10   run by mcastd in observe mode
  neighbour  eth0  192.0.2.11   another host

Metrics: {URL}. Below, each line is an event (<: received, >: sent);
tables and metrics follow at the end{{}}.
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "lab",
        help="show it all in a lab made of network namespaces",
        description=(
            "Builds a bridge that queries, a host run by mcastd and a neighbour, all in network "
            "namespaces, and shows what happens as it happens; then tables and metrics. Ends on "
            "Ctrl-C, or by itself without a terminal. Needs root; leaves nothing behind."
        ),
    )
    parser.add_argument(
        "--seconds", metavar="N", type=float, default=None,
        help="end after so long (DEMO_SECONDS in the environment says the same)",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    try:
        seconds = duration(args.seconds)
    except ValueError as error:
        return complain(str(error), BAD_INPUT)
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: end.set())
    try:
        with Lab() as lab:
            show(Demo(lab), end, seconds)
    except (LabError, FastPathError) as error:
        return complain(str(error), NOT_THERE)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return DONE


def duration(given: float | None) -> float | None:
    """Seconds; None for as long as the operator likes. ValueError with one line."""
    text = os.environ.get("DEMO_SECONDS", "")
    if given is None and text:
        try:
            given = float(text)
        except ValueError:
            raise ValueError(f"DEMO_SECONDS={text}: allowed is a number of seconds") from None
    if given is None:
        return None if sys.stdin.isatty() and sys.stdout.isatty() else WITHOUT_TERMINAL
    return given


def show(demo: Demo, end: threading.Event, seconds: float | None) -> None:
    """Events until the end, then tables."""
    print(HEAD.format(", on Ctrl-C" if seconds is None else ""), flush=True)
    agent = demo.start_agent()
    deadline = None if seconds is None else time.monotonic() + seconds
    with watched(demo, agent):
        tell(demo, end, deadline)
    show_tables(agent)
    show_metrics()


@contextmanager
def watched(demo: Demo, agent: RunningAgent) -> Iterator[Popen[bytes]]:
    """`mcastctl watch`, on our standard output."""
    command = (sys.executable, "-m", "mcastd.cli.mcastctl", "--control", agent.control, "watch")
    watching = demo.lab.process(demo.host, *command)
    try:
        yield watching
    finally:
        watching.terminate()
        watching.wait()


def tell(demo: Demo, end: threading.Event, deadline: float | None) -> None:
    """The story, again and again until the end."""
    steps = demo.story(begins=True)
    if is_over(end, deadline, BEFORE_THE_STORY):
        return
    while True:
        for step in steps:
            print(f"\n-- {step.text}", flush=True)
            step.act()
            if is_over(end, deadline, BETWEEN_STEPS):
                return
        steps = demo.story()


def is_over(end: threading.Event, deadline: float | None, seconds: float) -> bool:
    """Waits so long, or until the end; whether that has come."""
    left = seconds if deadline is None else min(seconds, deadline - time.monotonic())
    if left > 0:
        end.wait(left)
    return end.is_set() or (deadline is not None and time.monotonic() >= deadline)


def show_tables(agent: RunningAgent) -> None:
    for method in ("status", "querier", "groups"):
        print(f"\n$ mcastctl {method}\n{tables.render(method, agent.ask(method))}")
    counted = [without_zeros(each) for each in agent.ask("counters")]
    print("\n$ mcastctl counters    (those that are not zero)")
    print(tables.render("counters", counted))


def without_zeros(counted: dict[str, Any]) -> dict[str, Any]:
    """One interface's counters, less those that are zero on both sides of the table."""
    messages, rejected = counted["messages"], counted["rejected"]["rx"]
    kinds = [kind for kind in messages["rx"] if messages["rx"][kind] or messages["tx"][kind]]
    reasons = [why for why in rejected["igmp"] if rejected["igmp"][why] or rejected["mld"][why]]
    return counted | {
        "messages": {way: {kind: each[kind] for kind in kinds} for way, each in messages.items()},
        "rejected": {
            "rx": {name: {why: each[why] for why in reasons} for name, each in rejected.items()}
        },
    }


def show_metrics() -> None:
    """What Prometheus would see, in part."""
    print(f"\n$ curl {URL}    (a part)")
    with urllib.request.urlopen(URL, timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    for line in lines:
        if line.startswith(SHOWN_METRICS) and not line.endswith(" 0.0"):
            print(line)


def complain(text: str, code: int) -> int:
    print(f"mcastd lab: {text}", file=sys.stderr)
    return code
