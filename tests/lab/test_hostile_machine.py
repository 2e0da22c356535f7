"""A machine that fails the agent: disks, names, files and interfaces. What fails ends there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mcastd.service.memberships import STATE_FILE
from mcastd_lab import Lab, RunningAgent
from mcastd_lab.agent import AgentError
from support.disks import remounted
from support.host_lab import HostLab
from support.lab import METRICS_TEXT, Cable, interface, mcastctl, mcastd, scrape
from support.waiting import eventually

pytestmark = pytest.mark.lab


def keeping(lab: Lab, place: Path, *arguments: str | Path) -> tuple[HostLab, RunningAgent]:
    """An agent in host mode whose state directory is there."""
    made = HostLab(lab, 5.0)
    wrapper = ("env", f"STATE_DIRECTORY={place}")
    how = ("-i", "eth0", "--mode", "host", "--metrics", "")
    return made, lab.agent(made.host, *how, *arguments, wrapper=wrapper)


def fill(place: Path) -> Path:
    whole = place / "full"
    with whole.open("wb") as stream:
        try:
            while True:
                os.write(stream.fileno(), bytes(4096))
        except OSError:
            pass
    return whole


def problem(agent: RunningAgent) -> str | None:
    found: str | None = agent.ask("status")["state"]["problem"]
    return found


@pytest.mark.parametrize("fault", ["full", "read-only", "gone", "a file"])
def test_state_that_cannot_be_kept_is_told_and_kept_later(lab: Lab, disk: Path, fault: str) -> None:
    state = disk / "state"
    state.mkdir()
    if fault == "read-only":  # the kernel makes it that on errors, but lets nobody else do it later
        remounted(disk, "ro")
    _, agent = keeping(lab, state)
    first = mcastctl(agent, "join", "eth0", "239.1.1.1", "--json")
    assert json.loads(first.stdout)["kept"] is (fault != "read-only")
    match fault:
        case "full":
            whole = fill(disk)
        case "gone" | "a file":
            shutil.rmtree(state)
            if fault == "a file":
                state.write_text("")
                shutil.chown(state, 0)

    # Behind a full disk the last page of the file may have room: it is filled by some joins.
    told = [join(agent, number) for number in range(120 if fault == "full" else 1)][-1]

    if fault == "gone":  # it is made again
        assert (told[0], problem(agent)) == ("", None)
        return
    assert STATE_FILE in told[0]
    assert "after a restart" in told[0]
    assert json.loads(told[1])["kept"] is False
    assert STATE_FILE in (problem(agent) or "")
    assert STATE_FILE in mcastctl(agent, "status").stdout
    assert STATE_FILE in mcastctl(agent, "doctor").stdout
    match fault:
        case "full":
            whole.unlink()
        case "read-only":
            remounted(disk, "rw")
        case _:
            state.unlink()
    eventually(lambda: problem(agent) is None)
    assert "239.2.2.1" in (state / STATE_FILE).read_text()
    assert "Traceback" not in agent.log()


def join(agent: RunningAgent, number: int) -> tuple[str, str]:
    """What is said, and answered."""
    group = f"239.2.2.{number + 1}"
    done = mcastctl(agent, "join", "eth0", group, "--json", "--name", "x" * 60)
    assert done.returncode == 0, done.stderr
    return done.stderr, done.stdout


SPOILT = {
    "levels": b"[" * 5000,
    "no text": b"\xff\xfe\n",
    "kinds": b'{"boot": 1, "memberships": [{"interface": [], "sources": 5}]}\n',
    "nothing": b"",
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_state_that_is_spoilt_is_put_aside(lab: Lab, tmp_path: Path, spoilt: str) -> None:
    for name in (STATE_FILE, "queriers.json"):
        (tmp_path / name).write_bytes(SPOILT[spoilt])

    _, agent = keeping(lab, tmp_path)

    assert problem(agent)
    for name in ("memberships.bad", "queriers.bad"):
        assert (tmp_path / name).read_bytes() == SPOILT[spoilt]
        assert f"put aside as {name}" in agent.log()


def test_a_fifo_for_a_state_file_is_put_aside(lab: Lab, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / STATE_FILE)
    _, agent = keeping(lab, tmp_path)
    assert "a FIFO and no regular file; put aside" in agent.log()


def test_interfaces_that_come_and_go_end_only_themselves(lab: Lab) -> None:
    """Under a pattern with a membership, one after the other, all at once, and by one name."""
    cable = Cable(lab)
    config = lab.directory / "mcastd.toml"
    config.write_text(
        '[interface."v*"]\nmode = "host"\n[[interface."v*".membership]]\ngroup = "239.1.1.1"\n'
        '[[interface."v*".membership]]\ngroup = "ff1e::1"\n'
        "[metrics]\ngone_interfaces = 4\n"
    )
    agent = cable.observe("-c", config)
    for number in range(15):
        make(cable, f"v{number}")
        cable.host.ip("link", "del", f"v{number}")
    for number in range(20, 40):
        make(cable, f"v{number}")
    eventually(lambda: interface(agent, "v39").get("mode") == "host")
    for number in range(20, 39):
        cable.host.ip("link", "del", f"v{number}")

    eventually(lambda: names(agent) <= 2 + 4)
    assert interface(agent, "v39")["mode"] == "host"
    shown = scrape(cable.host).text
    assert 'interface="v39"' in shown
    assert 'interface="v0"' not in shown
    assert len({line.split('interface="')[1].split('"')[0]
                for line in shown.splitlines() if 'interface="' in line}) <= 2 + 4  # fmt: skip
    assert "Traceback" not in agent.log()


def make(cable: Cable, name: str) -> None:
    cable.host.ip("link", "add", name, "type", "veth", "peer", "name", f"p{name}")
    for each in (f"p{name}", name):
        cable.host.ip("link", "set", each, "up")


def names(agent: RunningAgent) -> int:
    return len(agent.ask("status")["interfaces"])


def test_a_counter_goes_on_when_a_name_comes_back(lab: Lab) -> None:
    cable = Cable(lab)
    agent = cable.observe("-i", "v1")
    make(cable, "v1")
    eventually(lambda: sent(cable, "v1") > 0)
    before = sent(cable, "v1")
    cable.host.ip("link", "del", "v1")
    eventually(lambda: interface(agent, "v1")["index"] is None)
    make(cable, "v1")
    eventually(lambda: interface(agent, "v1")["index"] is not None)
    assert sent(cable, "v1") >= before


def sent(cable: Cable, name: str) -> float:
    found = scrape(cable.host)
    try:
        return found.value(
            "mcastd_messages_total",
            interface=name, direction="tx", protocol="mld", type="report", version="2",
        )  # fmt: skip
    except KeyError:
        return 0


# Files that are none.


def test_a_file_in_the_control_sockets_place_is_left_alone(lab: Lab, tmp_path: Path) -> None:
    cable = Cable(lab)
    precious = tmp_path / "precious"
    precious.write_text("precious")

    done = mcastd(cable.host, "run", "-i", "eth0", "--metrics", "", "--control", precious)

    assert done.returncode == 3
    assert done.stderr.count("\n") <= 2
    assert f"{precious}: there is a file, which is left alone" in done.stderr
    assert precious.read_text() == "precious"


def test_what_is_no_file_is_refused_at_once_wherever_a_file_is_read(
    lab: Lab, tmp_path: Path
) -> None:
    cable = Cable(lab)
    fifo = tmp_path / "fifo.toml"
    os.mkfifo(fifo)
    main = tmp_path / "main.toml"
    main.write_text("[interface.eth0]\n")
    main.with_suffix(".d").mkdir()
    os.mkfifo(main.with_suffix(".d") / "a.toml")
    deep = tmp_path / "deep.toml"
    deep.write_text("a = " + "[" * 5000)

    for arguments in (
        ("run", "-c", fifo), ("check-config", fifo), ("check-config", main), ("run", "-c", main),
        ("check-config", "/dev/zero"), ("check-config", deep), ("run", "-c", deep),
        ("check-config", tmp_path), ("check-config", "/"), ("classify", fifo),
        ("classify", "/dev/zero"), ("classify", tmp_path), ("simulate", "/dev/zero"),
    ):  # fmt: skip
        done = mcastd(cable.host, *arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert len(done.stderr.splitlines()) == 1, (arguments, done.stderr)


def test_a_reload_of_what_is_no_configuration_is_refused(lab: Lab) -> None:
    cable = Cable(lab)
    config = lab.directory / "mcastd.toml"
    config.write_text("[interface.eth0]\n")
    agent = cable.observe("-c", config)
    for content in (b"a = " + b"[" * 5000, b"\xff", b"a = 0x" + b"f" * 9999, b"x = [\n"):
        config.write_bytes(content)
        refused = mcastctl(agent, "reload")
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1
    config.unlink()
    os.mkfifo(config)
    assert "a FIFO" in mcastctl(agent, "reload").stderr
    assert agent.process.poll() is None


def test_a_cache_that_others_may_write_to_is_neither_read_nor_written(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cable = Cable(lab)
    tmp_path.chmod(0o777)
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("MCASTD_CACHE", str(cache))

    agent = cable.observe()

    assert "not kept" in agent.log()
    assert list(cache.iterdir()) == []


def test_what_is_persisted_outlasts_a_restart_where_only_state_may_be_written(
    lab: Lab, tmp_path: Path
) -> None:
    """As under the unit: ProtectSystem=strict, and a state directory."""
    made = HostLab(lab, 5.0)
    place, state = tmp_path / "etc", tmp_path / "state"
    place.mkdir()
    state.mkdir()
    config = place / "mcastd.toml"
    config.write_text('[interface.eth0]\nmode = "host"\n')
    sealed = f'mount --bind {place} {place} && mount -o remount,bind,ro {place} && exec "$@"'
    wrapper = ("unshare", "--mount", "env", f"STATE_DIRECTORY={state}", "sh", "-c", sealed, "sh")

    def started() -> RunningAgent:
        try:
            return lab.agent(made.host, "-c", config, "--metrics", METRICS_TEXT, wrapper=wrapper)
        except AgentError as error:
            if "mount" in str(error) or "unshare" in str(error):
                pytest.skip(f"mounts are not to be had here: {error}")
            raise

    agent = started()
    done = mcastctl(agent, "version", "eth0", "igmp", "2", "--persist")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"kept in {state}/mcastd.d/90-mcastctl.toml" in done.stdout
    agent.close()
    assert interface(started())["igmp"]["max_version"] == 2


PROGRAM = """
import sys
from mcastd.client import Client
client = Client(sys.argv[1])
print(client.join("eth0", "239.7.7.7", hold=True)["application"], flush=True)
sys.stdin.read()
"""


def test_two_processes_of_one_program_do_not_take_each_others_memberships(lab: Lab) -> None:
    made = HostLab(lab, 5.0)
    agent = made.agent()
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, agent.control],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    applications = {(each.stdout or sys.stdin).readline() for each in programs}
    assert len(applications) == 2

    programs[0].communicate("")

    eventually(lambda: len(asking(agent)) == 1)
    programs[1].communicate("")
    eventually(lambda: asking(agent) == [])


def asking(agent: RunningAgent) -> list[str]:
    found = agent.ask("groups", name="eth0", group="239.7.7.7")
    return [each["name"] for group in found for each in group["applications"]]
