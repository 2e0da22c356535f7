"""Pairs that the agent counts at two NICs: a real sender, and a hop on each way that drops."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from mcastd_lab import RunningAgent, veth
from support import senders
from support.lab import Cable, mcastctl, scrape
from support.senders import Hop, Passed
from support.stream_packets import frame, rtp
from support.waiting import eventually

pytestmark = pytest.mark.lab

GROUP, PORT = "239.1.1.1", 5004
PAIR = {"a": f"eth0 {GROUP}:{PORT}", "b": f"eth1 {GROUP}:{PORT}"}
SETTINGS = f"""
[streams]
stalled_after = 3600
pair_window = 1
[[streams.pair]]
a = "{PAIR["a"]}"
b = "{PAIR["b"]}"
"""

RTP_AT = 42
"""In a frame without options or tags."""


def observed(cable: Cable, tmp_path: Path, choice: str = "auto") -> RunningAgent:
    path = tmp_path / "mcastd.toml"
    path.write_text(f'{SETTINGS}[defaults]\nhook = "{choice}"\n')
    return cable.observe("-i", "eth1", "-c", path)


def pair(agent: RunningAgent) -> dict[str, Any]:
    (found,) = agent.ask("pairs")
    assert isinstance(found, dict)
    return found


def numbers(frames: list[tuple[int, bytes]]) -> list[int]:
    return [int.from_bytes(each[RTP_AT + 2 : RTP_AT + 4]) for _, each in frames]


def dropped(passed: Passed) -> set[int]:
    return set(numbers(passed.before)) - set(numbers(passed.after))


@pytest.mark.parametrize("choice", ["auto", "tc"])
def test_what_two_hops_drop_of_a_stream_of_ffmpeg_is_counted_exactly(
    cable: Cable, tmp_path: Path, choice: str
) -> None:
    veth(cable.outside, "out1", cable.host, "eth1")
    made = cable.lab.namespace("made")
    veth(made, "send0", cable.outside, "in0")
    made.ip("address", "add", "192.0.2.1/24", "dev", "send0")
    made.ip("route", "add", "224.0.0.0/4", "dev", "send0")
    agent = observed(cable, tmp_path, choice)
    chances = {"drops": 0.05, "repeats": 0.02, "delays": 0.05}
    hops = [
        Hop(cable.outside, "in0", GROUP, PORT, seed=7 + n, onto=f"out{n}", **chances)
        for n in range(2)
    ]
    senders.run(
        made, senders.ffmpeg("-c:v", "mpeg2video", "-f", "rtp_mpegts", f"rtp://{GROUP}:{PORT}")
    )
    passed = [hop.close() for hop in hops]
    sent = len(set(numbers(passed[0].before)))
    assert sent > 100

    eventually(lambda: pair(agent)["decided"] == sent, what="all decided")
    found = pair(agent)
    assert (found["undecided"], found["begun"], found["missed"]) == (0, 1, 0)
    assert found["problem"] is None
    lost = [dropped(each) for each in passed]
    # A hop that had to wait for a processor may be late for the window: that is told, too.
    late = [found[leg]["late"] for leg in "ab"]
    for leg, here, more in zip("ab", lost, late, strict=True):
        assert len(here) <= found[leg]["lost"] <= len(here) + more
        assert found[leg]["format"] == "rtp"
    assert len(lost[0] & lost[1]) <= found["neither"] <= len(lost[0] & lost[1]) + sum(late)
    assert lost[0] | lost[1]

    text = scrape(cable.host)
    for legs, count in (("both", found["both"]), ("neither", found["neither"])):
        assert text.value("mcastd_pair_numbers_total", **PAIR, brought_by=legs) == count


def test_a_leg_that_ends_is_told_and_people_see_both(cable: Cable, tmp_path: Path) -> None:
    veth(cable.outside, "out1", cable.host, "eth1")
    agent = observed(cable, tmp_path)
    count = itertools.count(1)

    def is_unprotected() -> bool:
        """Legs are known a second after the agent, so that the first packets may be none's."""
        cable.wire.send(frame(rtp(next(count))))
        return bool(pair(agent)["state"] == "unprotected")

    eventually(is_unprotected, what="one leg")
    eventually(lambda: pair(agent)["undecided"] == 0, what="the window passed")
    packets = pair(agent)["a"]["packets"]
    lost = pair(agent)["b"]["lost"]
    assert lost == pair(agent)["decided"] > 0

    done = mcastctl(agent, "streams", "--pairs")
    head, a, b = done.stdout.splitlines()
    assert head.split()[:3] == ["LEG", "STREAM", "SOURCE"]
    assert a.split()[:6] == ["a", "eth0", f"{GROUP}:{PORT}", "10.0.0.2", "rtp", str(packets)]
    assert a.split()[-1] == "unprotected"
    assert b.split()[:5] == ["b", "eth1", f"{GROUP}:{PORT}", "-", "none"]
    assert mcastctl(agent, "streams", "--pairs", "eth0").returncode == 2

    with agent.watching(type="pair") as events:
        path = tmp_path / "mcastd.toml"
        path.write_text(path.read_text().replace("stalled_after = 3600", "stalled_after = 1"))
        agent.ask("reload")
        event = next(events)
    assert (event["state"], event["before"]) == ("silent", "unprotected")
    assert pair(agent)["b"]["lost"] == lost
