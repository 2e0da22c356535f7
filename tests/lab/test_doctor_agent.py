"""What keeps the agent itself from its work: each fault is real, found by its name, and mended."""

from __future__ import annotations

import array
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from mcastd.fastpath.kernel import AttachType
from mcastd_lab import Lab, Wire
from mcastd_lab.iproute2 import ip
from support.ailing import Patient, joined, sending
from support.disks import remounted
from support.host_lab import HostLab, host_lab
from support.lab import XDP_PASS, Attached, interface, mcastctl, returning
from support.namespaces import Several
from support.queries import igmp_query, igmp_report
from support.waiting import eventually

pytestmark = pytest.mark.lab

GROUP = "239.1.1.1"
MOST_SOURCES = 360


@pytest.fixture(scope="module")
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        made.host.sysctl({"ipv4.conf.eth0.rp_filter": 0})
        yield made


@pytest.fixture
def wire(net: HostLab) -> Iterator[Wire]:
    """The switch's end of the host's cable."""
    made = Wire(net.switch, net.port)
    yield made
    made.close()


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    return tmp_path / "mcastd.toml"


def configured(net: HostLab, settings: Path, text: str) -> Patient:
    settings.write_text(f"[interface.eth0]\n{text}\n")
    return Patient(net, net.agent("-c", settings, mode=""))


def changed(patient: Patient, settings: Path, text: str) -> None:
    settings.write_text(f"[interface.eth0]\n{text}\n")
    done = mcastctl(patient.agent, "reload")
    assert done.returncode == 0, done.stderr


def test_a_place_that_another_program_has_is_named_and_so_is_a_lesser_one(
    net: HostLab, settings: Path
) -> None:
    """Where XDP must be had and is another's, the interface is not run; where not, it is by a
    lesser hook, which is a note."""
    theirs = Attached(net.host, "eth0", returning(XDP_PASS, "xdp"), AttachType.XDP)
    patient = configured(net, settings, 'hook = "xdp"')
    found = patient.diagnosed("not_run")
    assert found["interface"] == "eth0"
    patient.shows(found)

    changed(patient, settings, 'hook = "auto"')

    patient.is_over("not_run")
    (lesser,) = patient.of_kind("generic_hook")
    assert lesser["severity"] == "note"
    assert "another program is there" in lesser["text"]
    assert mcastctl(patient.agent, "doctor").returncode == 0
    patient.shows(lesser)
    theirs.close()
    changed(patient, settings, 'hook = "xdp"')
    patient.is_over("generic_hook")
    patient.is_healthy()
    patient.agent.close()


def test_an_interface_that_another_agent_speaks_for_is_not_run_as_configured(
    net: HostLab, settings: Path
) -> None:
    first = net.agent(mode="host")
    patient = configured(net, settings, 'mode = "host"')
    found = patient.diagnosed("not_run_as_configured")
    assert "is in host mode by another agent" in found["text"]
    assert "mcastctl mode eth0 observe" in found["remedy"]
    assert interface(patient.agent)["mode"] == "observe"

    first.close()

    patient.is_over("not_run_as_configured")
    assert interface(patient.agent)["mode"] == "host"
    patient.agent.close()


def test_a_flood_is_a_fault_while_it_lasts_and_a_note_behind_it(
    net: HostLab, settings: Path, wire: Wire
) -> None:
    patient = configured(net, settings, 'mode = "host"\nreport_limit = 5\nreport_burst = 1')
    frames = [igmp_report(3, f"192.0.2.{each}", "239.9.9.9") for each in range(100, 150)]

    def flood() -> None:
        for each in frames:
            wire.send(each)

    found = sending(flood, lambda: patient.of_kind("flood"), "a flood")[0]
    assert (found["interface"], found["severity"]) == ("eth0", "fault")
    assert "mcastctl watch --type report --interface eth0" in found["remedy"]
    assert patient.diagnosed("flood")["text"].startswith("a flood of reports: ")

    patient.is_over("flood")

    (before,) = patient.of_kind("flood_before")
    assert before["severity"] == "note"
    patient.is_healthy()
    patient.agent.close()


def test_events_that_an_agent_without_a_processor_has_lost_are_told(
    net: HostLab, settings: Path, wire: Wire
) -> None:
    """It stands still, and its ring is full of queries that nobody limits."""
    patient = configured(net, settings, "query_limit = 0")
    sources = [f"10.0.{each // 250}.{each % 250 + 1}" for each in range(MOST_SOURCES)]
    query = igmp_query(3, "192.0.2.1", group="239.9.9.9", sources=sources, interval=2)

    def stand_still() -> None:
        patient.agent.process.send_signal(signal.SIGSTOP)
        for _ in range(2000):
            wire.send(query)
        patient.agent.process.send_signal(signal.SIGCONT)

    found = sending(stand_still, lambda: patient.of_kind("events_lost"), "events_lost")[0]
    assert (found["interface"], found["severity"]) == ("eth0", "fault")
    assert "query events were lost (ring full)" in found["text"]
    assert found["evidence"]

    patient.is_healthy()

    assert {each["severity"] for each in patient.of_kind("events_lost")} == {"note"}
    patient.agent.close()


def test_a_state_directory_that_cannot_be_written_is_named(net: HostLab, disk: Path) -> None:
    state = disk / "state"
    state.mkdir()
    remounted(disk, "ro")
    agent = net.agent(mode="host", wrapper=("env", f"STATE_DIRECTORY={state}"))
    patient = Patient(net, agent)
    mcastctl(agent, "join", "eth0", GROUP)
    assert "Read-only file system" in patient.diagnosed("state_not_kept")["text"]

    remounted(disk, "rw")
    mcastctl(agent, "join", "eth0", "239.1.1.2")

    patient.is_over("state_not_kept")
    agent.close()


def test_a_socket_on_its_way_between_processes_is_said_not_to_be_seen(net: HostLab) -> None:
    patient = Patient(net, net.agent(mode="observe"))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with joined(net.host, GROUP) as travelling:
            rights = array.array("i", [travelling.fileno()])
            ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        found = eventually(lambda: patient.of_kind("sockets_not_seen"), what="it is not seen")[0]
        assert (found["interface"], found["severity"]) == ("eth0", "note")
        assert found["text"].startswith("mcastd does not know which processes have joined 1 groups")

        _, ancillary, _, _ = theirs.recvmsg(1, socket.CMSG_SPACE(4))
        arrived = int.from_bytes(ancillary[0][2], sys.byteorder)

        patient.is_over("sockets_not_seen")
        os.close(arrived)
    patient.agent.close()


def test_a_kernel_that_does_not_show_its_sockets_is_told_once_and_why(
    net: HostLab, tmp_path: Path
) -> None:
    """Its types are not to be had, as in a container without that file: groups are seen still."""
    types = Path("/sys/kernel/btf/vmlinux")
    if not types.exists():
        pytest.skip("this kernel does not tell its types")
    nothing = tmp_path / "nothing"
    nothing.touch()
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    wrapper = ("unshare", "--mount", "sh", "-c", script, "sh", str(nothing), str(types))
    blind = Patient(net, net.agent(mode="observe", wrapper=wrapper))
    with joined(net.host, GROUP):
        eventually(lambda: blind.agent.ask("groups", name="eth0", group=GROUP), what="the group")
        (found,) = blind.of_kind("sockets_not_seen")
        assert (found["interface"], found["severity"]) == (None, "note")
        assert "who has joined groups, and from which sources, cannot be seen: " in found["text"]
        assert found["evidence"]
        assert blind.faults() == []
        blind.agent.close()

        seeing = Patient(net, net.agent(mode="observe"))
        assert seeing.of_kind("sockets_not_seen") == []
        seeing.agent.close()


def test_a_firewall_tool_that_does_not_run_is_said_not_to_have_been_asked(
    net: HostLab, tmp_path: Path
) -> None:
    """Another file lies over nft, for the agent alone."""
    tool = shutil.which("nft")
    if tool is None:
        pytest.skip("nft is not installed")
    broken = tmp_path / "nft"
    broken.write_bytes(b"\x7fELF")
    broken.chmod(0o755)
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    wrapper = ("unshare", "--mount", "sh", "-c", script, "sh", str(broken), tool)
    patient = Patient(net, net.agent(mode="observe", wrapper=wrapper))
    found = eventually(lambda: patient.of_kind("not_looked_at"), what="not_looked_at")[0]
    assert found["severity"] == "note"
    assert "nft -j list ruleset" in found["text"]

    there = str(patient.agent.process.pid)
    subprocess.run(["nsenter", "-t", there, "-m", "umount", tool], check=True)

    patient.is_over("not_looked_at")
    patient.agent.close()


NETWORK = "[Match]\nName=eth0\n[Network]\n"


def test_networkd_that_forces_an_older_version_is_named(net: HostLab, tmp_path: Path) -> None:
    """By the files that it keeps, which the agent alone is shown."""
    place = Path("/run/systemd")
    if not place.is_dir():
        pytest.skip("systemd keeps no files here")
    file, kept = tmp_path / "10-eth0.network", tmp_path / "systemd"
    file.write_text(f"{NETWORK}MulticastIGMPVersion=v2\n")
    link = kept / "netif" / "links" / str(net.host.index("eth0"))
    link.parent.mkdir(parents=True)
    link.write_text(f"ADMIN_STATE=configured\nNETWORK_FILE={file}\n")
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    wrapper = ("unshare", "--mount", "sh", "-c", script, "sh", str(kept), str(place))
    patient = Patient(net, net.agent(mode="observe", wrapper=wrapper))
    found = patient.diagnosed("version_forced_by_networkd")
    assert (found["interface"], found["protocol"]) == ("eth0", "igmp")
    assert f"{file}: MulticastIGMPVersion=v2" in found["text"]

    file.write_text(NETWORK)

    patient.is_over("version_forced_by_networkd")
    patient.agent.close()


def test_a_namespace_that_is_not_there_is_named_until_it_is() -> None:
    name = f"later-{os.getpid()}"
    with Lab() as lab:
        several = Several(lab, sections=f"[interface.eth0]\n[namespace.{name}.interface.eth0]\n")
        with closing(several.agent):
            patient = Patient.of(several.agent, several.main)
            found = patient.diagnosed("namespace_not_served")
            assert found["namespace"] == name
            assert "there is no such namespace now" in found["text"]

            ip("netns", "add", name)
            try:
                patient.is_over("namespace_not_served")
            finally:
                ip("netns", "del", name)
