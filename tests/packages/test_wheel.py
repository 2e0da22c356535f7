"""The wheel in a bare virtual environment: no compiler, no bcc, no libbpf but its own."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from mcastd_lab import Lab, veth
from support.machines.places import REPOSITORY
from support.packages import run

pytestmark = pytest.mark.packages


@pytest.fixture(scope="session")
def wheel() -> Path:
    run([str(REPOSITORY / "deploy" / "wheel.sh"), sys.executable])
    (made,) = (REPOSITORY / "build" / "wheel").glob("mcastd-*.whl")
    return made


@pytest.fixture(scope="session")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the environment's programs."""
    place = tmp_path_factory.mktemp("bare") / "environment"
    venv.create(place, with_pip=True, system_site_packages=False)
    run([str(place / "bin" / "pip"), "install", "--quiet", str(wheel)])
    return place / "bin"


def test_the_wheel_has_all_that_is_compiled_and_libbpf(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for part in ("mcastd.libs/libbpf", "mcastd/_bpf/prebuilt/programs-", "mcastd/_libbpf.abi3.so"):
        assert any(name.startswith(part) for name in names), part
    assert "manylinux" in wheel.name


def test_captures_and_scenarios_are_read(bare: Path) -> None:
    capture = REPOSITORY / "tests" / "golden" / "captures" / "kernel-newest.pcap"
    for command in (
        ["classify", "--summary", str(capture)],
        ["simulate", "--check", str(REPOSITORY / "tests" / "conformance" / "timers.yaml")],
    ):
        done = subprocess.run(
            [str(bare / "mcastd"), *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


def test_the_lab_and_the_benchmarks_are_a_wheel_of_their_own(wheel: Path, bare: Path) -> None:
    assert not [each for each in zipfile.ZipFile(wheel).namelist() if each.startswith("mcastd_")]
    lacking = subprocess.run([str(bare / "mcastd"), "lab", "--help"], check=False)
    assert lacking.returncode == 3

    (extras,) = wheel.parent.glob("mcastd_lab-*.whl")
    run([str(bare / "pip"), "install", "--quiet", str(extras)])

    for command in ("lab", "bench"):
        run([str(bare / "mcastd"), command, "--help"])


def test_it_runs_on_an_interface(bare: Path, tmp_path: Path) -> None:
    with Lab() as lab:
        host, outside = lab.namespace("host"), lab.namespace("outside")
        veth(outside, "out0", host, "eth0")
        control = tmp_path / "control.sock"
        command = [bare / "mcastd", "run", "-i", "eth0", "--metrics", "", "--control", control]
        alone = {"PATH": str(bare), "MCASTD_CACHE": str(tmp_path / "nowhere"), "HOME": "/"}
        with host.entered():
            agent = subprocess.Popen(
                [str(each) for each in command], env=alone, stderr=subprocess.PIPE, text=True
            )
        try:
            assert agent.stderr is not None
            said = ""
            for line in agent.stderr:
                said += line
                if "ready" in line:
                    break
            assert "ready" in said, f"it ended first:\n{said}"
            assert "compiling" not in said
            asked = run([str(bare / "mcastctl"), "--control", str(control), "status", "--json"])
            assert json.loads(asked.stdout)["interfaces"][0]["hook"] == "xdp-native"
        finally:
            agent.terminate()
            agent.communicate()
