"""Streams that the agent counts at a NIC: real senders, every state, what is shown of them."""

from __future__ import annotations

import json
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcastd_lab import RunningAgent, veth
from support.kernel_features import EGRESS_HOOK
from support.lab import Cable, interface, mcastctl, programs_on, scrape
from support.senders import VIDEO
from support.stream_packets import frame, framed, ipv4, rtp, udp
from support.waiting import eventually

pytestmark = pytest.mark.lab

GROUP, PORT = "239.1.1.1", 5004
ROUNDS = 300
"""Packets of each of a thousand streams."""
SETTINGS = """
[streams]
stalled_after = 3600
[metrics]
per_stream = 2
"""


Join = Callable[..., socket.socket]


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "mcastd.toml"
    path.write_text(SETTINGS)
    return path


@pytest.fixture
def agent(cable: Cable, settings: Path) -> RunningAgent:
    return cable.observe("-c", settings)


@pytest.fixture
def join(cable: Cable) -> Iterator[Join]:
    """Joins a group on an interface of the host, by a socket."""
    sockets = []

    def joined(group: str, name: str = "eth0") -> socket.socket:
        with cable.host.entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            index = socket.if_nametoindex(name)
        wanted = socket.inet_aton(group) + bytes(4) + index.to_bytes(4, "little")
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, wanted)
        sockets.append(sock)
        return sock

    yield joined
    for each in sockets:
        each.close()


def streams(agent: RunningAgent, group: str = GROUP) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = agent.ask("streams", group=group)
    return found


def states(agent: RunningAgent, group: str = GROUP) -> list[tuple[str, str]]:
    return [(each["interface"], each["state"]) for each in streams(agent, group)]


def expect(agent: RunningAgent, *wanted: tuple[str, str], group: str = GROUP) -> None:
    eventually(lambda: states(agent, group) == list(wanted), what=f"{group}: {wanted}")


def test_a_stream_of_ffmpeg_is_live_and_then_stalled(
    cable: Cable, settings: Path, join: Join
) -> None:
    settings.write_text("[streams]\nstalled_after = 1.0\n")
    agent = cable.observe("-c", settings)
    join(GROUP)
    cable.outside.ip("address", "add", "192.0.2.1/24", "dev", "out0")
    cable.outside.ip("route", "add", "224.0.0.0/4", "dev", "out0")
    command = ["ffmpeg", "-loglevel", "error", "-re", *VIDEO[:4], "-t", "60", "-f", "rtp_mpegts"]
    try:
        with cable.outside.entered():
            sender = subprocess.Popen([*command, f"rtp://{GROUP}:{PORT}"])
    except FileNotFoundError:
        pytest.skip("ffmpeg is not installed")
    try:
        eventually(
            lambda: (
                ("eth0", "live") in states(agent)
                and any(each["format"] == "rtp+mpegts" and each["rate"] for each in streams(agent))
            ),
            what="a live stream of MPEG-TS in RTP",
        )
    finally:
        sender.kill()
        sender.wait()
    eventually(lambda: ("eth0", "stalled") in states(agent), what="the stream stalled")
    (found,) = (each for each in streams(agent) if each["port"] == PORT)
    assert (found["source"], found["lost"], found["joined"]) == ("192.0.2.1", 0, True)


def test_nothing_is_counted_where_nobody_asks_for_it(cable: Cable) -> None:
    agent = cable.observe()
    cable.wire.send(frame(rtp(1)))

    assert interface(agent)["streams"] is None
    assert streams(agent) == []
    assert mcastctl(agent, "streams").returncode == 1
    assert "mcastd_stream" not in scrape(cable.host).text


@pytest.mark.parametrize(("choice", "hook"), [("auto", "xdp-native"), ("tc", EGRESS_HOOK)])
def test_every_packet_is_counted_and_every_loss(
    cable: Cable, settings: Path, choice: str, hook: str
) -> None:
    settings.write_text(f'{SETTINGS}[interface.eth0]\nhook = "{choice}"\n')
    agent = cable.observe("-c", settings)
    assert interface(agent)["hook"] == hook
    for number in (1, 2, 3, 5, 4, 8, 8, 9):
        cable.wire.send(frame(rtp(number)))
    cable.wire.send(framed(ipv4(bytes(64), bits=1)))

    eventually(lambda: [each["packets"] for each in streams(agent)] == [8], what="8 packets")
    (found,) = streams(agent)
    numbers = [found[each] for each in ("lost", "reordered", "duplicates", "resets")]
    assert numbers == [2, 1, 1, 0]
    assert found["state"] == "unwanted"
    eventually(
        lambda: all(
            interface(agent)["streams"][key] == value
            for key, value in {
                "packets": 8, "streams": 1, "fragments": 1, "untracked": 0,
                "states": {"unwanted": 1}, "last_data": found["last"],
            }.items()
        ),
        what="the totals",
    )  # fmt: skip
    text = scrape(cable.host)
    assert text.value("mcastd_stream_packets_total", interface="eth0") == 8
    assert text.value("mcastd_stream_lost_total", interface="eth0") == 2
    assert text.value("mcastd_stream_fragments_total", interface="eth0") == 1
    assert "mcastd_one_stream_packets_total{" not in text.text, "nobody wants it"


def test_a_group_from_which_nothing_comes_is_silent(
    cable: Cable, agent: RunningAgent, join: Join
) -> None:
    join(GROUP)
    expect(agent, ("eth0", "silent"))
    cable.wire.send(frame(rtp(1)))

    expect(agent, ("eth0", "live"))


def test_a_stream_with_gaps_is_lossy(cable: Cable, agent: RunningAgent, join: Join) -> None:
    join(GROUP)
    number = 0

    def is_lossy() -> bool:
        nonlocal number
        number += 2
        cable.wire.send(frame(rtp(number)))
        cable.wire.send(frame(rtp(number + 1)))
        number += 1
        return states(agent) == [("eth0", "lossy")]

    eventually(is_lossy, what="a lossy stream")


def test_what_is_joined_on_another_interface_is_elsewhere(
    cable: Cable, settings: Path, join: Join
) -> None:
    veth(cable.outside, "out1", cable.host, "eth1")
    agent = cable.observe("-i", "eth1", "-c", settings)
    join(GROUP, "eth1")

    def is_elsewhere() -> bool:
        cable.wire.send(frame(rtp(1)))
        return ("eth0", "elsewhere") in states(agent)

    eventually(is_elsewhere, what="a stream that is joined on eth1")


def test_changes_of_state_are_events(cable: Cable, agent: RunningAgent, join: Join) -> None:
    with agent.watching(type="stream") as events:
        cable.wire.send(frame(rtp(1)))
        event = next(events)

    assert {key: event[key] for key in ("interface", "group", "source", "port", "state")} == {
        "interface": "eth0", "group": GROUP, "source": "10.0.0.2", "port": PORT,
        "state": "unwanted",
    }  # fmt: skip


def test_people_see_streams_groups_and_status(
    cable: Cable, agent: RunningAgent, join: Join
) -> None:
    join(GROUP)
    cable.wire.send(frame(rtp(1)))
    cable.wire.send(frame(rtp(2)))
    expect(agent, ("eth0", "live"))

    lines = mcastctl(agent, "streams", "eth0", GROUP).stdout.splitlines()
    assert lines[0].split()[:4] == ["INTERFACE", "STATE", "SOURCE", "GROUP"]
    assert lines[1].split()[:5] == ["eth0", "live", "10.0.0.2", f"{GROUP}:{PORT}", "rtp"]
    assert "LAST DATA" in mcastctl(agent, "groups").stdout
    head = mcastctl(agent, "status").stdout.splitlines()[0]
    assert head.split()[-4:] == ["STREAMS", "RATE", "LAST", "DATA"]
    (told,) = json.loads(mcastctl(agent, "streams", "--json", "eth0", GROUP).stdout)
    assert told["packets"] == 2
    again = mcastctl(agent, "streams", "--watch", "--count", "2", "--interval", "0.1", "--json")
    assert len(again.stdout.splitlines()) == 2


def test_forged_sources_do_not_take_a_joined_groups_room(
    cable: Cable, tmp_path: Path, join: Join
) -> None:
    path = tmp_path / "mcastd.toml"
    path.write_text("[streams]\nmax_streams = 16\n")
    agent = cable.observe("-c", path)
    for number in range(100):
        forged = ipv4(udp(b""), source=f"10.9.0.{number}", group="239.9.9.9")
        cable.wire.send(framed(forged))
    join(GROUP)
    eventually(lambda: agent.ask("groups", group=GROUP), what="the group is known")
    for number in range(5):
        cable.wire.send(frame(rtp(number)))

    eventually(lambda: [e["packets"] for e in streams(agent)] == [5], what="all five packets")
    assert interface(agent)["streams"]["streams"] == 16
    assert interface(agent)["streams"]["untracked"] == 84


def test_an_interface_may_be_left_out(cable: Cable, tmp_path: Path) -> None:
    path = tmp_path / "mcastd.toml"
    path.write_text("[streams]\n[interface.eth0]\nstreams = false\n")
    agent = cable.observe("-c", path)
    cable.wire.send(frame(rtp(1)))
    assert interface(agent)["streams"] is None
    path.write_text("[streams]\n[interface.eth0]\nstreams = true\n")
    agent.ask("reload")

    assert interface(agent)["streams"] is None, "the programs were not loaded at the start"


def test_streams_are_switched_on_and_off_by_a_reload(cable: Cable, tmp_path: Path) -> None:
    veth(cable.outside, "out1", cable.host, "eth1")
    path = tmp_path / "mcastd.toml"
    path.write_text("[interface.eth1]\nstreams = true\n")
    agent = cable.observe("-i", "eth1", "-c", path)
    before = programs_on(cable.host, "eth0")
    assert interface(agent)["streams"] is None
    path.write_text("[streams]\n")
    agent.ask("reload")
    cable.wire.send(frame(rtp(1)))
    eventually(lambda: [each["packets"] for each in streams(agent)] == [1], what="one packet")
    assert programs_on(cable.host, "eth0") == before
    path.write_text("[interface.eth1]\nstreams = true\n")
    agent.ask("reload")

    assert interface(agent)["streams"] is None
    assert streams(agent) == []


def test_a_thousand_streams_at_full_rate_are_counted_exactly(
    cable: Cable, agent: RunningAgent, record_property: Callable[[str, object], None]
) -> None:
    """The list of frames is sent again and again: what is counted is what was sent."""
    frames = [
        framed(ipv4(udp(rtp(5)), source=f"10.0.{number >> 8}.{number & 255}"))
        for number in range(1000)
    ]
    sent = cable.generator().send(frames, ROUNDS * len(frames))
    record_property("frames a second", round(sent.frames / sent.seconds))

    def counts() -> Counter[tuple[int, int]]:
        return Counter((each["packets"], sum(each["gaps"].values())) for each in streams(agent))

    all_of_them = {(ROUNDS, ROUNDS - 1): len(frames)}
    eventually(lambda: counts() == all_of_them, what=f"{ROUNDS} packets of each")
    assert interface(agent)["streams"]["untracked"] == 0
