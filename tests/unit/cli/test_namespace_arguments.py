"""What the agents of namespaces are told of the command line."""

from __future__ import annotations

import argparse
import inspect
import re

from mcastd.cli import keeper_process, namespaces, run, start

OWN = {"metrics", "control"}
"""Of the first agent alone: it answers and is scraped for all of them."""


def test_they_know_every_argument_that_they_look_at() -> None:
    read = set(re.findall(r"args\.(\w+)", inspect.getsource(start) + inspect.getsource(namespaces)))
    assert read - OWN == set(keeper_process.KEPT)


def test_every_argument_that_they_look_at_is_one_of_the_commands() -> None:
    parser = argparse.ArgumentParser()
    run.add_parser(parser.add_subparsers())
    assert {*keeper_process.KEPT, *OWN} <= vars(parser.parse_args(["run", "-i", "eth0"])).keys()
