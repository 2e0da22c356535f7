"""Whatever comes from the link changes nothing that it may not change."""

from __future__ import annotations

import fcntl
import json
import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from mcastd_lab import Generator, RunningAgent
from support.host_lab import ANY, QUERIER_ADDRESS, HostLab, eventually, family, host_lab
from support.lab import METRICS_TEXT, link_local, scrape
from support.queries import igmp_query, igmp_report, mld_query

pytestmark = pytest.mark.lab

GROUP = "239.1.1.1"
STRANGER, STRANGER_6 = "192.0.2.99", "fe80::99"
OLDER = (
    igmp_query(2, STRANGER), igmp_query(1, STRANGER), igmp_query(2, STRANGER, ttl=9),
    mld_query(1, STRANGER_6),
)  # fmt: skip
FLOOD_SECONDS = 4.0


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


def configured(net: HostLab, text: str) -> tuple[RunningAgent, Path]:
    """An agent in host mode with these keys for eth0."""
    config = net.lab.directory / "mcastd.toml"
    config.write_text(f'[interface.eth0]\nmode = "host"\n{text}\n')
    return net.agent("-c", config, "--metrics", METRICS_TEXT, mode=""), config


class Wire:
    """What puts frames on the cable to the host, past the switch."""

    def __init__(self, net: HostLab) -> None:
        with net.switch.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind((net.port, 0))
        (link,) = json.loads(net.host.ip("-json", "link", "show", "eth0"))
        self._host = bytes.fromhex(link["address"].replace(":", ""))

    def put(self, frame: bytes) -> None:
        self._socket.send(frame)

    def put_to_host(self, frame: bytes) -> None:
        """To its hardware address alone."""
        self.put(self._host + frame[6:])

    @contextmanager
    def repeating(self, put: Callable[[bytes], None], frame: bytes) -> Iterator[None]:
        """Many times a second."""
        ended = Event()

        def repeat() -> None:
            while not ended.wait(0.02):
                put(frame)

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(repeat)
            try:
                yield
            finally:
                ended.set()
                running.result()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def wire(net: HostLab) -> Wire:
    return net.lab.keep(Wire(net))


def reports(net: HostLab, group: str, since: float) -> int:
    """Of the group in IGMPv2."""
    heard = net.sniffer.spoken(since, "igmp")
    return sum((each.group, each.message[0]) == (group, 0x16) for each in heard)


def answers(net: HostLab, since: float) -> int:
    return reports(net, GROUP, since)


def suppressed(agent: RunningAgent) -> int:
    (found,) = agent.ask("counters", name="eth0")
    return int(found["statistics"]["igmp"]["igps_suppressed"])


@pytest.mark.parametrize(
    ("to_host", "switch"),
    [(True, "true"), (False, "false")],
    ids=["to this host alone", "where suppression is off"],
)
def test_forged_reports_silence_nobody(
    net: HostLab, wire: Wire, to_host: bool, switch: str
) -> None:
    agent, _ = configured(net, f"igmp_max_version = 2\nreport_suppression = {switch}")
    net.member().join(GROUP)
    eventually("a report", lambda: answers(net, 0.0) > 0)
    put = wire.put_to_host if to_host else wire.put
    with wire.repeating(put, igmp_report(2, STRANGER, GROUP)):
        since = time.monotonic()
        eventually("answers", lambda: answers(net, since) >= 4)
    assert suppressed(agent) == 0


def test_reports_to_all_make_ours_unnecessary_unless_that_is_off(net: HostLab, wire: Wire) -> None:
    """As RFC 2236 has it: this is what the test above is about."""
    agent, _ = configured(net, "igmp_max_version = 2")
    net.member().join(GROUP)
    eventually("a report", lambda: answers(net, 0.0) > 0)
    with wire.repeating(wire.put, igmp_report(2, STRANGER, GROUP)):
        eventually("suppressed", lambda: suppressed(agent) > 0)


def test_two_packets_do_not_set_the_version_for_days(net: HostLab, wire: Wire) -> None:
    agent, _ = configured(net, "")
    agent.ask("join", name="eth0", group="ff1e::1:1")
    teaching = bytearray(mld_query(2, STRANGER_6))
    teaching[-4:-2] = bytes((7, 255))  # robustness, and 31744 seconds
    total = int.from_bytes(teaching[64:66]) + int.from_bytes(bytes((2, 125)))
    total -= int.from_bytes(bytes((7, 255)))
    teaching[64:66] = (total % 0xFFFF).to_bytes(2)

    def lowered() -> list[dict[str, Any]]:
        wire.put(bytes(teaching))
        wire.put(mld_query(1, STRANGER_6))
        found: list[dict[str, Any]] = agent.ask("status")["interfaces"][0]["mld"]["older_queriers"]
        return found

    (older,) = eventually("an older querier", lambda: lowered() or None)
    assert 3500 < older["forgotten_in"] <= 3600
    eventually("it is told", lambda: "is remembered for 3600 s, and not for" in agent.log())


def named(net: HostLab) -> str:
    mld = link_local(net.switch, "br0")
    return f'queriers = ["{QUERIER_ADDRESS}", "{mld}", "0.0.0.0"]'


def refused(agent: RunningAgent, protocol: str) -> int:
    (found,) = agent.ask("counters", name="eth0")
    return int(found["rejected"]["rx"][protocol]["unlisted_querier"])


def is_refused(agent: RunningAgent, protocol: str) -> bool:
    return refused(agent, protocol) >= 2


def told(agent: RunningAgent, protocol: str) -> object:
    return family(agent, protocol)["unlisted_querier"]


def test_where_queriers_are_named_nobody_else_sets_the_version(net: HostLab, wire: Wire) -> None:
    agent, config = configured(net, named(net))
    net.member().join(GROUP)
    agent.ask("join", name="eth0", group="ff1e::1:1")
    net.expect({GROUP: ANY, "ff1e::1:1": ANY})
    for frame in OLDER:
        wire.put(frame)
        wire.put_to_host(frame)

    for protocol, newest, stranger in (("igmp", 3, STRANGER), ("mld", 2, STRANGER_6)):
        eventually("refused", partial(is_refused, agent, protocol))
        found = eventually("it is told", partial(told, agent, protocol))
        assert isinstance(found, dict)
        assert found["address"] == stranger
        assert family(agent, protocol)["version"] == newest
    assert net.kernel_version() == "V3"
    assert STRANGER in str(agent.ask("doctor"))
    assert f"unlisted_querier interface=eth0 protocol=igmp address={STRANGER}" in agent.log()
    since = time.monotonic()
    eventually("answers", lambda: len(net.sniffer.spoken(since, "igmp")) >= 2)

    config.write_text('[interface.eth0]\nmode = "host"\n')
    agent.reload()

    def believed() -> bool:
        wire.put(OLDER[0])
        return net.kernel_version() == "V2"

    eventually("the version that anybody may set", believed)


def test_in_observe_mode_what_the_kernel_believes_is_shown(net: HostLab, wire: Wire) -> None:
    config = net.lab.directory / "mcastd.toml"
    config.write_text(f"[interface.eth0]\n{named(net)}\n")
    agent = net.agent("-c", config, mode="")
    wire.put(OLDER[0])

    eventually("refused", lambda: refused(agent, "igmp") >= 1)

    eventually("as the kernel", lambda: family(agent)["version"] == 2)
    assert net.kernel_version() == "V2"
    assert family(agent)["querier"] != STRANGER


def memory(agent: RunningAgent) -> float:
    """Resident, in mebibytes."""
    return int(Path(f"/proc/{agent.process.pid}/statm").read_text().split()[1]) * 4096 / (1 << 20)


def strangers() -> list[bytes]:
    """Queries of all versions, and reports of all kinds, each from somebody else."""
    dice = random.Random(9)

    def address() -> str:
        return f"10.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(1, 255)}"

    def address_6() -> str:
        return f"fe80::{dice.randrange(1 << 16):x}:{dice.randrange(1, 1 << 16):x}"

    frames = [igmp_query(each % 3 + 1, address(), response=255) for each in range(300)]
    frames += [mld_query(each % 2 + 1, address_6(), response=0x7FFF) for each in range(300)]
    frames += [igmp_report(each % 3 + 1, address(), f"239.1.{each}.1") for each in range(250)]
    dice.shuffle(frames)
    return frames


def test_a_flood_of_strangers_changes_nothing_and_stops_no_answer(net: HostLab) -> None:
    """As many packets a second as this machine can send: the rate is printed."""
    agent, _ = configured(net, named(net))
    net.member().join(GROUP)
    agent.ask("join", name="eth0", group="ff1e::1:1")
    wanted = {GROUP: ANY, "ff1e::1:1": ANY}
    net.expect(wanted)
    generator = net.lab.keep(Generator((net.switch, net.port), (net.host, "eth0")))
    series, before = len(scrape(net.host).text.splitlines()), memory(agent)
    lines, since = agent.log().count("\n"), time.monotonic()
    gaps: list[object] = []
    with ThreadPoolExecutor(1) as pool:
        flood = pool.submit(generator.flood, strangers(), FLOOD_SECONDS)
        while not flood.done():
            gaps += net.lacking(wanted).items()
            time.sleep(0.1)
    seconds = time.monotonic() - since
    frames = flood.result().frames
    print(f"{frames / seconds / 1e6:.2f} million frames a second for {seconds:.1f} s")

    assert gaps == []
    (counted,) = agent.ask("counters", name="eth0")
    kept = refused(agent, "igmp") + refused(agent, "mld")
    kept += sum(sum(each.values()) for each in counted["discarded"].values())
    assert kept > frames / 2, counted
    assert (family(agent)["version"], family(agent, "mld")["version"]) == (3, 2)
    assert net.kernel_version() == "V3"
    assert memory(agent) < before + 20
    assert agent.log().count("\n") - lines < 60
    assert len(scrape(net.host).text.splitlines()) < series + 40
    later = time.monotonic()
    eventually("answers", lambda: len(net.sniffer.spoken(later, "igmp")) >= 2)


def test_a_leave_just_before_the_link_goes_down_is_not_forgotten(net: HostLab) -> None:
    """Under a cap the agent speaks for the kernel, which says nothing of what it could not send."""
    configured(net, "igmp_max_version = 2")
    for number in range(4):
        group = f"239.1.2.{number + 1}"
        with net.host.entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            index = socket.if_nametoindex("eth0")
        request = (
            socket.inet_aton(group) + socket.inet_aton("0.0.0.0") + index.to_bytes(4, "little")
        )
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        eventually("a report", partial(reports, net, group, 0.0))
        since = time.monotonic()
        leave_and_replug(sock, request)
        net.member().join(GROUP)
        eventually("what is still wanted", partial(reports, net, GROUP, since))
        assert reports(net, group, since) == 0


IFREQ = "16sh14x"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def leave_and_replug(sock: socket.socket, request: bytes) -> None:
    """All within a millisecond or two, if the machine has them."""
    name = b"eth0"
    flags = struct.unpack(IFREQ, fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack(IFREQ, name, 0)))[1]
    down = struct.pack(IFREQ, name, flags & ~IFF_UP)
    up = struct.pack(IFREQ, name, flags | IFF_UP)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_DROP_MEMBERSHIP, request)
    fcntl.ioctl(sock, SIOCSIFFLAGS, down)
    fcntl.ioctl(sock, SIOCSIFFLAGS, up)
    sock.close()
