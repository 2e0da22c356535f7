"""The recorder and the bundle of a running agent: real messages, read by tshark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest
from mcastd_lab import AgentError
from support.ailing import joined
from support.host_lab import HostLab, host_lab
from support.lab import mcastctl, run_in
from support.waiting import eventually

pytestmark = pytest.mark.lab

GROUP = "239.1.1.1"


@pytest.fixture(scope="module")
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


def unpacked(path: Path, where: Path) -> Path:
    subprocess.run(["tar", "xzf", path, "-C", where], check=True)
    return where / path.name.removesuffix(".tar.gz")


def test_a_bundle_says_what_is_in_it_and_tshark_reads_its_messages(
    net: HostLab, tmp_path: Path
) -> None:
    settings = tmp_path / "mcastd.toml"
    settings.write_text('[interface.eth0]\nmode = "observe"\n# hunter2\n')
    agent = net.agent("-c", settings, mode="")
    with joined(net.host, GROUP):
        eventually(
            lambda: (
                {each["direction"] for each in agent.ask("recording") if each["kind"] == "frame"}
                == {"rx", "tx"}
            ),
            what="queries and reports in the recorder",
        )
    path = tmp_path / "case.tar.gz"

    done = mcastctl(agent, "bundle", str(path), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "recorder.pcapng" in done.stdout
    assert not path.exists()
    done = mcastctl(agent, "bundle", str(path))
    assert done.returncode == 0, done.stderr
    assert f"written: {path} (mode 0600)" in done.stdout
    assert path.stat().st_mode & 0o777 == 0o600
    again = mcastctl(agent, "bundle", str(path))
    assert (again.returncode, "is there already" in again.stderr) == (2, True)
    assert mcastctl(agent, "bundle", str(path), "--force", "--json").returncode == 0

    folder = unpacked(path, tmp_path)
    assert {each.name for each in folder.iterdir()} == {
        "recorder.pcapng", "events.jsonl", "counters.jsonl", "status.json", "groups.json",
        "querier.json", "streams.json", "pairs.json", "counters.json", "doctor.json",
        "configuration.json", "versions.json",
    }  # fmt: skip
    assert json.loads((folder / "configuration.json").read_text()) == {
        str(settings): {"interface": {"eth0": {"mode": "observe"}}}
    }
    events = [json.loads(each) for each in (folder / "events.jsonl").read_text().splitlines()]
    assert {"joined", "querier"} <= {each["event"] for each in events}
    if which("tshark") is not None:
        shown = subprocess.run(
            ["tshark", "-r", folder / "recorder.pcapng", "-T", "fields", "-e", "igmp.type",
             "-e", "frame.packet_flags_direction", "-Y", "igmp"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert {"0x11\t0x00000001", "0x22\t0x00000002"} <= set(shown.splitlines())
    agent.close()


def test_who_may_only_read_gets_all_but_the_files(net: HostLab, tmp_path: Path) -> None:
    """The configuration may be readable for root alone."""
    if which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    settings = tmp_path / "mcastd.toml"
    settings.write_text('[control]\ngroup = "games"\n[interface.eth0]\n')
    agent = net.agent("-c", settings, mode="")
    agent.control.parent.chmod(0o711)
    where = Path("/tmp") / f"mcastd-bundle-{os.getpid()}"
    where.mkdir()
    where.chmod(0o777)
    try:
        path = where / "case.tar.gz"
        done = run_in(
            net.host, "setpriv", "--reuid", "games", "--regid", "games", "--clear-groups",
            *mcastctl_command(str(agent.control)), "bundle", path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "left out: configuration: root and members of control.admin_group" in done.stdout
        with tarfile.open(path) as archive:
            assert "case/configuration.json" not in archive.getnames()
            assert "case/recorder.pcapng" in archive.getnames()
    finally:
        for each in where.iterdir():
            each.unlink()
        where.rmdir()
        agent.close()


def mcastctl_command(control: str) -> list[str]:
    return [sys.executable, "-m", "mcastd.cli.mcastctl", "--control", control]


def test_the_recording_of_one_interface_can_be_asked_for(net: HostLab) -> None:
    agent = net.agent(mode="observe")
    eventually(lambda: agent.ask("recording", name="eth0"), what="something of eth0")
    with pytest.raises(AgentError, match="eth9"):
        agent.ask("recording", name="eth9")
    agent.close()
