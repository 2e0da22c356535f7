"""The service under a real systemd, which is the first process of a tree that the package is in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcastd.fastpath.record import KEPT_MAPS
from support.markdown import indented_blocks
from support.packages import TREES, Copy, copy_of, install, tree
from support.waiting import eventually

pytestmark = pytest.mark.packages

CGROUPS = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]

BOOT = """
echo $$ > "$1/cgroup.procs"
exec unshare --mount --pid --net --uts --ipc --cgroup --fork --kill-child sh -ec '
mount --bind "$0" "$0"
mount -t proc proc "$0/proc"; mount -t sysfs sysfs "$0/sys"
mount -t cgroup2 none "$0/sys/fs/cgroup"; mount -t bpf bpf "$0/sys/fs/bpf"
mount -t tmpfs tmpfs "$0/run"; mount --rbind /dev "$0/dev"
ip link add eth0 type veth peer name other; ip link set eth0 up; ip link set other up
ip link set lo up
cd "$0"; mount --move . /
exec chroot . env container=mcastd /lib/systemd/systemd --log-target=console' "$0"
"""


class System:
    """What was booted; programs enter it by its first process."""

    def __init__(self, copy: Copy, boot: subprocess.Popen[bytes]) -> None:
        self._copy, self._boot = copy, boot

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        enter = ["nsenter", "--target", str(self._init()), "--all", "--root", "--wd=/"]
        return subprocess.run(
            [*enter, *command], capture_output=True, text=True, check=False, timeout=120
        )

    def _init(self) -> int:
        """The child of what made the namespaces."""
        path = Path(f"/proc/{self._boot.pid}/task/{self._boot.pid}/children")
        found = path.read_text().split()
        assert found, "it is not there yet"
        return int(found[0])

    def say(self, *command: str) -> str:
        return self.run(*command).stdout.strip()


@pytest.fixture
def system(suite: str, packages: list[Path], request: pytest.FixtureRequest) -> Iterator[System]:
    """`request.param`: packages of the suite that are wanted besides."""
    besides = f"iproute2 {getattr(request, 'param', '')}"
    unified = next((each for each in CGROUPS if (each / "cgroup.procs").exists()), None)
    if unified is None:
        pytest.skip("systemd wants a cgroup2 hierarchy")
    cgroup = unified / f"mcastd-test-{os.getpid()}"
    place = TREES / f"{suite}-running-{time.time_ns()}"
    with copy_of(tree(suite, "minimal"), place) as copy:
        install(copy, packages)
        copy.run(
            "sh", "-ec",
            f"apt-get -q -y --no-install-recommends install {besides} >/dev/null 2>&1",
        )  # fmt: skip
        cgroup.mkdir()
        boot = subprocess.Popen(
            ["sh", "-ec", BOOT, str(copy.root), str(cgroup)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield System(copy, boot)
        finally:
            boot.kill()
            boot.wait()
            eventually(lambda: removed(cgroup))


def spoken(system: System) -> int:
    """Messages that have left eth0, as counted at the NIC."""
    (found,) = json.loads(system.say("mcastctl", "counters", "eth0", "--json"))
    return sum(found["messages"]["tx"].values())


def allowed(system: System) -> dict[str, int]:
    """The newest version of each family that may be spoken on eth0."""
    status = json.loads(system.say("mcastctl", "status", "--json"))
    (eth0,) = status["interfaces"]
    return {each: eth0[each]["max_version"] for each in ("igmp", "mld")}


def removed(cgroup: Path) -> bool:
    """With all that are below it; False while something still runs there."""
    try:
        below = [each for each in cgroup.iterdir() if each.is_dir()]
        if not all(map(removed, below)):
            return False
        cgroup.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def test_the_service_runs_as_it_is_confined_and_is_reloaded_and_ended(system: System) -> None:
    eventually(lambda: system.say("systemctl", "is-active", "mcastd") == "active", within=300)
    assert "no interface is named" in system.say("journalctl", "-u", "mcastd")
    configure = "printf '[interface.eth0]\\nmode = \"host\"\\n' > /etc/mcastd/mcastd.d/10-eth0.toml"
    assert system.run("sh", "-c", configure).returncode == 0
    reloaded = system.run("mcastctl", "reload")
    told = "configuration reloaded; interfaces: eth0\n"
    assert (reloaded.returncode, reloaded.stdout) == (0, told), reloaded.stderr

    def attached() -> bool:
        status = json.loads(system.say("mcastctl", "status", "--json"))
        return [each["hook"] for each in status["interfaces"]] == ["xdp-native"]

    eventually(attached)
    assert system.run("mcastctl", "mode", "eth0", "observe").returncode == 0
    assert system.run("mcastctl", "mode", "eth0", "host").returncode == 0
    *_, line = re.findall("change: mode .*", system.say("journalctl", "-u", "mcastd"))
    assert re.fullmatch(r"change: mode name=eth0 mode=host by uid 0 pid \d+( \(mcastctl\))?", line)
    kept = system.run("mcastctl", "version", "eth0", "igmp", "2", "--persist")
    assert kept.returncode == 0, kept.stderr
    warned = system.say("journalctl", "-u", "mcastd", "-p", "warning", "-o", "cat")
    assert "change: mode" not in warned
    assert system.say("systemctl", "show", "-P", "NRestarts", "mcastd") == "0"
    assert system.run("systemctl", "reload", "mcastd").returncode == 0
    joined = system.run("mcastctl", "join", "eth0", "ff15::1", "--name", "test")
    assert (joined.returncode, joined.stderr) == (0, ""), joined.stdout
    before = eventually(lambda: spoken(system))
    stored = ("systemctl", "show", "-P", "NFileDescriptorStore", "mcastd")
    assert int(eventually(lambda: int(system.say(*stored)))) > len(KEPT_MAPS)
    assert system.run("systemctl", "restart", "mcastd").returncode == 0
    eventually(attached)
    assert spoken(system) >= before, "counters begin anew"
    assert allowed(system) == {"igmp": 2, "mld": 2}, "the cap was not kept"
    assert "ff15::1" in system.say("mcastctl", "groups", "eth0"), "the membership was not kept"
    assert "is not used" not in system.say("journalctl", "-u", "mcastd")
    assert system.run("systemctl", "kill", "-s", "KILL", "mcastd").returncode == 0
    eventually(lambda: system.say("systemctl", "show", "-P", "NRestarts", "mcastd") == "1")
    eventually(lambda: system.say("systemctl", "is-active", "mcastd") == "active")
    eventually(attached)
    assert spoken(system) >= before, "counters begin anew"
    assert "xdp" in system.say("ip", "link", "show", "eth0")
    assert system.run("systemctl", "stop", "mcastd").returncode == 0
    eventually(lambda: "xdp" not in system.say("ip", "link", "show", "eth0"))
    assert system.say("systemctl", "show", "-P", "Result", "mcastd") == "success"
    assert system.run("test", "-e", "/run/mcastd").returncode != 0


PAGE = Path(__file__).resolve().parents[2] / "docs" / "quickstart.md"


def steps() -> list[list[str]]:
    """Of the quick start: of each step what is to be typed, and what is to be seen of it."""
    parts = re.split(r"^## \d\. ", PAGE.read_text(), flags=re.M)[1:]
    return [list(indented_blocks(each.partition("\n## ")[0])) for each in parts]


def typed(system: System, text: str) -> str:
    """By root: there is no sudo in a minimal system. What waits in the background keeps no pipe."""
    text = text.replace("sudo ", "").replace(":9091 &", ":9091 >/tmp/prometheus.log 2>&1 &")
    done = system.run("bash", "-c", f"umask 022; {text}")
    assert done.returncode == 0, (text, done.stdout, done.stderr)
    return done.stdout


@pytest.mark.parametrize("system", ["curl prometheus"], indirect=True)
def test_the_quick_start_holds_word_for_word(system: System) -> None:
    """The packages are there, which is its first step."""
    eventually(lambda: system.say("systemctl", "is-active", "mcastd") == "active", within=300)
    _, interface, scrape, cap, alert = steps()
    shown = typed(system, interface[0]).splitlines()
    for line in interface[1].splitlines():
        assert any(each.split()[:5] == line.split()[:5] for each in shown), shown
    commands, lines = scrape[0].split("\n\n", 1)
    assert typed(system, commands).splitlines()[-2:] == lines.splitlines()
    commands, lines = cap[0].split("\n\n", 1)
    told = typed(system, commands).splitlines()
    assert [told[0], told[2]] == [lines.splitlines()[0], lines.splitlines()[2]]
    commands, line = alert[0].split("\n\n", 1)
    *before, last = commands.splitlines()
    typed(system, "\n".join(before))
    query = last.partition("; ")[2]
    begin = line.partition(", ...")[0]
    eventually(lambda: begin in typed(system, query), within=300)
    page = re.search(r"/usr/share/doc/mcastd-prometheus/alerts/\w+.md", PAGE.read_text())
    assert page is not None
    assert system.say("cat", page[0]).startswith("# MulticastHookMissing\n")
    typed(system, alert[1])
    eventually(lambda: begin not in typed(system, query), within=300)
