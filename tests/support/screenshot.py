"""Draws docs/top.svg: `mcastctl top` on a real terminal, beside a real agent with real streams.

    sudo PYTHONPATH=tests .venv/bin/python tests/support/screenshot.py [LINES COLUMNS [STREAMS]]

With numbers, the screen of that size is printed as text instead.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from mcastd_lab import Bridge, Lab, Namespace, Wire

from support.stream_packets import framed, ipv4, rtp, udp
from support.terminal import Terminal
from support.waiting import eventually

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "top.svg"
SECONDS = 14.0
"""For which packets are sent, so that there is a history."""

LOSSY, STALLS = 1, 2
"""Streams by number: one loses a packet now and then, one ends."""

COLOURS = {
    "default": "#c5c8c6", "green": "#98a84b", "brown": "#d0b344", "red": "#cc555a",
    "blue": "#608ab1",
}  # fmt: skip
BACKGROUND, WIDTH, HEIGHT = "#292929", 9.63, 20.0
"""Of a character, in pixels."""


def join(host: Namespace, groups: list[str]) -> list[socket.socket]:
    made = []
    with host.entered():
        index = socket.if_nametoindex("eth0")
        for group in groups:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            wanted = socket.inet_aton(group) + bytes(4) + index.to_bytes(4, "little")
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, wanted)
            made.append(sock)
    return made


def stream_frames(count: int, turn: int) -> Iterator[bytes]:
    """What each stream sends in a turn of 20 ms; the higher its number, the less often."""
    for number in range(count):
        if turn % (1 + number % 7) or (number % 5 == STALLS and turn > 200):
            continue
        if number % 5 == LOSSY and turn % 61 == 0:
            continue
        group = f"239.{1 + (number >> 8)}.{number & 255}.1"
        address = socket.inet_aton(group)
        hardware = b"\1\0\x5e" + bytes((address[1] & 127,)) + address[2:]
        sequence = turn // (1 + number % 7)
        payload = rtp(sequence & 0xFFFF) + bytes(1316)
        packet = ipv4(udp(payload), source=f"192.0.2.{11 + number % 3}", group=group)
        yield framed(packet, to=hardware)


def shown(lines: int, columns: int, count: int) -> tuple[list[str], list[list[Any]]]:
    """The screen after some seconds of streams: its text, and its cells."""
    with ExitStack() as stack:
        lab = stack.enter_context(Lab())
        host = lab.namespace("host")
        bridge = Bridge(lab.namespace("switch"), "br0", "192.0.2.1/24")
        port = bridge.connect(host, "eth0", "192.0.2.10/24")
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        settings = Path(directory) / "mcastd.toml"
        settings.write_text("[streams]\nstalled_after = 1.0\n")
        agent = lab.agent(host, "-i", "eth0", "-c", settings)
        joined = [f"239.1.{each}.1" for each in range(min(count, 12))][:-1] or ["239.1.0.1"]
        for sock in join(host, [*joined, "239.255.0.7"]):
            stack.callback(sock.close)
        eventually(lambda: any(each["queriers"] for each in agent.ask("querier")))
        command = [sys.executable, "-m", "mcastd.cli.mcastctl", "--control", str(agent.control)]
        top = Terminal([*command, "top"], lines=lines, columns=columns)
        stack.callback(top.close)
        wire = lab.keep(Wire(bridge.namespace, port))
        for turn in range(int(SECONDS * 50)):
            for each in stream_frames(count, turn):
                wire.send(each)
            time.sleep(0.02)
        top.expect("239.255.0.7")
        return top.lines(), top.cells()


def main(arguments: list[str]) -> None:
    if arguments:
        lines, columns, count = map(int, (*arguments, "5")[:3])
        print("\n".join(shown(lines, columns, count)[0]))
        return
    PICTURE.write_text(drawn(shown(24, 110, 6)[1]))


def drawn(cells: list[list[Any]]) -> str:
    """An SVG of the screen."""
    size = f"{len(cells[0]) * WIDTH + 20:.0f} {len(cells) * HEIGHT + 20:.0f}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" '
        'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="16">',
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
    ]
    for y, row in enumerate(cells):
        x = 0
        for look, run in groupby(row, key=lambda cell: (cell.fg, cell.bold, cell.reverse)):
            text = "".join(each.data for each in run)
            parts += run_of(text, (x, y), *look)
            x += len(text)
    return "\n".join([*parts, "</svg>"]) + "\n"


def run_of(text: str, at: tuple[int, int], name: str, bold: bool, turned: bool) -> Iterator[str]:
    """Characters that look the same."""
    left, top, width = 10 + at[0] * WIDTH, 10 + at[1] * HEIGHT, len(text) * WIDTH
    colour = COLOURS.get(name, COLOURS["default"])
    if turned:
        place = f'x="{left:.1f}" y="{top:.0f}" width="{width:.1f}" height="{HEIGHT:.0f}"'
        yield f'<rect {place} fill="{colour}"/>'
    if text.strip():
        weight = ' font-weight="bold"' if bold else ""
        yield (
            f'<text x="{left:.1f}" y="{top + 15:.0f}" textLength="{width:.1f}" '
            f'fill="{BACKGROUND if turned else colour}"{weight} xml:space="preserve">'
            f"{escape(text)}</text>"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
