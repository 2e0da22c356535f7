"""Who has joined a group, and with which filter: what the sockets themselves say."""

from __future__ import annotations

import array
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mcastd_lab import Namespace, RunningAgent
from support.host_lab import HostLab, eventually, host_lab
from support.lab import mcastctl
from support.podman import container

pytestmark = pytest.mark.lab

JOINS = """
import os, socket, struct, sys
group, source, user = sys.argv[1:4]
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
index = socket.if_nametoindex("eth0")
def address(text):
    return (struct.pack("=HH", socket.AF_INET, 0) + socket.inet_aton(text)).ljust(128, b"\\0")
sock.setsockopt(0, 46, struct.pack("@I4x", index) + address(group) + address(source))
if len(sys.argv) > 4 and os.fork() == 0:
    os.setuid(65534)
else:
    print("joined", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


@pytest.fixture(scope="module")
def agent(net: HostLab) -> RunningAgent:
    return net.agent()


@contextmanager
def joined(
    host: Namespace, group: str, *more: str, wrapper: tuple[str, ...] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that has joined the group from 10.0.0.2."""
    command = [*wrapper, sys.executable, "-c", JOINS, group, "10.0.0.2", "", *more]
    with host.entered():
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
    assert process.stdout is not None
    assert process.stdout.readline() == "joined\n"
    try:
        yield process
    finally:
        process.communicate()


def of_kernel(agent: RunningAgent, group: str) -> dict[str, Any] | None:
    """The kernel's part of what is shown of a group."""
    for each in agent.ask("groups", name="eth0", group=group):
        found: dict[str, Any] = each["applications"][0]
        return found
    return None


def exactly(agent: RunningAgent, group: str, processes: int) -> dict[str, Any] | None:
    found = of_kernel(agent, group)
    return found if found and found["exact"] and len(found["processes"]) == processes else None


def test_the_process_is_named_with_its_user(net: HostLab, agent: RunningAgent) -> None:
    with joined(net.host, "232.6.6.1") as process:
        found = eventually("the process", partial(exactly, agent, "232.6.6.1", 1))
        (holder,) = found["processes"]
        assert (holder["pid"], holder["uid"]) == (process.pid, 0)
        assert (holder["mode"], holder["sources"]) == ("include", ["10.0.0.2"])
        assert f"(pid {process.pid}, uid 0)" in mcastctl(agent, "groups", "eth0").stdout


def test_two_processes_that_share_a_socket_are_both_named(
    net: HostLab, agent: RunningAgent
) -> None:
    with joined(net.host, "232.6.6.2", "fork"):
        found = eventually("both", partial(exactly, agent, "232.6.6.2", 2))
        assert found["users"] == 1
        assert {each["uid"] for each in found["processes"]} == {0, 65534}


@contextmanager
def control_group(name: str) -> Iterator[Path]:
    """A control group of the test's own, where version 2 is mounted."""
    root = next(
        (each for each in map(Path, ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"))
         if (each / "cgroup.procs").exists()), None,
    )  # fmt: skip
    if root is None:
        pytest.skip("no control groups of version 2 are mounted here")
    made = root / name
    try:
        made.mkdir(parents=True)
    except OSError as error:
        pytest.skip(f"{made} cannot be made: {error.strerror}")
    try:
        yield made
    finally:
        for _ in range(100):
            try:
                made.rmdir()
                break
            except OSError:
                time.sleep(0.05)


def test_the_container_is_named_by_its_control_group(net: HostLab, agent: RunningAgent) -> None:
    number = f"{os.getpid():064x}"[::-1]
    with (
        control_group(f"docker-{number}.scope") as group,
        joined(net.host, "232.6.6.3") as process,
    ):
        (group / "cgroup.procs").write_text(str(process.pid))
        found = eventually("the process", partial(exactly, agent, "232.6.6.3", 1))
        assert found["processes"][0]["container"] == number[:12]
        shown = mcastctl(agent, "groups", "eth0", "232.6.6.3").stdout
        assert f"container {number[:12]}" in shown


def test_podmans_containers_are_named(net: HostLab, agent: RunningAgent) -> None:
    """By the number that `podman ps` shows, with the user that the program has there."""
    with container(net.host, JOINS, "232.6.6.7", "10.0.0.2", "", user=1234) as made:
        found = eventually("the process", partial(exactly, agent, "232.6.6.7", 1))
        (holder,) = found["processes"]
        assert (holder["container"], holder["uid"]) == (made.number[:12], 1234)
        assert holder["name"].startswith("python3")
        shown = mcastctl(agent, "groups", "eth0", "232.6.6.7").stdout
        assert f"uid 1234, container {made.number[:12]}" in shown


def test_a_socket_on_its_way_is_not_found_and_so_not_exact(
    net: HostLab, agent: RunningAgent
) -> None:
    """It may want anything: nothing that is said takes that away."""
    ours, theirs = socket.socketpair()
    with ours, theirs, joined(net.host, "232.6.6.4"):
        with net.host.entered():
            travelling = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        travelling.setsockopt(
            0, 39, socket.inet_aton("232.6.6.4") + socket.inet_aton("192.0.2.10")
            + socket.inet_aton("10.0.0.3"),
        )  # fmt: skip
        eventually("both", partial(exactly, agent, "232.6.6.4", 2))
        rights = array.array("i", [travelling.fileno()])
        ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        travelling.close()

        def inexact() -> bool:
            found = of_kernel(agent, "232.6.6.4")
            return found is not None and not found["exact"]

        eventually("not exact", inexact)
        found = of_kernel(agent, "232.6.6.4")
        assert found is not None
        assert (found["mode"], found["sources"], found["users"]) == ("exclude", [], 2)
        _, ancillary, _, _ = theirs.recvmsg(1, socket.CMSG_SPACE(4))
        arrived = int.from_bytes(ancillary[0][2], sys.byteorder)
        eventually("exact again", partial(exactly, agent, "232.6.6.4", 2))
        os.close(arrived)


def test_one_socket_with_very_many_sources_blinds_nobody(net: HostLab, agent: RunningAgent) -> None:
    """Its own filter comes in parts; those of others are found beside it."""
    net.host.sysctl({"ipv4.igmp_max_msf": 20000})
    sources = [f"10.{i // 62500}.{i // 250 % 250}.{i % 250 + 1}" for i in range(3000)]
    member = net.member()
    member.join("239.6.6.5")
    with net.host.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        address = socket.inet_aton("192.0.2.10")
        sock.setsockopt(0, 35, socket.inet_aton("239.6.6.6") + address)
        listed = b"".join(map(socket.inet_aton, sources))
        head = socket.inet_aton("239.6.6.6") + address
        count = len(sources).to_bytes(4, sys.byteorder)
        sock.setsockopt(0, 41, head + (1).to_bytes(4, sys.byteorder) + count + listed)

        def is_whole() -> bool:
            found = exactly(agent, "239.6.6.6", 1)
            return found is not None and set(found["sources"]) == set(sources)

        eventually("the long one", is_whole)
        assert exactly(agent, "239.6.6.5", 1)
    member.leave("239.6.6.5")
