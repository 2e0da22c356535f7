"""What Python parses that comes from others, each as a target: good inputs, and what takes any.

A target answers an input or ends with the error that its users expect; anything else is a fault.
"""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import h11
from mcastd.classify.captures import CaptureError, read_capture
from mcastd.gmp.family import IGMP
from mcastd.gmp.time import Instant, seconds
from mcastd.net.proc import groups_v4, groups_v6
from mcastd.net.rtnetlink import change_of, error_of, messages
from mcastd.service.callers import Caller
from mcastd.service.changes import ChangeError, membership_of
from mcastd.service.config import ConfigFileError, load
from mcastd.service.exposition import refusal
from mcastd.service.known_queriers import QUERIERS_FILE, KnownQueriers
from mcastd.service.memberships import STATE_FILE, OwnedMemberships
from mcastd.service.rendering import form_of
from mcastd.service.requests import RequestError, checked, parsed
from mcastd.simulate.loading import load as load_scenarios
from mcastd.simulate.nodes import ScenarioError
from mcastd.wire import Received, ReceptionContext, Rejected, decode_frame, decode_packet
from support.mutants import OWN, good_frames

TESTS = Path(__file__).parent.parent
CORPUS = Path(__file__).parent / "corpus"
"""Inputs that guided fuzzing found, by target: few and small."""

LARGEST_SEED = 4096


class Target(NamedTuple):
    seeds: list[bytes]
    run: Callable[[bytes], None]


def frames() -> Target:
    """Frames and packets, as they come from rings and captures."""
    contexts = (
        ReceptionContext(addresses_known=False),
        ReceptionContext(own_addresses=frozenset(OWN[:2]), joined=frozenset(OWN[2:])),
        ReceptionContext(igmp_max_version=2, mld_max_version=1, require_router_alert=True),
    )

    def run(content: bytes) -> None:
        for context in contexts:
            for found in (decode_frame(content, context), decode_packet(content[14:], context)):
                assert found is None or isinstance(found, Received | Rejected)

    return Target(good_frames(), run)


def requests() -> Target:
    """Lines of the control socket."""
    join = {"name": "eth0", "group": "239.1.1.1", "sources": ["1.2.3.4"], "as": "x", "hold": True}
    seeds = [
        {"method": "join", "parameters": join},
        {"method": "version", "parameters": {"name": "eth0", "protocol": "igmp", "version": 2}},
        {"method": "watch", "parameters": {"type": "query", "interface": None}},
        {"method": "groups", "parameters": {"name": "eth0", "group": "ff1e::1"}},
    ]

    def run(line: bytes) -> None:
        with suppress(RequestError, ChangeError):
            method, parameters = parsed(line)
            fit = checked(method, parameters)
            if method in ("join", "leave") and "name" in fit:
                membership_of(Caller(0, 1, "x"), fit)

    return Target([json.dumps(each).encode() for each in seeds], run)


def http() -> Target:
    seeds = [
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: text/plain;version=0.0.4;q=0.5,*/*\r\n\r\n",
        b"HEAD /metrics?x HTTP/1.0\r\nAccept: application/openmetrics-text; version=1\r\n\r\n",
        b"POST http://x/metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
    ]

    def run(content: bytes) -> None:
        protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=16384)
        with suppress(h11.RemoteProtocolError):
            protocol.receive_data(content)
            event = protocol.next_event()
            if isinstance(event, h11.Request):
                refusal(event)
                for _, value in event.headers:
                    form_of(value.decode("latin-1"))

    return Target(seeds, run)


def configuration(directory: Path) -> Target:
    path = directory / "mcastd.toml"
    seeds = [
        b'[metrics]\nlisten = "127.0.0.1:9776"\nper_group = 3\n[control]\nclients = 3\n',
        b'[defaults]\nquery_interval = 1.5\nssm_ranges = ["232.0.0.0/8"]\nrobustness = 2\n'
        b'[interface."eth*"]\nmode = "host"\n[[interface."eth*".membership]]\ngroup = "232.1.1.1"\n'
        b'sources = ["10.0.0.2"]\n',
    ]

    def run(content: bytes) -> None:
        path.write_bytes(content)
        with suppress(ConfigFileError):
            load(path)

    return Target(seeds, run)


def memberships(directory: Path) -> Target:
    """The state file of memberships; what is spoilt is put aside."""
    kept = {
        "interface": "eth0", "group": "239.1.1.1", "mode": "exclude", "sources": [],
        "application": "api:x", "uid": 0, "pid": 1, "since": 1.5, "held": False,
    }  # fmt: skip
    seed = json.dumps({"boot": "x", "memberships": [kept]}).encode()
    path = directory / STATE_FILE

    def run(content: bytes) -> None:
        path.write_bytes(content)
        told: list[str] = []
        for each in OwnedMemberships(directory, told.append):
            assert each.filter is not None
        assert bool(told) is not path.exists()

    return Target([seed + b'\n{"drop": ["eth0", "239.1.1.1", "api:x"]}\n'], run)


def queriers(directory: Path) -> Target:
    """The state file of queriers."""
    seed = b'[["eth0", "igmp", "192.0.2.1"], ["eth0", "mld", "fe80::1"]]\n'
    path, at = directory / QUERIERS_FILE, Instant(seconds(1000))

    def run(content: bytes) -> None:
        path.write_bytes(content)
        told: list[str] = []
        known = KnownQueriers(directory, at, told.append)
        assert all(until > at for _, until in known.earlier("eth0", IGMP, at))
        assert bool(told) is not path.exists()

    return Target([seed], run)


def captures() -> Target:
    seeds = [each.read_bytes() for each in (TESTS / "golden/captures").glob("*.pcap*")]

    def run(content: bytes) -> None:
        with suppress(CaptureError):
            for packet in read_capture(io.BytesIO(content)):
                assert len(packet.data) <= len(content)

    return Target([each[:LARGEST_SEED] for each in seeds], run)


def scenarios() -> Target:
    texts = [path.read_text() for path in sorted((TESTS / "conformance").glob("*.yaml"))]
    each_one = [one for text in texts for one in re.split(r"^---\n", text, flags=re.MULTILINE)]

    def run(content: bytes) -> None:
        with suppress(ScenarioError, UnicodeDecodeError):  # the command tells the latter itself
            for _ in load_scenarios(content.decode(), "x.yaml"):
                pass

    return Target([one.encode() for one in each_one if len(one) < 600], run)


GROUP_4, GROUP_6 = bytes((239, 1, 2, 3)), bytes.fromhex("ff1e0000000000000000000000000001")
NO_NAME = re.compile(rb"[/:\s\0]")
"""What no interface has in its name (dev_valid_name in the kernel)."""


def proc() -> Target:
    """/proc/net/igmp and igmp6, in which a device's name is any bytes; then any text at all."""
    word = f"{struct.unpack('=I', GROUP_4)[0]:08X}".encode()
    head = b"Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"

    def texts(name: bytes) -> tuple[bytes, bytes]:
        device = b"7\t" + name.ljust(10) + b":     1      V3\n"
        line = b"\t\t\t\t" + word + b"     2 0:00000000\t\t0\n"
        return head + device + line, b"7    " + name.ljust(15) + b" %s     2 0000000C 0\n" % (
            GROUP_6.hex().encode()
        )

    def run(content: bytes) -> None:
        name = NO_NAME.sub(b"", content)[:15]
        if name and name not in (b".", b".."):
            four, six = texts(name)
            assert list(groups_v4(four)) == [(7, GROUP_4, 2)], name
            assert list(groups_v6(six)) == [(7, GROUP_6, 2)], name
        for read in (groups_v4, groups_v6):
            with suppress(ValueError, struct.error):
                list(read(content))

    return Target([*texts(b"eth0"), b"eth0", b"\xff\xfe", b"V3"], run)


def netlink() -> Target:
    """Datagrams of rtnetlink: links and addresses."""
    name = b"\x09\x00\x03\x00eth0\x00\x00\x00\x00"
    mtu = struct.pack("=HHI", 8, 4, 1500)
    link = struct.pack("=BxHiII", 0, 1, 2, 0x1043, 0) + name + mtu
    kind = struct.pack("=HH", 16, 18) + struct.pack("=HH", 9, 1) + b"veth\0\0\0\0"
    address = struct.pack("=BBBBI", 2, 24, 0x80, 0, 2) + struct.pack("=HH4s", 8, 2, OWN[0])
    bodies = {16: link + kind, 17: link, 20: address, 21: address, 2: struct.pack("=i16x", -19)}
    seeds = [
        struct.pack("=IHHII", 16 + len(body), kind_, 0, 1, 0) + body
        for kind_, body in bodies.items()
    ]

    def run(content: bytes) -> None:
        for message in messages(content):
            change_of(message)
            error_of(message)

    return Target([*seeds, b"".join(seeds)], run)


def all_of(directory: Path) -> Iterator[tuple[str, Target]]:
    """By name; `directory` is for the files that targets read. What is kept is a seed, too."""
    made = {
        "frames": frames(), "requests": requests(), "http": http(),
        "configuration": configuration(directory), "memberships": memberships(directory),
        "queriers": queriers(directory), "captures": captures(), "scenarios": scenarios(),
        "proc": proc(), "netlink": netlink(),
    }  # fmt: skip
    for name, target in made.items():
        kept = sorted((CORPUS / name).glob("*")) if (CORPUS / name).is_dir() else []
        yield name, Target([*target.seeds, *(each.read_bytes() for each in kept)], target.run)
