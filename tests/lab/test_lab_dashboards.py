"""What the dashboards ask, asked of a real Prometheus that scrapes two hosts."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from mcastd_lab import Namespace
from support.dashboard_picture import Series, picture
from support.dashboards import MAKE, filled, queries
from support.host_lab import HostLab, host_lab
from support.lab import METRICS_TEXT
from support.stream_packets import rtp
from support.waiting import eventually, stretched

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(which("prometheus") is None, reason="prometheus is not installed"),
]

GROUP, PORT, OTHER = "239.1.2.3", 5004, "192.0.2.20"
PROMETHEUS = ("127.0.0.1", 9090)

PICTURES = os.environ.get("MCASTD_PICTURES", "")
"""`make dashboards`: where the pictures are drawn, of so many seconds."""
SHOWN = 60.0

SETTINGS = """
[metrics]
per_group = 10
per_stream = 10
[interface.eth0]
mode = "host"
streams = true
"""

SCRAPING = f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: mcastd
    static_configs: [{{targets: ["{METRICS_TEXT}", "{OTHER}:9776"]}}]
"""


@pytest.fixture
def net() -> Iterator[HostLab]:
    with host_lab() as made:
        yield made


class Sender:
    """An RTP stream, until it is closed. One number in ten is left out."""

    def __init__(self, namespace: Namespace) -> None:
        with namespace.entered():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(OTHER))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        number = 0
        while not self._ended.wait(0.01):
            number += 2 if number % 10 == 8 else 1
            self._socket.sendto(rtp(number & 0xFFFF), (GROUP, PORT))

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()


@contextmanager
def prometheus(net: HostLab) -> Iterator[None]:
    directory = net.lab.directory / "prometheus"
    directory.mkdir()
    (directory / "prometheus.yml").write_text(SCRAPING)
    with net.host.entered():
        process = subprocess.Popen(
            ["prometheus", f"--config.file={directory}/prometheus.yml",
             f"--storage.tsdb.path={directory}/data",
             f"--web.listen-address={PROMETHEUS[0]}:{PROMETHEUS[1]}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait(stretched(30))


def ask(net: HostLab, expression: str, *, back: float | None = None) -> list[dict[str, Any]]:
    """The series that a query gives, of the last seconds if `back`; none while it starts."""
    now = time.time()
    kind, times = "query", {"time": now}
    if back is not None:
        kind, times = "query_range", {"start": now - back, "end": now, "step": 1}
    text = urllib.parse.urlencode({"query": expression, **times})
    connection = http.client.HTTPConnection(*PROMETHEUS, timeout=stretched(20))
    try:
        with net.host.entered():
            connection.connect()
        connection.request("GET", f"/api/v1/{kind}?{text}")
        answer = connection.getresponse()
        content = answer.read()
    except ConnectionError:
        return []
    finally:
        connection.close()
    if answer.status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        return []
    document = json.loads(content)
    assert document["status"] == "success", f"{expression}: {document}"
    found: list[dict[str, Any]] = document["data"]["result"]
    return found


def test_every_query_of_every_dashboard_returns_data(net: HostLab) -> None:
    other = net.neighbour("other", OTHER)
    config = net.lab.directory / "mcastd.toml"
    config.write_text(SETTINGS)
    net.agent("-c", config, "--metrics", METRICS_TEXT, mode="")
    net.lab.agent(other, "-c", config, "--metrics", f"{OTHER}:9776")
    net.member().join(GROUP)
    net.lab.keep(Sender(other))
    with prometheus(net):
        left = dict(queries())
        assert len(left) > 30

        def all_answered() -> bool:
            for where, expression in list(left.items()):
                if ask(net, filled(expression, "30s")):
                    del left[where]
            return not left

        try:
            eventually(all_answered, within=60)
        except AssertionError:
            raise AssertionError(f"no data: {left}") from None
        up = ask(net, 'up{job="mcastd"} == 1')
        assert {each["metric"]["instance"] for each in up} == {METRICS_TEXT, f"{OTHER}:9776"}
        assert ask(net, f'rate(mcastd_one_stream_packets_total{{group="{GROUP}"}}[30s]) > 0')
        assert ask(net, f'increase(mcastd_one_stream_lost_total{{group="{GROUP}"}}[30s]) > 0')
        if PICTURES:
            drawn(net, Path(PICTURES))


def drawn(net: HostLab, directory: Path) -> None:
    """The pictures of the documentation."""
    started = time.monotonic()
    eventually(lambda: time.monotonic() > started + SHOWN, within=2 * SHOWN)
    for dashboard in MAKE.DASHBOARDS:
        document = MAKE.dashboard_object(dashboard)
        host = METRICS_TEXT if dashboard.uid == "mcastd-host" else ".*"
        answers = {panel["id"]: list(answered(net, panel, host)) for panel in document["panels"]}
        (directory / f"{dashboard.uid}.svg").write_text(picture(document, answers))


def answered(net: HostLab, panel: dict[str, Any], host: str) -> Iterator[Series]:
    for target in panel["targets"]:
        for each in ask(net, filled(target["expr"].replace("$instance", host), "15s"), back=SHOWN):
            legend = named(target["legendFormat"], each["metric"])
            points = [(float(at), float(value)) for at, value in each["values"] if value != "NaN"]
            if points:
                yield Series(legend, points)


def named(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda name: labels.get(name[1], ""), legend)
