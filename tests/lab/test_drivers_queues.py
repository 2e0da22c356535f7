"""A NIC of several queues on several CPUs: no message is counted twice, or not at all.

The frames come from outside of the machine (tests/kernels/test_kernels_queues.py).
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcastd.fastpath.errors import release
from mcastd_lab import Lab
from support.kernel_features import EGRESS_HOOK
from support.lab import counters, interface, received, run_in
from support.nics import ADDRESS, lend, nics_of
from support.queue_flood import EXCHANGE, FRAMES_FILE, PROGRESS_FILE, QUEUES, SENT_FILE, write

pytestmark = pytest.mark.lab

TOLD_ELSEWHERE_SINCE = (6, 10)
"""From when on virtio_net does not tell ethtool how much each queue has had."""

QUIET_SECONDS = 300.0
"""After so long without a frame none comes any more."""

STRICT = """\
[interface.{name}]
require_router_alert = "strict"
"""


@pytest.mark.skipif(
    not (EXCHANGE / FRAMES_FILE).exists(), reason="`make kernels` floods machines from outside"
)
def test_all_frames_of_all_queues_are_counted_once(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    asked = json.loads((EXCHANGE / FRAMES_FILE).read_text())
    with Lab() as lab:
        host = lab.namespace("host")
        (name,) = nics_of("virtio_net")
        lend(name, host)
        host.ip("address", "add", f"{ADDRESS}/24", "dev", name)
        host.ip("link", "set", name, "promisc", "on", "mtu", str(asked["mtu"]))
        host.ip("link", "set", name, "address", asked["mac"])
        done = run_in(host, "ethtool", "-L", name, "combined", str(QUEUES))
        assert done.returncode in (0, 80), done.stderr  # 80: they are as many
        config = tmp_path / "mcastd.toml"
        config.write_text(STRICT.format(name=name))
        agent = lab.agent(host, "-c", config, "--metrics", "")
        status = interface(agent, name)
        assert status["hook"] == ("xdp-native" if asked["native"] else EGRESS_HOOK)
        record_property("queues in", status["hook"])
        record_property("queues out", status["egress_hook"])
        before, begun = counters(agent, name), time.monotonic()
        with host.entered():
            sent = follow(name)
        seconds = time.monotonic() - begun
        found = Counter(received(agent, name))
        after = counters(agent, name)
        queues = packets_of_queues(run_in(host, "ethtool", "-S", name).stdout)

    assert found == Counter(sent["counted"])
    may_be_silent = release() >= TOLD_ELSEWHERE_SINCE
    assert len(queues) == QUEUES or (may_be_silent and not queues)
    assert all(queues), "a queue had nothing"
    handed_over = after["events"]["query"] - before["events"]["query"]
    refused = {cause: after["lost"]["query"][cause] for cause in ("ring_full", "rate_limited")}
    assert handed_over + sum(refused.values()) == sent["queries"]
    rate = handed_over / seconds
    record_property("queues frames", sent["frames"])
    record_property("queues seconds", round(seconds))
    record_property("queues queries", f"{handed_over} of {sent['queries']}, {rate:.0f} a second")
    record_property("queues packets", " ".join(map(str, queues)) or "not told")


def follow(name: str) -> dict[str, Any]:
    """Tells how far it is until all is here that was sent; what that was."""
    first = last = frames_of(name)
    moved, sent = time.monotonic(), None
    while True:
        now = frames_of(name)
        if now != last:
            last, moved = now, time.monotonic()
        write(EXCHANGE / PROGRESS_FILE, str(now - first))
        if sent is None and (EXCHANGE / SENT_FILE).exists():
            sent = json.loads((EXCHANGE / SENT_FILE).read_text())
        if sent is not None and now - first >= sent["frames"]:
            return dict(sent)
        assert time.monotonic() - moved < QUIET_SECONDS, f"{now - first} of {sent}"
        time.sleep(0.02)


def frames_of(name: str) -> int:
    """All that the NIC has received, in this thread's namespace."""
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()
    line = next(each for each in lines if each.strip().startswith(f"{name}:"))
    return int(line.partition(":")[2].split()[1])


def packets_of_queues(statistics: str) -> list[int]:
    return [int(each) for each in re.findall(r"rx_queue_\d+_packets: (\d+)", statistics)] or [
        int(each) for each in re.findall(r"rx\d+_packets: (\d+)", statistics)
    ]
