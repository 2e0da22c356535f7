"""The daemon as a process: its metrics, its rights, its size, and its sudden end."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which

import pytest
from mcastd.service.system import KEPT
from support.flood import igmp_frames
from support.lab import (
    ATTACHED,
    HOST,
    Cable,
    counters,
    interface,
    programs_on,
    received,
    run_in,
    scrape,
)
from support.packets import ipv4
from support.privileges import capabilities_of_the_unit
from support.waiting import eventually

pytestmark = pytest.mark.lab

FIRST_QUERY = next(each for each in igmp_frames(bytes(4)) if each.counts_as == "igmp query 3")


def status_of(process: int) -> dict[str, str]:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_the_metrics_are_as_prometheus_wants_them(observed_cable: Cable) -> None:
    if which("promtool") is None:
        pytest.skip("needs promtool (the package is prometheus)")
    checked = run_in(
        observed_cable.host, "promtool", "check", "metrics", input=scrape(observed_cable.host).text
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@pytest.fixture
def observed_cable(cable: Cable) -> Cable:
    cable.observe()
    cable.wire.send(FIRST_QUERY.frame)
    eventually(lambda: received(cable.agent).get("igmp query 3"))
    return cable


def test_the_metrics_say_what_the_counters_say(observed_cable: Cable) -> None:
    shown = scrape(observed_cable.host)
    found = counters(observed_cable.agent)

    for direction, kinds in found["messages"].items():
        for kind, count in kinds.items():
            protocol, type_, *version = kind.split()
            assert count == shown.value(
                "mcastd_messages_total", direction=direction, protocol=protocol, type=type_,
                version=version[0] if version else "",
            )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/-/healthy", 200), ("/-/ready", 200), ("/metric", 404), ("/-/", 404)],
)
def test_the_pages_that_there_are_and_no_others(
    observed_cable: Cable, path: str, status: int
) -> None:
    def is_answered_so() -> bool:
        with observed_cable.host.entered():
            sock = socket.create_connection(("127.0.0.1", 9776), timeout=20)
        with sock:
            sock.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
            answer = sock.recv(4096)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        return True

    # The kernel's memberships are read a little after the start: it is not ready until then.
    eventually(is_answered_so)


def test_no_more_rights_are_kept_than_are_needed(observed_cable: Cable) -> None:
    allowed = sum(1 << capability for capability in KEPT)
    status = status_of(observed_cable.agent.process.pid)

    for kind in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"):
        assert int(status[kind], 16) & ~allowed == 0, f"{kind}: {status[kind]}"
    assert status["NoNewPrivs"] == "1"


def test_an_interface_that_appears_later_is_attached_with_what_rights_are_left(
    cable: Cable,
) -> None:
    agent = cable.observe("-i", "eth1")

    cable.host.ip("link", "add", "eth1", "type", "veth", "peer", "name", "eth1-peer")
    cable.host.ip("link", "set", "eth1", "up")

    eventually(lambda: programs_on(cable.host, "eth1") == ATTACHED)
    eventually(lambda: "eth1: xdp-native" in agent.log(), what="a line of the log")


def test_it_runs_as_a_user_of_its_own_with_the_rights_of_its_unit(cable: Cable) -> None:
    rights = capabilities_of_the_unit()
    nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    wrapper = (*nobody, f"--inh-caps={rights}", f"--ambient-caps={rights}")
    if run_in(cable.host, *wrapper, sys.executable, "-c", "import mcastd").returncode:
        pytest.skip("other users may not read this checkout")
    cable.lab.directory.chmod(0o777)

    agent = cable.lab.agent(cable.host, "-i", "eth0", "--metrics", "", wrapper=wrapper)

    assert interface(agent)["hook"] == "xdp-native"
    status = status_of(agent.process.pid)
    assert status["Uid"].split()[0] == "65534"
    assert int(status["CapEff"], 16) == sum(1 << capability for capability in KEPT)


def test_the_compiler_is_not_in_the_daemons_memory(
    observed_cable: Cable, record_property: Callable[[str, object], None]
) -> None:
    process = observed_cable.agent.process.pid
    size = int(status_of(process)["VmRSS"].split()[0]) / 1024

    record_property("resident_mebibytes", round(size, 1))
    print(f"{size:.1f} MiB resident")
    assert size < 80
    mapped = re.findall(r"/.*", Path(f"/proc/{process}/maps").read_text())
    assert not [path for path in mapped if re.search("LLVM|clang|bcc", path)]


SO_RCVBUFFORCE = 33


class Stream:
    """UDP datagrams to the host, numbered; those that arrive."""

    def __init__(self, cable: Cable) -> None:
        cable.outside.ip("address", "add", "192.0.2.1/24", "dev", "out0")
        with cable.host.entered():
            self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            self.receiver.bind((HOST, 5000))
            self.receiver.settimeout(10)
        with cable.outside.entered():
            self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sender.connect((HOST, 5000))
        self.sent = 0
        self._stop = threading.Event()

    @contextmanager
    def flowing(self) -> Iterator[None]:
        thread = threading.Thread(target=self._send)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _send(self) -> None:
        while not self._stop.is_set():
            self.sender.send(self.sent.to_bytes(4))
            self.sent += 1
            time.sleep(0.001)

    def close(self) -> None:
        self.receiver.close()
        self.sender.close()

    def numbers(self) -> list[int]:
        return [int.from_bytes(self.receiver.recv(4)) for _ in range(self.sent)]


@pytest.mark.parametrize("end", ["killed", "stopped"])
def test_nothing_stays_attached_and_no_traffic_is_lost_when_it_ends(
    observed_cable: Cable, end: str
) -> None:
    agent, stream = observed_cable.agent, observed_cable.lab.keep(Stream(observed_cable))
    assert programs_on(observed_cable.host, "eth0") == ATTACHED

    with stream.flowing():
        eventually(lambda: stream.sent > 50)
        if end == "killed":
            agent.kill()
        else:
            agent.close()
        eventually(lambda: programs_on(observed_cable.host, "eth0") == {})
        before = stream.sent
        eventually(lambda: stream.sent > before + 50)

    assert stream.numbers() == list(range(stream.sent))
    if which("bpftool"):
        shown = run_in(observed_cable.host, "bpftool", "net", "show").stdout
        assert re.findall(r"mcast_\w+", shown) == []


def test_it_ends_cleanly_on_sigterm(observed_cable: Cable) -> None:
    agent = observed_cable.agent
    agent.close()

    assert agent.process.returncode == 0
    assert "Traceback" not in agent.log()


def test_the_socket_that_a_killed_agent_left_is_no_obstacle(observed_cable: Cable) -> None:
    observed_cable.agent.kill()
    left = observed_cable.agent.control
    assert left.exists()

    again = observed_cable.observe("--control", left)

    assert again.process.poll() is None


def test_a_packet_that_is_none_of_its_business_passes(observed_cable: Cable) -> None:
    """Empty, long and strange ones do not end it either."""
    for payload in (b"", bytes(1400)):
        observed_cable.wire.send(bytes.fromhex("01005e0000010200000000010800") + payload)
        observed_cable.wire.send(bytes(14) + ipv4(payload, protocol=17))

    assert observed_cable.agent.ask("status")
    assert os.path.exists(f"/proc/{observed_cable.agent.process.pid}")
