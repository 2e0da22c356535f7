"""What keeps the agent from starting: one line that says what, and how to mend it; exit code 3."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcastd_lab import Namespace
from support.lab import (
    ATTACHED,
    METRICS,
    METRICS_TEXT,
    Cable,
    interface,
    mcastctl,
    mcastd,
    programs_on,
    run_in,
)

pytestmark = pytest.mark.lab

NOT_THERE = 3
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The line that is not the log's; AssertionError unless it is the only one."""
    assert "Traceback" not in done.stderr, done.stderr
    (line,) = [each for each in done.stderr.splitlines() if each.startswith("mcastd")]
    return line


def run(host: Namespace, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return mcastd(host, "run", "-i", "eth0", *arguments)


def test_a_control_socket_that_is_taken(cable: Cable) -> None:
    agent = cable.observe()

    done = run(cable.host, "--metrics", "", "--control", agent.control)

    assert (done.returncode, complaint(done)) == (
        NOT_THERE, f"mcastd: {agent.control}: another mcastd listens there"
    )  # fmt: skip
    assert agent.ask("status")
    assert programs_on(cable.host, "eth0") == ATTACHED, "the other one's"


def test_a_control_socket_where_none_can_be(cable: Cable, tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("")

    done = run(cable.host, "--metrics", "", "--control", taken / "control.sock")

    assert done.returncode == NOT_THERE
    assert complaint(done) == f"mcastd: {taken}/control.sock: Not a directory"


def test_a_metrics_port_that_is_taken(cable: Cable, tmp_path: Path) -> None:
    with cable.host.entered():
        other = socket.create_server(METRICS)
    with other:
        done = run(cable.host, "--metrics", METRICS_TEXT, "--control", tmp_path / "sock")

    assert done.returncode == NOT_THERE
    assert complaint(done).startswith(f"mcastd: metrics on {METRICS_TEXT}: ")
    assert "choose another with --metrics or metrics.listen" in complaint(done)
    assert programs_on(cable.host, "eth0") == {}


def test_a_metrics_address_that_is_not_ours(cable: Cable, tmp_path: Path) -> None:
    done = run(cable.host, "--metrics", "203.0.113.1:9776", "--control", tmp_path / "sock")

    assert done.returncode == NOT_THERE
    assert complaint(done).startswith("mcastd: metrics on 203.0.113.1:9776: ")


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that everybody may read."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def run_as_nobody(cable: Cable, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcastd.cli.mcastd", "run", "-i", "eth0", "--metrics", ""]
    can_import = run_in(cable.host, *NOBODY, sys.executable, "-c", "import mcastd")
    if can_import.returncode:
        pytest.skip("other users may not read this checkout")
    environment = ("env", f"MCASTD_CACHE={cache}")
    return run_in(cable.host, *NOBODY, *environment, *command, "--control", "/nowhere/sock")


def test_a_missing_privilege(cable: Cable, public: Path) -> None:
    cable.observe().close()  # so that the programs are compiled
    for kept in Path(os.environ["MCASTD_CACHE"]).glob("*.json"):
        shutil.copy(kept, public)

    done = run_as_nobody(cable, public)

    assert done.returncode == NOT_THERE
    assert re.fullmatch(
        r"mcastd: BPF map \w+: Operation not permitted \(needs CAP_BPF, CAP_PERFMON and "
        r"CAP_NET_ADMIN: run it as root or by its systemd unit\)",
        complaint(done),
    )


@pytest.fixture
def refused(cable: Cable, tmp_path: Path) -> tuple[str, ...]:
    """A command whose programs read what is not theirs."""
    cable.observe().close()
    # r0 = *(u64 *)(r1 + 1000); exit
    reads_too_far = bytes((0x79, 0x10, 0xE8, 0x03, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0))
    for kept in Path(os.environ["MCASTD_CACHE"]).glob("programs-*.json"):
        document = json.loads(kept.read_text())
        (program,) = (each for each in document["programs"] if each["name"] == "mcast_xdp")
        program["code"], program["maps"] = base64.b64encode(reads_too_far).decode(), []
        (tmp_path / kept.name).write_text(json.dumps(document))
    settings = (f"MCASTD_CACHE={tmp_path}", f"LOGS_DIRECTORY={tmp_path}")
    command = (sys.executable, "-m", "mcastd.cli.mcastd", "run", "-i", "eth0", "--metrics", "")
    return ("env", *settings, *command, "--control", f"{tmp_path}/sock")


def test_a_program_that_the_verifier_refuses(cable: Cable, refused: tuple[str, ...]) -> None:
    done = run_in(cable.host, *refused)

    assert (done.returncode, complaint(done)) == (
        NOT_THERE,
        "mcastd: BPF program mcast_xdp: Permission denied: invalid bpf_context access off=1000 "
        "size=8; --verbose keeps the verifier's log",
    )
    assert programs_on(cable.host, "eth0") == {}


def test_the_verifiers_whole_log_is_kept_for_who_wants_it(
    cable: Cable, refused: tuple[str, ...]
) -> None:
    done = run_in(cable.host, *refused, "--verbose")

    assert done.returncode == NOT_THERE
    path = Path(complaint(done).rpartition("; the verifier's log: ")[2])
    assert path.stat().st_mode & 0o777 == 0o600
    assert "0: (79) r0 = *(u64 *)(r1 +1000)" in path.read_text()


def test_a_log_that_cannot_be_kept_is_said(cable: Cable, refused: tuple[str, ...]) -> None:
    elsewhere = [each.replace("LOGS_DIRECTORY=", "LOGS_DIRECTORY=/nowhere") for each in refused]
    done = run_in(cable.host, *elsewhere, "--verbose")
    assert done.returncode == NOT_THERE
    assert "; the verifier's log could not be kept: /nowhere" in complaint(done)


def test_a_missing_privilege_to_compile_and_a_cache_that_cannot_be_read(
    cable: Cable, public: Path
) -> None:
    closed = public / "closed"
    closed.mkdir(mode=0o700)

    done = run_as_nobody(cable, closed)

    assert done.returncode == NOT_THERE
    assert "not used: " in done.stderr
    assert complaint(done) == (
        "mcastd: compiling needs CAP_BPF: run it as root once, or ship the cache"
    )


def test_no_bcc(cable: Cable, tmp_path: Path) -> None:
    """What is called bcc on PyPI is something else, and has no BPF in it."""
    lattices = tmp_path / "bcc"
    lattices.mkdir()
    (lattices / "__init__.py").write_text("")
    command = [sys.executable, "-m", "mcastd.cli.mcastd", "run", "-i", "eth0", "--metrics", ""]

    done = run_in(
        cable.host, "env", f"PYTHONPATH={tmp_path}", f"MCASTD_CACHE={tmp_path}/none", *command
    )

    assert done.returncode == NOT_THERE
    assert "no bcc: install python3-bpfcc (Debian, Ubuntu)" in complaint(done)


def test_neither_bcc_nor_root_is_needed_where_the_programs_are_kept(
    cable: Cable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cable.observe().close()
    (tmp_path / "bcc").mkdir()
    (tmp_path / "bcc" / "__init__.py").write_text("raise SystemExit('bcc was imported')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    agent = cable.observe()

    assert agent.ask("status")["interfaces"][0]["hook"] == "xdp-native"
    assert "compiling" not in agent.log()


def test_a_damaged_cache_is_said_and_made_anew(
    cable: Cable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cable.observe().close()
    for kept in Path(os.environ["MCASTD_CACHE"]).glob("*.json"):
        (tmp_path / kept.name).write_text(kept.read_text()[:1000])
    monkeypatch.setenv("MCASTD_CACHE", str(tmp_path))

    agent = cable.observe()

    assert "not used: " in agent.log()
    assert "compiling the BPF programs" in agent.log()
    agent.close()
    assert "compiling" not in cable.observe().log()


def test_a_cache_that_cannot_be_written_is_said_and_no_obstacle(
    cable: Cable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MCASTD_CACHE", str(tmp_path / "file"))

    agent = cable.observe()

    assert "not kept, the next start compiles again" in agent.log()


def test_host_mode_without_raw_sockets_is_one_line_and_the_kernel_goes_on(cable: Cable) -> None:
    without = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")
    agent = cable.lab.agent(
        cable.host, "-i", "eth0", "--mode", "host", "--metrics", "", wrapper=without
    )
    (line,) = [each for each in agent.log().splitlines() if "cannot be taken over" in each]
    assert "Operation not permitted (host mode needs CAP_NET_RAW)" in line
    assert "Traceback" not in agent.log()
    assert interface(agent)["mode"] == "observe"
    refused = mcastctl(agent, "mode", "eth0", "host")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "host mode needs CAP_NET_RAW" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "no interface to run"),
        (["-i", "eth0", "--metrics", "nonsense"], "--metrics: nonsense: "),
        (["-c", "/nowhere/mcastd.toml"], "/nowhere/mcastd.toml: No such file or directory"),
    ],
)
def test_wrong_usage_is_exit_code_2(cable: Cable, arguments: list[str], said: str) -> None:
    done = mcastd(cable.host, "run", *arguments)

    assert done.returncode == 2
    assert said in complaint(done)
