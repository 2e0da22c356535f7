"""The Debian packages on Debian 12 and 13: built, installed, run, upgraded, purged."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.packages import TREES, Copy, build, copy_of, digest, install, tree

pytestmark = pytest.mark.packages


@pytest.fixture
def copy(suite: str) -> Iterator[Copy]:
    with copy_of(tree(suite, "minimal"), TREES / f"{suite}-trying-{time.time_ns()}") as made:
        yield made


def test_the_same_source_makes_the_same_packages_wherever_it_is_built(
    suite: str, source: Path, packages: list[Path], tmp_path: Path
) -> None:
    again = build(suite, source, tmp_path, where="/somewhere/else/entirely/mcastd")
    assert [each.name for each in again] == [each.name for each in packages]
    assert [digest(each) for each in again] == [digest(each) for each in packages]


RUN = """
ip link add veth0 type veth peer name veth1
ip link set veth0 up; ip link set veth1 up; ip link set lo up
four=-all,+bpf,+perfmon,+net_admin,+net_raw
exec setpriv --reuid mcastd --regid mcastd --clear-groups --bounding-set $four --inh-caps $four \
  --ambient-caps $four mcastd run -i veth0 --control /tmp/control.sock
"""


def test_installed_it_runs_without_a_compiler_and_is_asked(
    copy: Copy, packages: list[Path]
) -> None:
    said = install(copy, packages)
    assert "mcastd" in said
    for absent in ("usr/bin/gcc", "usr/lib/python3/dist-packages/bcc"):
        assert not (copy.root / absent).exists(), "it would not show that it does without"
    assert copy.run("mcastd", "--version").stdout == "mcastd 0.1.0\n"
    assert copy.run("mcastd", "check-config", "/etc/mcastd/mcastd.toml").returncode == 0
    copy.run("sh", "-ec", "apt-get -q -y --no-install-recommends install iproute2 >/dev/null 2>&1")
    (copy.root / "run-it").write_text(RUN)
    asking = (
        "sh /run-it >/tmp/log 2>&1 & for i in $(seq 300); do "
        "mcastctl --control /tmp/control.sock status --json 2>/dev/null && break; sleep 0.2; done; "
        "cat /tmp/log >&2; kill %1; wait"
    )

    done = copy.run("bash", "-c", asking, isolated="--mount --net --pid --fork --kill-child")

    status = json.loads(done.stdout)
    assert [each["hook"] for each in status["interfaces"]] == ["xdp-native"], done.stderr
    assert "compiling" not in done.stderr


def test_purged_it_leaves_nothing(copy: Copy, packages: list[Path]) -> None:
    names = ["mcastd", "mcastd-lab", "mcastd-prometheus"]
    install(copy, packages)
    copy.run("sh", "-ec", "apt-get -q -y purge mcastd mcastd-lab mcastd-prometheus >/dev/null 2>&1")
    before = copy.files()
    install(copy, packages)
    (copy.root / "var/lib/mcastd").mkdir(exist_ok=True)
    (copy.root / "var/lib/mcastd/memberships.json").write_text("{}")
    (copy.root / "etc/mcastd/mcastd.d/10-own.toml").write_text("[interface.eth0]\n")

    copy.run("sh", "-ec", f"apt-get -q -y purge {' '.join(names)} >/dev/null 2>&1")

    after = copy.files()
    left = {name for name in after if "mcastd" in name}
    assert left == set()
    changed = {name for name, each in after.items() if before.get(name) != each}
    assert {each for each in changed if not each.startswith(("etc/ld.so", "etc/."))} <= {
        "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-",
    }  # fmt: skip
    for users in ("etc/passwd", "etc/group"):
        assert "mcastd" not in (copy.root / users).read_text()


def test_an_upgrade_keeps_what_was_configured_and_what_was_kept(
    suite: str, copy: Copy, packages: list[Path], earlier_source: Path, tmp_path: Path
) -> None:
    install(copy, build(suite, earlier_source, tmp_path))
    assert copy.run("dpkg-query", "-W", "-f=${Version}", "mcastd").stdout == "0.1.0~earlier"
    configured = copy.root / "etc/mcastd/mcastd.toml"
    configured.write_text(configured.read_text() + '[interface."eth*"]\n')
    kept = copy.root / "var/lib/mcastd/memberships.json"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("{}")

    install(copy, packages)

    assert copy.run("dpkg-query", "-W", "-f=${Version}", "mcastd").stdout == "0.1.0"
    assert '[interface."eth*"]' in configured.read_text()
    assert kept.exists()
    assert "(1 interfaces)" in copy.run("mcastd", "check-config", "/etc/mcastd/mcastd.toml").stdout
