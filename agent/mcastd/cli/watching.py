"""`mcastctl watch`: prints events, or runs a program for each of them.

The program is told in its environment, and no shell reads what came from the wire. So many run at
once at the most, and none for long: what happens meanwhile waits at the agent, which says what it
could not keep.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any

from mcastd.cli.event_lines import event_line
from mcastd.client import Client
from mcastd.printable import cleaned, printable

DONE, BAD_INPUT = 0, 2

AT_ONCE = 4
RUN_SECONDS = 30.0
"""Then it is killed."""

LONGEST_VALUE = 4096
"""Characters of a variable; the kernel limits all of them together."""

LONGEST_JSON = 65_536

NAMES = re.compile(r"[a-z][a-z0-9_]*")


class Runs:
    """The program's runs; `begun`: how many; `failed`: of them those that did not end well."""

    def __init__(self, command: str) -> None:
        """ValueError if it is none."""
        self._command = shlex.split(command)
        if not self._command:
            raise ValueError("--exec: a program is needed")
        self._running: deque[subprocess.Popen[bytes]] = deque()
        self.begun = self.failed = 0

    def run(self, event: dict[str, Any]) -> None:
        """Waits for the oldest if there are too many. OSError if it cannot be run."""
        self._collect()
        while len(self._running) >= AT_ONCE:
            self._wait_for(self._running.popleft())
        self.begun += 1
        self._running.append(
            subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                env=os.environ | environment_of(event),
            )
        )

    def end(self) -> None:
        """Waits for those that run."""
        while self._running:
            self._wait_for(self._running.popleft())

    def _collect(self) -> None:
        ended = [each for each in self._running if each.poll() is not None]
        for each in ended:
            self._running.remove(each)
            self._wait_for(each)

    def _wait_for(self, process: subprocess.Popen[bytes]) -> None:
        try:
            code = process.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        self.failed += code != 0


def environment_of(event: dict[str, Any]) -> dict[str, str]:
    """MCASTD_JSON, the whole of it, and each plain field as MCASTD_ and its name."""
    variables = {"MCASTD_JSON": shortened(json.dumps(event), LONGEST_JSON)}
    for name, value in event.items():
        if NAMES.fullmatch(name) and isinstance(value, str | int | float | bool):
            text = value if isinstance(value, str) else json.dumps(value)
            variables[f"MCASTD_{name.upper()}"] = shortened(text, LONGEST_VALUE)
    return variables


def shortened(text: str, most: int) -> str:
    """As a variable can have it; what is too long for one is left out whole: half says nothing."""
    return "" if len(text) > most or "\0" in text else text


def watch(args: argparse.Namespace) -> int:
    try:
        runs = Runs(args.exec) if args.exec is not None else None
    except ValueError as error:
        return complain(str(error))
    if runs is None:
        for event in events(args):
            text = json.dumps(event) if args.json else event_line(cleaned(event))
            print(text, flush=True)
        return DONE
    return run_each(runs, args)


def events(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """As they come, until there were as many as are wanted."""
    chosen = {name: getattr(args, name) for name in ("type", "interface")}
    wanted = {name: value for name, value in chosen.items() if value is not None}
    with Client(args.control) as client:
        for count, event in enumerate(client.watch(**wanted), 1):
            yield event
            if args.count is not None and count >= args.count:
                return


def run_each(runs: Runs, args: argparse.Namespace) -> int:
    """Runs the program for each event."""
    try:
        for event in events(args):
            runs.run(event)
    except OSError as error:
        return complain(f"--exec {args.exec}: {error.strerror}")
    finally:
        runs.end()
    if runs.failed:
        return complain(f"{args.exec}: {runs.failed} of {runs.begun} runs failed", 1)
    return DONE


def complain(text: str, code: int = BAD_INPUT) -> int:
    print(printable(f"mcastctl: {text}"), file=sys.stderr)
    return code
