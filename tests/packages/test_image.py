"""The image: what is in it, and that it does its work with four capabilities and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from mcastd_lab import Bridge, Lab, Namespace
from support.image import (
    AS_KUBERNETES,
    Container,
    Image,
    built,
    capabilities,
    container,
    loaded,
)
from support.privileges import NUMBERS
from support.waiting import eventually

pytestmark = pytest.mark.packages

LARGEST = 150_000_000
"""Octets, unpacked."""

NEVER = re.compile(
    r"libLLVM|libbcc|/bcc/|bin/(gcc|cc|clang|ld|as|make|apt|apt-get|pip3?)$|\.a$|sources\.list"
)
CAPABILITY = "SCHILY.xattr.security.capability"
GROUP = "232.1.1.1"


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with loaded(built()) as made:
        yield made


def test_it_is_small_and_has_nothing_that_compiles_installs_or_changes_the_user(
    image: Image,
) -> None:
    assert image.size() < LARGEST
    granted = []
    for each in image.files():
        name = "/" + each.name.removeprefix("./").lstrip("/")
        assert each.isdir() or not NEVER.search(name), name
        assert not each.mode & 0o6000 or not each.isfile(), f"{name} changes the user or group"
        if CAPABILITY in each.pax_headers:
            granted.append(name)
    assert len(granted) == 1
    assert re.fullmatch(r"/usr/bin/python3\.\d+", granted[0])
    assert image.configured()["User"] == "9776:9776"


def test_without_any_capability_it_still_does_what_takes_none(image: Image) -> None:
    assert image.once("--version").startswith("mcastd ")


class Node:
    """A namespace with the network of a node, and a querier that it is connected to."""

    def __init__(self, lab: Lab) -> None:
        self.network, self.switch = lab.namespace("node"), lab.namespace("switch")
        self.bridge = Bridge(self.switch, "br0", "192.0.2.1/24")
        self.bridge.connect(self.network, "eth0", "192.0.2.10/24")


@pytest.fixture
def node() -> Iterator[Node]:
    with Lab() as lab:
        yield Node(lab)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """As Kubernetes lays a ConfigMap: names that point to the version which counts now."""
    place = tmp_path / "config"
    (place / "..2026").mkdir(parents=True)
    (place / "..2026" / "mcastd.toml").write_text('[interface.eth0]\nmode = "host"\n')
    (place / "..data").symlink_to("..2026")
    (place / "mcastd.toml").symlink_to("..data/mcastd.toml")
    for each in (tmp_path, place):
        each.chmod(0o755)
    return place


@pytest.mark.parametrize("entry", [(), AS_KUBERNETES], ids=["podman", "kubernetes"])
def test_with_four_capabilities_and_a_root_that_is_read_only_it_does_its_work(
    image: Image, node: Node, config: Path, entry: tuple[str, ...]
) -> None:
    with container(image, node.network, config, *entry) as running:
        eventually(lambda: reached(running) == 200, within=120, what="it is ready")
        assert running.page("/-/healthy") == 200
        assert running.run("id", "-u").stdout.strip() == "9776"
        (status,) = running.ask("status")["interfaces"]
        assert status["hook"] == "xdp-native"
        eventually(lambda: queries(running, node.network))
        joined = running.run("mcastctl", "join", "eth0", GROUP, "--source", "192.0.2.9")
        assert joined.returncode == 0, joined.stderr
        eventually(lambda: GROUP in {each["grp"] for each in node.bridge.memberships()})
        assert only_the_four(running)
        assert running.run("touch", "/etc/written").returncode != 0
    assert "xdp" not in node.network.ip("link", "show", "eth0")


def reached(running: Container) -> int:
    try:
        return running.page("/-/ready")
    except OSError as error:
        raise AssertionError(f"{error}: {running.log()}") from None


def queries(running: Container, network: Namespace) -> int:
    """General queries of IGMP that were counted at the NIC."""
    (found,) = running.ask("counters", "eth0")
    return sum(count for name, count in found["messages"]["rx"].items() if "query" in name)


def only_the_four(running: Container) -> bool:
    """What the agent may use is among them; what it gave up is CAP_PERFMON."""
    status = running.run("cat", "/proc/1/status").stdout
    lines = dict(re.findall(r"^(Cap\w+|Uid|NoNewPrivs):\s+(.*)$", status, re.MULTILINE))
    four = sum(1 << NUMBERS[f"CAP_{each}"] for each in capabilities())
    kept = four & ~(1 << NUMBERS["CAP_PERFMON"])
    assert int(lines["CapPrm"], 16) == int(lines["CapEff"], 16) == kept
    assert int(lines["CapBnd"], 16) & ~four == 0
    assert lines["NoNewPrivs"] == "1"
    assert set(lines["Uid"].split()) == {"9776"}
    return True
