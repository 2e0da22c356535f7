"""Every state that a stream can have, with real senders behind a hop that drops."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from mcastd_lab import Lab, Member, Namespace, RunningAgent, veth
from support.lab import METRICS_TEXT, Cable
from support.senders import Hop
from support.stream_packets import frame, framed, ipv4, rtp, udp
from support.waiting import eventually

pytestmark = pytest.mark.lab

PORT = 5004
LOSSY, LIVE, ELSEWHERE, UNWANTED, SILENT = (f"239.1.1.{each}" for each in range(1, 6))
FORGED = int(os.environ.get("MCASTD_TEST_FORGED", "100000"))
"""Streams: as many as somebody who sends a million a minute sends in six seconds."""


def join(lab: Lab, host: Namespace, name: str, *groups: str) -> None:
    member = lab.keep(Member(host, name))
    for each in groups:
        member.join(each)


def ffmpeg(group: str) -> list[str]:
    """Real time, as long as it is let."""
    source = ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=25"]
    output = ["-c:v", "mpeg2video", "-f", "rtp_mpegts", f"rtp://{group}:{PORT}"]
    return ["ffmpeg", "-loglevel", "error", "-re", *source, *output]


def iperf(group: str) -> list[str]:
    return ["iperf", "-c", group, "-u", "-b", "1M", "-t", "600", "-T", "5", "-p", str(PORT)]


SENDERS = {LOSSY: ffmpeg, LIVE: iperf, ELSEWHERE: ffmpeg, UNWANTED: iperf}


class Sending(NamedTuple):
    host: Namespace
    senders: dict[str, subprocess.Popen[bytes]]


@pytest.fixture
def sending(lab: Lab) -> Iterator[Sending]:
    """Behind a hop, that drops of one group what the dice say; beside it eth1, without a sender."""
    if not all(map(shutil.which, ("ffmpeg", "iperf"))):
        pytest.skip("ffmpeg and iperf are not both installed")
    sender, hop, host = (lab.namespace(each) for each in ("sender", "hop", "host"))
    for namespace in (sender, hop):
        namespace.sysctl({"ipv6.conf.all.disable_ipv6": 1, "ipv6.conf.default.disable_ipv6": 1})
    veth(sender, "eth0", hop, "in0")
    veth(hop, "out0", host, "eth0")
    veth(hop, "out1", host, "eth1")
    sender.ip("address", "add", "192.0.2.1/24", "dev", "eth0")
    sender.ip("route", "add", "224.0.0.0/4", "dev", "eth0")
    host.ip("address", "add", "192.0.2.10/24", "dev", "eth0")
    host.ip("address", "add", "198.51.100.10/24", "dev", "eth1")
    passing = Hop(hop, "in0", LOSSY, PORT, drops=0.1, onto="out0")
    with sender.entered():
        running = {
            group: subprocess.Popen(make(group), stdout=subprocess.DEVNULL)
            for group, make in SENDERS.items()
        }
    yield Sending(host, running)
    for each in running.values():
        each.kill()
        each.wait()
    passing.close()


def states(agent: RunningAgent) -> dict[str, str]:
    """Of each group's stream on eth0, RTCP's left out."""
    return {
        each["group"]: each["state"]
        for each in agent.ask("streams", name="eth0")
        if each["group"] in (*SENDERS, SILENT) and each["port"] in (PORT, None)
    }


def expect(agent: RunningAgent, wanted: dict[str, str]) -> None:
    def is_so() -> bool:
        assert states(agent) == wanted
        return True

    eventually(is_so, what=f"{wanted}")


def test_each_state_is_told_of_real_senders(lab: Lab, sending: Sending, tmp_path: Path) -> None:
    host = sending.host
    path = tmp_path / "mcastd.toml"
    path.write_text("[streams]\nstalled_after = 2.0\n")
    agent = lab.agent(host, "-i", "eth0", "-i", "eth1", "--metrics", METRICS_TEXT, "-c", path)
    join(lab, host, "eth0", LOSSY, LIVE, SILENT)
    join(lab, host, "eth1", ELSEWHERE)
    wanted = {
        LOSSY: "lossy", LIVE: "live", ELSEWHERE: "elsewhere", UNWANTED: "unwanted",
        SILENT: "silent",
    }  # fmt: skip
    expect(agent, wanted)

    sending.senders[LIVE].kill()
    expect(agent, wanted | {LIVE: "stalled"})


def test_a_flood_of_forged_streams_leaves_joined_groups_their_counts_and_the_agent_its_size(
    cable: Cable, tmp_path: Path
) -> None:
    path = tmp_path / "mcastd.toml"
    path.write_text("[streams]\nstalled_after = 3600\n")
    agent = cable.observe("-c", path)
    join(cable.lab, cable.host, "eth0", LIVE)
    eventually(lambda: agent.ask("groups", group=LIVE), what="the group is known")

    def forge(first: int, last: int) -> None:
        for number in range(first, last):
            source = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            cable.wire.send(framed(ipv4(udp(b""), source=source, group="239.9.9.9")))
            if number % 1000 == 0:
                cable.wire.send(frame(rtp(number // 1000), group=LIVE))

    def of_agent() -> dict[str, Any]:
        (found,) = agent.ask("status")["interfaces"]
        streams: dict[str, Any] = found["streams"]
        return streams

    forge(0, 10_000)
    eventually(lambda: of_agent()["streams"] == 4096, what="all room is taken")
    before = resident(agent)
    forge(10_000, FORGED)

    eventually(
        lambda: [each["packets"] for each in agent.ask("streams", group=LIVE)] == [FORGED // 1000],
        what="all packets of the joined group",
    )
    (found,) = agent.ask("streams", group=LIVE)
    assert (found["lost"], found["state"]) == (0, "live")
    assert of_agent()["streams"] == 4096
    assert of_agent()["untracked"] >= FORGED - 4096 - 1
    assert resident(agent) - before < 4 << 20


def resident(agent: RunningAgent) -> int:
    """Bytes of memory that the agent has."""
    pages = int(Path(f"/proc/{agent.process.pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()
