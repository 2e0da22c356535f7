"""`mcastd lab`: shows what happens, and leaves nothing behind, however it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcastd_lab import Namespace, namespaces, remove_leftovers
from mcastd_lab.demo import METRICS
from support.waiting import eventually

pytestmark = pytest.mark.lab

COMMAND = (sys.executable, "-m", "mcastd.cli.mcastd", "lab")


def left(process: int) -> list[str]:
    """What a lab of that process has left where others see it."""
    found = [*namespaces.DIRECTORY.glob(f"mcastd-lab-{process}-*")]
    return [each.name for each in (*found, *Path("/run").glob(f"mcastd-lab-{process}-*"))]


@pytest.fixture(autouse=True)
def free_port() -> None:
    try:
        socket.create_server(METRICS).close()
    except OSError:
        pytest.skip("the port of the demonstration is taken on this machine")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env=os.environ | environment,
    )


def test_it_shows_events_tables_and_metrics_and_ends_by_itself() -> None:
    done = run(DEMO_SECONDS="7")

    assert done.returncode == 0, done.stderr
    events, _, tables = done.stdout.partition("$ mcastctl status")
    assert re.search(r"eth0 < igmpv3 query +192\.0\.2\.1 > 224\.0\.0\.1", events)
    assert re.search(r"eth0 < mldv2 query +fe80::\S+ > ff02::1", events)
    assert re.search(r"eth0 > igmpv3 report +192\.0\.2\.10 > 224\.0\.0\.22 +TO_EX", events)
    assert "ALLOW 232.1.2.3 {198.51.100.1}" in events
    assert "JOINED" in events
    assert re.search(r"eth0 +observe +xdp-native +igmp +3 of 3 \(kernel\) +192\.0\.2\.1", tables)
    assert re.search(r"232\.1\.2\.3 +include +198\.51\.100\.1", tables)
    assert re.search(r"igmp query 3 +[1-9]", tables)
    assert 'mcastd_querier_info{interface="eth0",protocol="mld",version="2"} 1.0' in tables
    assert "Traceback" not in done.stderr


@pytest.fixture
def running() -> Iterator[subprocess.Popen[str]]:
    """A demonstration that has begun."""
    with subprocess.Popen(
        [*COMMAND, "--seconds", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert any("query" in line for line in process.stdout)
        yield process
        if process.poll() is None:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_cleans_up_when_it_is_ended(
    running: subprocess.Popen[str], number: signal.Signals
) -> None:
    assert left(running.pid)
    running.send_signal(number)
    shown, _ = running.communicate(timeout=30)

    assert running.returncode == 0
    assert "$ mcastctl status" in shown
    assert left(running.pid) == []


def test_what_a_killed_one_leaves_is_removed_by_the_next(running: subprocess.Popen[str]) -> None:
    running.kill()
    running.communicate()
    assert len(left(running.pid)) == 4

    removed = remove_leftovers()

    assert len(removed) >= 4
    assert left(running.pid) == []


def test_its_processes_end_with_it_even_if_it_is_killed(running: subprocess.Popen[str]) -> None:
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    assert len(children) == 2

    running.kill()
    running.communicate()

    eventually(lambda: not any(Path("/proc", child).exists() for child in children))
    remove_leftovers()


def test_namespaces_in_use_are_no_leftovers() -> None:
    namespace = Namespace("used")
    try:
        assert namespace.name not in remove_leftovers()
        assert namespace.ip("link", "show", "lo")
    finally:
        namespace.close()


def test_what_belongs_to_another_containers_process_is_no_leftover(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its number says nothing here."""
    monkeypatch.setattr(namespaces, "owner", lambda: "999999999-1")
    namespace = Namespace("elsewhere")
    try:
        assert namespace.name not in remove_leftovers()
    finally:
        namespace.close()


def test_a_port_that_is_taken_is_one_line_and_exit_code_3() -> None:
    with socket.create_server(METRICS):
        done = run("--seconds", "5")

    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "mcastd lab: 127.0.0.1:9776: Address already in use: is another mcastd running?"
    ]


def test_without_root_it_is_one_line_and_exit_code_3() -> None:
    nobody = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
    done = subprocess.run(
        [*nobody, *COMMAND], capture_output=True, text=True, check=False, timeout=60
    )
    if "No module named" in done.stderr:
        pytest.skip("other users may not read this checkout")

    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "mcastd lab: network namespaces need root: run it with sudo"
    ]


def test_seconds_that_are_no_number_are_wrong_usage() -> None:
    done = run(DEMO_SECONDS="soon")

    assert done.returncode == 2
    assert "DEMO_SECONDS=soon" in done.stderr
