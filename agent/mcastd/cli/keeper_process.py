"""Starts the keeper of other network namespaces, which is a process of its own."""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys

from mcastd.service.namespaces import channel

KEEPER = "mcastd.cli.namespaces"
"""The module that the process runs."""

KEPT = ("config", "interfaces", "mode", "verbose", "log_format")
"""Of the arguments, what is for all namespaces."""


def begin(args: argparse.Namespace) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Starts the keeper, with all the rights that this process still has. OSError."""
    ours, its = channel.pair()
    kept = {key: getattr(args, key) for key in KEPT}
    kept["config"] = None if args.config is None else str(args.config)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", KEEPER, str(its.fileno()), json.dumps(kept)],
            stdin=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
            start_new_session=True,  # Ctrl-C is for the agent, which then ends all
        )
    return process, ours
