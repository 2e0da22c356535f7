"""What every command of mcastctl ends with: an exit code, and its result as text or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

DONE, NO, BAD_INPUT, NOT_THERE = 0, 1, 2, 3

Run = Callable[[argparse.Namespace], int]
"""A command; the exit code."""


def show(args: argparse.Namespace, result: Any, text: str) -> None:
    """Prints the result as JSON where that is wanted, else the text."""
    print(json.dumps(result) if args.json else text, flush=True)
