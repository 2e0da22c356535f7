"""Namespaces that cannot be served, configurations that change, and how all of it ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest
from mcastd_lab import Lab
from mcastd_lab.iproute2 import ip
from support.lab import interface, mcastctl, received, run_in
from support.namespaces import Served, Several, entries_of
from support.waiting import eventually

pytestmark = pytest.mark.lab

NOBODY = 65534
UNIT = Path(__file__).parents[2] / "deploy/systemd/mcastd.service"
DROP_IN = UNIT.with_name("namespaces.conf")
NUMBERS = {
    "CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39,
}  # fmt: skip


def children(process: int) -> list[int]:
    """All processes that it has started, and that these have."""
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    return [each for child in map(int, text.split()) for each in (child, *children(child))]


def alive(processes: list[int]) -> list[int]:
    """Those that are there and are no zombies."""
    found = []
    for each in processes:
        try:
            status = Path(f"/proc/{each}/status").read_text()
        except OSError:
            continue
        if not re.search(r"^State:\s+Z", status, re.MULTILINE):
            found.append(each)
    return found


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_stays_behind_when_the_agent_ends(lab: Lab, end: signal.Signals) -> None:
    several = Several(lab)
    served = several.serve()
    processes = children(several.agent.process.pid)
    assert several.of(served.name)["pid"] in processes

    several.agent.process.send_signal(end)
    code = several.agent.process.wait(60)

    eventually(lambda: alive(processes) == [])
    assert code == (0 if end is signal.SIGTERM else -end)
    assert "xdp" not in served.namespace.ip("link", "show", "eth0")


def test_the_agent_ends_with_a_word_when_its_keeper_is_killed(lab: Lab) -> None:
    several = Several(lab)
    several.serve()
    processes = children(several.agent.process.pid)
    os.kill(processes[0], signal.SIGKILL)

    assert several.agent.process.wait(60) == 3
    eventually(lambda: alive(processes) == [])
    assert "the keeper of the namespaces has ended" in several.agent.log()


def test_without_the_right_to_enter_one_line_says_so_and_the_host_is_served(lab: Lab) -> None:
    several = Several(lab, wrapper=("setpriv", "--bounding-set=-sys_admin"))
    name = Served(lab).name

    eventually(lambda: "CAP_SYS_ADMIN" in str(several.of(name).get("problem")))

    assert interface(several.agent)["hook"] == "xdp-native"
    eventually(lambda: received(several.agent).get("igmp query 3"))
    shown = mcastctl(several.agent, "status").stdout
    assert f"namespace {name}: it may not be entered: that takes CAP_SYS_ADMIN" in shown
    lines = [each for each in several.agent.log().splitlines() if "CAP_SYS_ADMIN" in each]
    assert len(lines) == 1
    assert "Traceback" not in several.agent.log()


def test_a_user_of_its_own_enters_with_the_rights_of_the_drop_in(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = " ".join(
        re.findall("^AmbientCapabilities=(.*)$", UNIT.read_text() + DROP_IN.read_text(), re.M)
    )
    rights = ",".join(["-all", *(f"+cap_{NUMBERS[name]}" for name in given.split())])
    nobody = ("setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
    wrapper = (*nobody, f"--inh-caps={rights}", f"--ambient-caps={rights}")
    other = lab.namespace("other")
    if run_in(other, *wrapper, sys.executable, "-c", "import mcastd").returncode:
        pytest.skip("other users may not read this checkout")
    shutil.copytree(os.environ["MCASTD_CACHE"], lab.directory / "cache")
    for path in (lab.directory, *lab.directory.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    monkeypatch.setenv("MCASTD_CACHE", str(lab.directory / "cache"))
    mounts_of_its_own = (
        "unshare",
        "--mount",
        "--propagation",
        "slave",
    )  # ProtectSystem= and others

    several = Several(lab, wrapper=(*mounts_of_its_own, *wrapper))
    served = several.serve()

    served.send(3)
    several.expect_counted(served, igmp_query_3=3)
    status = Path(f"/proc/{several.of(served.name)['pid']}/status").read_text()
    kept = int(re.findall(r"CapEff:\s*(\w+)", status)[0], 16)
    assert kept == sum(1 << NUMBERS[each] for each in ("CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_BPF"))


def test_a_namespace_is_served_once_whatever_it_is_called(lab: Lab) -> None:
    served = Served(lab, "blue")
    main = "main-link"
    link, bound = f"{served.name}-link", f"{served.name}-bound"
    names = (served.name, link, bound, main, "later", "process")
    several = Several(
        lab,
        sections="\n".join(f'[namespace."{each}".interface.eth0]' for each in names)
        + "\n[namespace.process]\n"
        + f'path = "/proc/{os.getpid()}/ns/net"\n',
    )
    several.expect("later", "waiting")
    several.expect(served.name)
    with entries_of(link, main):
        Path("/run/netns", link).symlink_to(served.name)
        Path("/run/netns", main).symlink_to(several.main.name)

        assert several.expect(link, "refused")["problem"] == (
            f"is the same namespace as {served.name}"
        )
        assert "is the agent's own namespace" in several.expect(main, "refused")["problem"]
        several.expect("process")
        shown = mcastctl(several.agent, "doctor").stdout
        assert f"{link}: is the same namespace as {served.name}" in shown
        assert "later: there is no such namespace now" in shown

        ip("netns", "del", served.name)  # the link leads nowhere then
        several.expect(served.name, "waiting")
        several.expect(link, "waiting")
        eventually(lambda: not served.is_alive())


def test_a_reload_reaches_all_namespaces_and_a_bad_file_none(lab: Lab) -> None:
    blue, red = Served(lab, "blue"), Served(lab, "red")
    several = Several(lab, sections=f'[namespace."{blue.name}".interface.eth0]\n')
    process = several.expect(blue.name)["pid"]

    several.config.write_text(f'[namespace."{blue.name}".interface.eth0]\nmode = "nonsense"\n')
    result = mcastctl(several.agent, "reload")
    assert (result.returncode, "allowed is observe or host" in result.stderr) == (2, True)
    assert several.of(blue.name)["pid"] == process

    several.config.write_text(
        f'[namespace."{blue.name}".interface.eth0]\nmode = "host"\n'
        f'[namespace."{red.name}".interface.eth0]\n'
    )
    result = mcastctl(several.agent, "reload")
    assert (result.returncode, f"{blue.name}/eth0" in result.stdout) == (0, True)
    eventually(lambda: several.interface(blue)["mode"] == "host")
    several.expect(red.name)
    assert several.of(blue.name)["pid"] == process

    several.config.write_text(f'[namespace."{red.name}".interface.eth0]\n')
    several.agent.reload()
    eventually(lambda: several.of(blue.name) == {})
    several.expect(red.name)
    assert "xdp" not in blue.namespace.ip("link", "show", "eth0")


def test_more_namespaces_than_may_be_are_told(lab: Lab) -> None:
    names = sorted(lab.namespace("blue").name for _ in range(3))
    sections = "\n".join(f'[namespace."{each}".interface.eth0]' for each in names)
    several = Several(lab, sections=f"[agent]\nmax_namespaces = 2\n{sections}\n")

    problem = several.expect(names[2], "refused")["problem"]
    assert problem == "one more than agent.max_namespaces = 2"
    ip("netns", "del", names[0])
    several.expect(names[2])


def test_only_namespaces_may_be_named_on_the_command_line(lab: Lab) -> None:
    served = Served(lab, "blue")
    main = lab.namespace("main")
    agent = lab.agent(main, "-i", f"{served.name}/eth0", "--metrics", "")
    served_by = eventually(
        lambda: [each for each in agent.ask("status")["interfaces"] if each.get("namespace")]
    )
    assert [(each["namespace"], each["name"]) for each in served_by] == [(served.name, "eth0")]
