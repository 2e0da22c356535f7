"""Mutated input for what Python parses: requests, HTTP, configuration, state files.

python tests/fuzz/parsers.py [SECONDS [SEED]]: for each target so many seconds; how many inputs were
tried, and the first that ended with anything but an answer or its own error.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import h11
from mcastd.gmp.time import Instant, seconds
from mcastd.service.callers import Caller
from mcastd.service.changes import ChangeError, membership_of
from mcastd.service.config import ConfigFileError, load
from mcastd.service.exposition import refusal
from mcastd.service.known_queriers import QUERIERS_FILE, KnownQueriers
from mcastd.service.memberships import STATE_FILE, OwnedMemberships
from mcastd.service.rendering import form_of
from mcastd.service.requests import RequestError, checked, parsed

Target = Callable[[bytes], None]

PIECES = (
    b"\0", b"\xff", b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b"1e999", b"NaN", b"null", b'"',
    b"\\ud800", b"\n", b"\r\n", b"\r\n\r\n", b"0x" + b"f" * 5000, b"true", b"{}", b"[]", b"=", b";",
    b"\x1b[2J", b"-1", b"239.1.1.1", b"::", b"x" * 300,
)  # fmt: skip


def requests() -> tuple[list[bytes], Target]:
    join = {"name": "eth0", "group": "239.1.1.1", "sources": ["1.2.3.4"], "as": "x", "hold": True}
    seeds = [
        {"method": "join", "parameters": join},
        {"method": "version", "parameters": {"name": "eth0", "protocol": "igmp", "version": 2}},
        {"method": "watch", "parameters": {"type": "query", "interface": None}},
        {"method": "groups", "parameters": {"name": "eth0", "group": "ff1e::1"}},
    ]

    def target(line: bytes) -> None:
        with suppress(RequestError, ChangeError):
            method, parameters = parsed(line)
            fit = checked(method, parameters)
            if method in ("join", "leave") and "name" in fit:
                membership_of(Caller(0, 1, "x"), fit)

    return [json.dumps(each).encode() for each in seeds], target


def http() -> tuple[list[bytes], Target]:
    seeds = [
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain;version=0.0.4;q=0.5,*/*\r\n\r\n",
        b"HEAD /metrics?x HTTP/1.0\r\nAccept: application/openmetrics-text; version=1\r\n\r\n",
        b"POST http://x/metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
    ]

    def target(content: bytes) -> None:
        protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=16384)
        with suppress(h11.RemoteProtocolError):
            protocol.receive_data(content)
            event = protocol.next_event()
            if isinstance(event, h11.Request):
                refusal(event)
                for _, value in event.headers:
                    form_of(value.decode("latin-1"))

    return seeds, target


def configuration(directory: Path) -> tuple[list[bytes], Target]:
    path = directory / "mcastd.toml"
    seeds = [
        b'[metrics]\nlisten = "127.0.0.1:9776"\nper_group = 3\n[control]\nclients = 3\n',
        b'[defaults]\nquery_interval = 1.5\nssm_ranges = ["232.0.0.0/8"]\nrobustness = 2\n'
        b'[interface."eth*"]\nmode = "host"\n[[interface."eth*".membership]]\ngroup = "232.1.1.1"\n'
        b'sources = ["10.0.0.2"]\n',
    ]

    def target(content: bytes) -> None:
        path.write_bytes(content)
        with suppress(ConfigFileError):
            load(path)

    return seeds, target


def state(directory: Path) -> tuple[list[bytes], Target]:
    kept = {
        "interface": "eth0", "group": "239.1.1.1", "mode": "exclude", "sources": [],
        "application": "api:x", "uid": 0, "pid": 1, "since": 1.5, "held": False,
    }  # fmt: skip
    seeds = [
        json.dumps({"boot": "x", "memberships": [kept]}).encode()
        + b'\n{"drop": ["eth0", "239.1.1.1", "api:x"]}\n',
        b'[["eth0", "igmp", "192.0.2.1"], ["eth0", "mld", "fe80::1"]]\n',
    ]

    def ignore(_text: str) -> None:
        pass

    def target(content: bytes) -> None:
        for name in (STATE_FILE, QUERIERS_FILE):
            (directory / name).write_bytes(content)
        list(OwnedMemberships(directory, ignore))
        KnownQueriers(directory, Instant(seconds(1000)), ignore)

    return seeds, target


def mutated(rng: random.Random, seed: bytes) -> bytes:
    """With a few bytes changed, taken out, said twice, or replaced by something strange."""
    content = bytearray(seed)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content) + 1)
        match rng.randrange(4):
            case 0 if at < len(content):
                content[at] = rng.randrange(256)
            case 1:
                del content[at : at + rng.randint(1, 12)]
            case 2:
                content[at:at] = content[at : at + rng.randint(1, 40)]
            case _:
                content[at : at + rng.randint(0, 8)] = rng.choice(PIECES)
    return bytes(content)


def run(name: str, seeds: list[bytes], target: Target, lasting: float, rng: random.Random) -> bool:
    """Whether all inputs were answered."""
    tried, until = 0, time.monotonic() + lasting
    while time.monotonic() < until:
        content = mutated(rng, rng.choice(seeds))
        tried += 1
        try:
            target(content)
        except Exception as error:
            print(f"{name}: input {tried}: {error!r}\n{content[:2000]!r}")
            return False
    print(f"{name}: {tried} inputs, all answered or refused")
    return tried > 0


def fuzz(lasting: float, seed: int) -> bool:
    """All targets, each so long; whether all inputs were answered."""
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as made:
        targets = {
            "requests": requests(),
            "http": http(),
            "configuration": configuration(Path(made)),
            "state": state(Path(made)),
        }
        good = [
            run(name, seeds, target, lasting, random.Random(seed))
            for name, (seeds, target) in targets.items()
        ]
    return all(good)


def main() -> int:
    lasting = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    return 0 if fuzz(lasting, seed) else 1


if __name__ == "__main__":
    sys.exit(main())
