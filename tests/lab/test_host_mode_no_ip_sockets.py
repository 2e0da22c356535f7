"""An agent that can make no IP socket, as under hardened.conf, does all else."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcastd.client import AgentError, Client
from mcastd_lab import RunningAgent
from mcastd_lab.agent import AgentError as StartError
from support import no_ip_sockets
from support.host_lab import ANY, HostLab, cycle, host_lab
from support.waiting import stretched

pytestmark = pytest.mark.lab

GROUPS = ("239.1.1.1", "ff1e::1:1")


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


def hardened(net: HostLab, *arguments: str) -> RunningAgent:
    script = str(Path(no_ip_sockets.__file__))
    return net.agent(*arguments, wrapper=(sys.executable, script))


def test_it_speaks_and_is_scraped_at_a_path(net: HostLab) -> None:
    path = net.lab.directory / "metrics.sock"
    agent = hardened(net, "--metrics", f"unix:{path}")
    with Client(str(agent.control)) as client:
        for group in GROUPS:
            client.call("join", name="eth0", group=group)
        net.expect(dict.fromkeys(GROUPS, ANY))
        cycle(net)
        net.expect(dict.fromkeys(GROUPS, ANY))
        with pytest.raises(AgentError, match="no IP socket can be made"):
            client.call("join", name="eth0", group="239.1.1.2", kernel=True)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(stretched(20))
        sock.connect(str(path))
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: lab\r\n\r\n")
        said = b"".join(iter(lambda: sock.recv(65536), b"")).decode()
    assert 'mcastd_groups{interface="eth0"' in said


def test_a_port_that_cannot_be_opened_is_said_in_one_line(net: HostLab) -> None:
    with pytest.raises(StartError, match=r"127\.0\.0\.1:9776.*Address family not supported"):
        hardened(net, "--metrics", "127.0.0.1:9776")
