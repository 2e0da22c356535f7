"""`mcastd streams` on what real senders send through a lossy hop, beside tshark and the truth."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcastd_lab import Lab, Namespace, veth
from support import senders
from support.senders import Hop, Passed
from support.tshark import TSHARK

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(TSHARK is None, reason="tshark is not installed"),
]

GROUP, PORT, SOURCE = "239.1.1.1", 5004, "192.0.2.10"


@pytest.fixture
def sender(lab: Lab) -> tuple[Namespace, Namespace]:
    made, hop = lab.namespace("sender"), lab.namespace("hop")
    veth(made, "eth0", hop, "in0", mtu=1500)
    made.ip("address", "add", f"{SOURCE}/24", "dev", "eth0")
    made.ip("route", "add", "224.0.0.0/4", "dev", "eth0")
    return made, hop


def sent(places: tuple[Namespace, Namespace], kind: str, **chances: float) -> Passed:
    made, behind = places
    url = f"{GROUP}:{PORT}"
    commands = {
        "rtp": senders.ffmpeg("-c:v", "mpeg4", "-an", "-f", "rtp", f"rtp://{url}"),
        "rtp+mpegts": senders.ffmpeg("-c:v", "mpeg2video", "-f", "rtp_mpegts", f"rtp://{url}"),
        "mpegts": senders.ffmpeg(
            "-c:v", "mpeg2video", "-f", "mpegts", f"udp://{url}?pkt_size=1316"
        ),
        "gstreamer": senders.gstreamer(GROUP, PORT),
    }
    hop = Hop(behind, "in0", GROUP, PORT, **chances)  # type: ignore[arg-type]
    senders.run(made, commands[kind])
    return hop.close()


def streams(file: Path) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "mcastd.cli.mcastd", "streams", str(file), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def written(path: Path, frames: list[tuple[int, bytes]]) -> Path:
    path.write_bytes(senders.capture(frames))
    return path


@pytest.mark.parametrize("kind", ["rtp", "rtp+mpegts", "gstreamer"])
def test_packets_and_losses_are_tsharks(
    sender: tuple[Namespace, Namespace], kind: str, tmp_path: Path
) -> None:
    passed = sent(sender, kind, drops=0.05)
    file = written(tmp_path / "after.pcap", passed.after)

    (line,) = (each for each in streams(file) if each["port"] == PORT)
    (told,) = senders.tshark_streams(file)
    assert line["format"] == ("rtp+mpegts" if kind == "rtp+mpegts" else "rtp")
    assert (line["packets"], line["lost"]) == (told.packets, told.lost)
    assert told.packets == len(passed.after) > 100


@pytest.mark.parametrize("kind", ["rtp", "gstreamer"])
def test_what_was_dropped_repeated_and_delayed_is_told_exactly(
    sender: tuple[Namespace, Namespace], kind: str, tmp_path: Path
) -> None:
    """By what the sender had sent; the last packets leave no trace where they are lost."""
    passed = sent(sender, kind, drops=0.05, repeats=0.05, delays=0.05)
    file = written(tmp_path / "after.pcap", passed.after)
    numbers = [int.from_bytes(frame[44:46]) for _, frame in passed.after]
    before = [int.from_bytes(frame[44:46]) for _, frame in passed.before]
    end = max(before.index(each) for each in numbers)
    late, highest, seen = 0, -1, set()
    for each in map(before.index, numbers):
        late += each < highest and each not in seen
        highest = max(highest, each)
        seen.add(each)

    (line,) = (each for each in streams(file) if each["port"] == PORT)
    assert line["packets"] == len(numbers)
    assert line["lost"] == end + 1 - len(set(numbers)) > 0
    assert line["duplicates"] == len(numbers) - len(set(numbers)) > 0
    assert line["reordered"] == late > 0
    assert line["resets"] == 0


def test_losses_of_transport_streams_are_those_of_the_datagrams_dropped(
    sender: tuple[Namespace, Namespace], tmp_path: Path
) -> None:
    """In TS packets: those with a payload, since the last datagram that came."""
    passed = sent(sender, "mpegts", drops=0.02)
    whole = streams(written(tmp_path / "before.pcap", passed.before))
    cut = streams(written(tmp_path / "after.pcap", passed.after))

    assert [(each["format"], each["lost"]) for each in whole] == [("mpegts", 0)]
    assert cut[0]["lost"] == continuity_lost(passed.after) > 0


def continuity_lost(frames: list[tuple[int, bytes]]) -> int:
    """Steps missing of each PID's counter, of packets with a payload."""
    last: dict[int, int] = {}
    lost = 0
    for _, frame in frames:
        for at in range(42, len(frame), 188):
            pid, control = int.from_bytes(frame[at + 1 : at + 3]) & 0x1FFF, frame[at + 3]
            if pid == 0x1FFF or not control & 0x10:
                continue
            if pid in last:
                lost += (control - last[pid] - 1) % 16
            last[pid] = control & 15
    return lost
