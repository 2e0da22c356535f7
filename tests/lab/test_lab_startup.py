"""Starting: interfaces are attached first, and nothing is lost until the agent takes them over."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import mcastd
import pytest
from mcastd.fastpath.bpf_source import BPF_DIRECTORY, file_name
from mcastd.fastpath.fast_path import FastPath
from mcastd.fastpath.objects import cache_directory
from mcastd.fastpath.policies import Policy
from mcastd.net.presence import present
from mcastd_lab import Lab, Member
from mcastd_lab.processes import start, stop
from support.lab import ATTACHED, HOST, Cable, link_local, programs_on, run_in
from support.lab import mcastd as run_mcastd
from support.queries import igmp_query
from support.waiting import eventually, stretched

pytestmark = pytest.mark.lab

MCASTD_RUN = (sys.executable, "-m", "mcastd.cli.mcastd", "run", "--metrics", "")
GROUP = "239.1.2.3"
QUERIER = "192.0.2.1"


@pytest.fixture
def fast_path(cable: Cable) -> Iterator[FastPath]:
    with cable.host.entered():
        made = FastPath.open(print)
        yield made
        made.close()


def test_what_was_attached_early_goes_on_counting_under_its_name(
    cable: Cable, fast_path: FastPath
) -> None:
    index = cable.host.index("eth0")
    fast_path.attach_early("eth0", index, Policy())
    assert programs_on(cable.host, "eth0") == ATTACHED
    cable.wire.send(igmp_query(3, QUERIER))
    eventually(lambda: fast_path.counters()["eth0"].events[0] == 1)

    attachment = fast_path.attach("eth0", index, Policy(igmp_max_version=2))
    fast_path.close_unclaimed()

    assert programs_on(cable.host, "eth0") == ATTACHED
    assert fast_path.counters()["eth0"].events[0] == 1
    assert fast_path.policy(index).igmp_max_version == 2
    assert [event.frame for event in fast_path.rings["query"].drain()] == [
        igmp_query(3, QUERIER).ljust(60, b"\0")[: len(igmp_query(3, QUERIER))]
    ]
    attachment.close()
    assert programs_on(cable.host, "eth0") == {}


def test_what_was_attached_early_and_nobody_wants_is_given_up(
    cable: Cable, fast_path: FastPath
) -> None:
    fast_path.attach_early("eth0", cable.host.index("eth0"), Policy())

    fast_path.close_unclaimed()

    assert programs_on(cable.host, "eth0") == {}


def test_an_interface_that_was_renamed_meanwhile_is_attached_anew(
    cable: Cable, fast_path: FastPath
) -> None:
    index = cable.host.index("eth0")
    fast_path.attach_early("eth0", index, Policy())

    attachment = fast_path.attach("eth9", index, Policy())
    cable.wire.send(igmp_query(3, QUERIER))

    eventually(lambda: fast_path.counters()["eth9"].events[0] == 1)
    assert fast_path.counters()["eth0"].events[0] == 0
    assert programs_on(cable.host, "eth0") == ATTACHED
    attachment.close()


def test_the_interfaces_that_are_there_are_found_with_their_addresses(cable: Cable) -> None:
    cable.host.ip("address", "add", "192.0.2.77/24", "dev", "eth0", "label", "eth0:1")
    cable.host.ip("tuntap", "add", "tun0", "mode", "tun")
    with cable.host.entered():
        found = {each.name: each for each in present()}

    eth0 = found["eth0"]
    assert (eth0.ifindex, eth0.unfit) == (cable.host.index("eth0"), None)
    assert set(eth0.addresses) == {
        ip_address(each).packed for each in (HOST, "192.0.2.77", link_local(cable.host, "eth0"))
    }
    assert "loopback" in (found["lo"].unfit or "")
    assert "tun0" not in found, "without a hardware address it is no Ethernet"


HELD = """
import sys
from mcastd.cli import mcastd, start

go_on = start.run_agent

def wait_first(*arguments):
    sys.stdin.readline()
    return go_on(*arguments)

start.run_agent = wait_first
sys.exit(mcastd.main())
"""
"""`mcastd run` that waits for a line before the agent is there, when all is attached."""


@pytest.fixture
def held(cable: Cable) -> Iterator[Popen[bytes]]:
    arguments = ["run", "-i", "eth0", "--metrics", "", "--control", str(control(cable))]
    with cable.host.entered():
        process = Popen([sys.executable, "-c", HELD, *arguments], stdin=PIPE, stderr=PIPE)
    yield process
    stop(process)
    assert process.stdin is not None
    process.stdin.close()
    assert process.stderr is not None
    process.stderr.close()


def control(cable: Cable) -> Path:
    return cable.lab.directory / "held.sock"


def test_what_comes_before_the_agent_is_there_is_counted_and_answered_for(
    cable: Cable, held: Popen[bytes]
) -> None:
    member = cable.lab.keep(Member(cable.host, "eth0"))
    member.join(GROUP)
    eventually(lambda: programs_on(cable.host, "eth0") == ATTACHED)
    eventually(lambda: not control(cable).exists())
    frames = [igmp_query(3, QUERIER), igmp_query(3, QUERIER, group=GROUP)]
    for frame in frames:
        cable.wire.send(frame)

    assert held.stdin is not None
    held.stdin.write(b"\n")
    held.stdin.flush()
    eventually(control(cable).exists)

    def asked(method: str) -> Any:
        command = (sys.executable, "-m", "mcastd.cli.mcastctl", "--control", control(cable))
        return json.loads(run_in(cable.host, *command, method, "--json").stdout)

    (counted,) = asked("counters")
    assert counted["messages"]["rx"]["igmp query 3"] == len(frames)
    assert set(counted["rejected"]["rx"]["igmp"].values()) == {0}
    queriers = eventually(lambda: asked("querier"))
    assert QUERIER in json.dumps(queriers)


def test_a_bad_configuration_is_refused_before_the_programs_are(
    cable: Cable, tmp_path: Path
) -> None:
    """Without the rights to load anything the configuration is still what is complained about."""
    bad = tmp_path / "mcastd.toml"
    bad.write_text("[interface.eth0]\nrobustness = 0\n")

    done = run_in(cable.host, "setpriv", "--bounding-set=-all", *MCASTD_RUN, "-c", bad)

    assert done.returncode == 2, done.stderr
    assert "interface.eth0.robustness = 0" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "missing", ["sys_admin,-perfmon", "sys_admin,-bpf", "sys_admin,-net_admin"]
)
def test_without_the_rights_to_load_that_is_all_that_is_said(cable: Cable, missing: str) -> None:
    built = run_mcastd(cable.host, "build-cache")
    assert built.returncode == 0, built.stderr

    done = run_in(
        cable.host, "setpriv", f"--bounding-set=-{missing}", *MCASTD_RUN, "-i", "eth0"
    )  # fmt: skip

    assert done.returncode == 3
    (said,) = done.stderr.splitlines()
    assert said.startswith("mcastd: ")
    assert "needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN" in said


NO_BCC = "raise ImportError('there is no bcc on this machine')\n"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of mcastd as a package has it, without a compiler beside it."""
    installed = tmp_path / "site"
    shutil.copytree(Path(mcastd.__path__[0]), installed / "mcastd")
    shutil.copytree(BPF_DIRECTORY, installed / "mcastd" / "_bpf", dirs_exist_ok=True)
    (installed / "bcc.py").write_text(NO_BCC)
    return installed


def start_package(lab: Lab, cable: Cable, package: Path) -> Popen[bytes]:
    command = [sys.executable, "-m", "mcastd.cli.mcastd", "run", "-i", "eth0", "--metrics", ""]
    environment = os.environ | {
        "PYTHONPATH": str(package),
        "MCASTD_CACHE": str(package / "cache"),
    }
    process = start(
        cable.host,
        ["/usr/bin/env", "PATH=/nowhere", *command, "--control", str(control(cable))],
        errors=PIPE,
        environment=environment,
    )
    lab.keep(Ended(process))
    return process


class Ended:
    """Ends a process with the lab."""

    def __init__(self, process: Popen[bytes]) -> None:
        self._process = process

    def close(self) -> None:
        stop(self._process)
        assert self._process.stderr is not None
        self._process.stderr.close()


def test_a_package_with_the_programs_in_it_starts_without_a_compiler(
    cable: Cable, package: Path
) -> None:
    prebuilt = package / "mcastd" / "_bpf" / "prebuilt"
    built = run_mcastd(cable.host, "build-cache", "--output", prebuilt, "--json")
    assert built.returncode == 0, built.stderr
    assert json.loads(built.stdout)["file"] == str(prebuilt / file_name())

    process = start_package(cable.lab, cable, package)

    eventually(lambda: programs_on(cable.host, "eth0") == ATTACHED)
    assert not (package / "cache").exists()
    mapped = Path(f"/proc/{process.pid}/maps").read_text()
    assert str(package) in mapped, "it is the copy that runs"


def test_programs_of_another_version_in_a_package_are_told_and_not_used(
    cable: Cable, package: Path
) -> None:
    prebuilt = package / "mcastd" / "_bpf" / "prebuilt"
    prebuilt.mkdir()
    (prebuilt / "programs-of-another-version.json").write_text("{}")

    process = start_package(cable.lab, cable, package)
    _, said = process.communicate(timeout=stretched(60))

    assert process.returncode == 3
    text = said.decode()
    assert f"{prebuilt}: not used: made from other sources or flags" in text
    assert "no bcc: install python3-bpfcc" in text.splitlines()[-1]


def test_the_cache_is_where_a_start_looks(
    cable: Cable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCASTD_CACHE", str(tmp_path / "cache"))

    built = run_mcastd(cable.host, "build-cache")

    assert built.returncode == 0, built.stderr
    assert built.stdout.startswith(f"{cache_directory() / file_name()}: mcast_xdp, ")
    agent = cable.observe()
    assert "compiling" not in agent.log()


def test_a_place_that_cannot_be_written_is_told_with_a_remedy(cable: Cable) -> None:
    done = run_mcastd(cable.host, "build-cache", "--output", "/proc/nowhere")

    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"mcastd build-cache: /proc/nowhere/{file_name()}: No such file or directory; "
        "choose another place with --output"
    )
