"""A flood from outside of a machine into a NIC of several queues, and exactly so many frames.

The host side puts frames into a tap; the guest side says, through a file that both see, how many
its NIC has had, so that never more are under way than the tap has room for.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from threading import Event

from mcastd_lab import Namespace, Wire

from support.flood import NOTHING, Flooding

EXCHANGE = Path("/run/exchange")
"""Where a machine sees its directory."""

FRAMES_FILE, PROGRESS_FILE, SENT_FILE = "flood.json", "flood-progress", "flood-sent.json"
TAP, QUEUES = "tap0", 4
UNDER_WAY = 8192
"""Frames; the tap's queue of each is longer, in case all go to one."""

STUCK_SECONDS = 300.0
"""After so long without a frame that arrives, none will."""


def write(path: Path, text: str) -> None:
    """All at once, for who reads it meanwhile."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text)
    part.rename(path)


def multiqueue_tap(namespace: Namespace) -> None:
    namespace.ip("tuntap", "add", TAP, "mode", "tap", "multi_queue")
    namespace.ip("link", "set", TAP, "txqueuelen", str(2 * UNDER_WAY))
    namespace.sysctl({f"ipv6.conf.{TAP}.disable_ipv6": 1})
    namespace.ip("link", "set", TAP, "up")


def qemu_arguments(properties: str = "") -> list[str]:
    """A virtio NIC of as many queues; QEMU must be started in the tap's namespace."""
    device = f"virtio-net-pci,netdev=queues,mac=52:54:00:12:35:01,mq=on,vectors={2 * QUEUES + 2}"
    return [
        "-netdev",
        f"tap,id=queues,ifname={TAP},script=no,downscript=no,vhost=off,queues={QUEUES}",
        "-device",
        f"{device},{properties}" if properties else device,
    ]


def flood(
    namespace: Namespace,
    directory: Path,
    frames: Sequence[Flooding],
    *,
    most: int,
    seconds: float,
    ended: Event,
) -> int:
    """Sends the frames in turn until there are `most`, or the time is over; how many they were.

    Begins when the guest has told its progress for the first time. `ended`: nobody waits for it any
    more. AssertionError if frames do not arrive.
    """
    progress = directory / PROGRESS_FILE
    arrived, moved = -1, 0.0
    sent, expected = 0, Counter[str]()
    begun: float | None = None
    wire = Wire(namespace, TAP)
    while sent < most and (begun is None or time.monotonic() - begun < seconds):
        if ended.is_set():
            break
        before, arrived = arrived, int(progress.read_text()) if progress.exists() else -1
        if arrived > before:
            moved = time.monotonic()
            begun = begun or moved
        if begun and time.monotonic() - moved > STUCK_SECONDS:
            raise AssertionError(f"{sent} sent, {arrived} arrived")
        room = UNDER_WAY - (sent - arrived) if arrived >= 0 else 0
        if room <= 0:
            time.sleep(0.01)
        for _ in range(min(room, most - sent)):
            each = frames[sent % len(frames)]
            wire.send(each.frame)
            sent += 1
            if each.counts_as != NOTHING:
                expected[each.counts_as] += 1
    wire.close()
    queries = sum(each.is_query for each in frames) * (sent // len(frames))
    queries += sum(each.is_query for each in frames[: sent % len(frames)])
    document = {"frames": sent, "counted": expected, "queries": queries}
    write(directory / SENT_FILE, json.dumps(document))
    return sent
