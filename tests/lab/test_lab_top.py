"""`mcastctl top` on a real terminal, beside a real agent: sizes, keys, restarts, odd names."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mcastd_lab import RunningAgent
from support.lab import Cable, mcastctl
from support.stream_packets import framed, ipv4, rtp, udp
from support.terminal import Terminal
from support.waiting import eventually

pytestmark = pytest.mark.lab

GROUP = "239.1.1.1"
Open = Callable[..., Terminal]


@pytest.fixture
def agent(cable: Cable, tmp_path: Path) -> RunningAgent:
    path = tmp_path / "mcastd.toml"
    path.write_text("[streams]\nstalled_after = 3600\n")
    return cable.observe("-c", path)


@pytest.fixture
def control(agent: RunningAgent, tmp_path: Path) -> Path:
    """A path that leads to the agent, and can be made to lead to the next one."""
    path = tmp_path / "control.sock"
    path.symlink_to(agent.control)
    return path


@pytest.fixture
def open_top(control: Path) -> Iterator[Open]:
    opened = []

    def run(lines: int, columns: int, *arguments: str, **env: str) -> Terminal:
        command = [sys.executable, "-m", "mcastd.cli.mcastctl", "--control", str(control)]
        command += ["top", "--interval", "0.2", *arguments]
        opened.append(Terminal(command, lines=lines, columns=columns, env=env))
        return opened[-1]

    yield run
    for each in opened:
        each.close()


def send_streams(cable: Cable, count: int) -> None:
    for number in range(count):
        for sequence in (1, 2):
            source = f"10.0.{number >> 8}.{number & 255}"
            cable.wire.send(framed(ipv4(udp(rtp(sequence)), source=source, group=GROUP)))


def test_the_screen_shows_all_there_is_room_for(
    cable: Cable, agent: RunningAgent, open_top: Open
) -> None:
    """With no stream, with five, with five hundred; small and large."""
    tops = {size: open_top(*size) for size in ((24, 80), (60, 200))}
    for count in (0, 5, 500):
        send_streams(cable, count)
        for (lines, columns), top in tops.items():
            heads = ("INTERFACES", "QUERIERS", "GROUPS", "STREAMS", "EVENTS", "q end", "? help")
            top.expect(f"{count} streams", "eth0", *heads)
            if count:
                top.expect("10.0.0.", f"{GROUP}:5004", "unwanted")
            shown = sum(f"{GROUP}:5004" in each for each in top.lines())
            assert shown <= count
            assert shown == count or shown >= lines // 4, "the streams have most of the room"
            assert all(len(each) <= columns for each in top.lines())
    for top in tops.values():
        top.press("q")
        assert top.end() == 0


def test_keys_sort_filter_scroll_and_zoom(
    cable: Cable, agent: RunningAgent, open_top: Open
) -> None:
    send_streams(cable, 50)
    eventually(lambda: len(agent.ask("streams")) == 50, what="50 streams")
    top = open_top(24, 80)

    top.expect("STREAMS 50")
    top.press("/10.0.0.4")
    top.expect("/10.0.0.4_")
    top.press("\r")
    top.expect("10.0.0.4 ", "10.0.0.49 ", "only lines with '10.0.0.4'", lacks="STREAMS 50")
    assert sum("10.0.0." in each and GROUP in each for each in top.lines()) == 11
    top.press("z")
    top.expect("10.0.0.4 ", "10.0.0.49 ", "STREAMS", lacks="QUERIERS")
    top.press("\x1b")
    top.expect("STREAMS 50")
    top.press("ss")
    top.expect("SOURCE*", "10.0.0.0 ")
    top.press("r")
    top.expect("10.0.0.9 ", lacks="10.0.0.0 ")
    top.press("\x1b[6~")
    top.expect("STREAMS 22/50")
    top.press("\x1b[1~")
    top.expect("STREAMS 50")
    top.press("z\t?")
    top.expect("freezes the screen")
    top.press("x")
    top.expect("QUERIERS", lacks="freezes the screen")
    top.press("q")
    assert top.end() == 0


def test_a_frozen_screen_stays_as_it_is(cable: Cable, agent: RunningAgent, open_top: Open) -> None:
    top = open_top(24, 80)
    top.expect("0 streams")
    top.press(" ")
    top.expect("FROZEN")
    send_streams(cable, 3)
    eventually(lambda: len(agent.ask("streams")) == 3, what="3 streams")
    before = top.lines()
    top.press("z")  # it is drawn again, and obeys keys
    top.expect("FROZEN", "0 streams", lacks="QUERIERS")
    top.press("z")

    eventually(lambda: top.lines() == before, what="the screen that was frozen")
    top.press(" ")
    top.expect("3 streams", lacks="FROZEN")


def test_the_screen_fits_whatever_size_the_terminal_becomes(
    cable: Cable, agent: RunningAgent, open_top: Open
) -> None:
    send_streams(cable, 30)
    top = open_top(24, 80)
    top.expect("STREAMS 30")
    for lines, columns in ((3, 12), (1, 1), (2, 200), (60, 20)):
        top.resize(lines, columns)
        top.expect("mcastd"[:columns])
    top.resize(60, 200)
    top.expect("STREAMS", "EVENTS", "BIT RATE", "? help")
    assert sum(f"{GROUP}:5004" in each for each in top.lines()) >= 20
    top.press("q")
    assert top.end() == 0


def test_it_waits_for_an_agent_that_ends_and_shows_the_next_one(
    cable: Cable, agent: RunningAgent, open_top: Open, control: Path
) -> None:
    send_streams(cable, 2)
    top = open_top(24, 80)
    top.expect("2 streams")
    agent.kill()
    top.expect("NO AGENT")
    assert top.process.poll() is None
    other = cable.observe()
    control.unlink()
    control.symlink_to(other.control)

    top.expect("0 streams", "eth0", lacks="NO AGENT")
    top.press("q")
    assert top.end() == 0


def test_an_agent_that_does_not_answer_is_told_and_keys_are_obeyed(
    agent: RunningAgent, open_top: Open
) -> None:
    top = open_top(24, 80)
    top.expect("0 streams")
    agent.process.send_signal(signal.SIGSTOP)
    try:
        top.expect("NO ANSWER for")
        top.press("?")
        top.expect("freezes the screen")
        top.press("xq")
        assert top.end() == 0
    finally:
        agent.process.send_signal(signal.SIGCONT)


def test_names_cannot_move_the_cursor(
    cable: Cable, agent: RunningAgent, open_top: Open, control: Path
) -> None:
    agent.kill()
    name = "\x1b[2J\x07ex"
    cable.host.ip("link", "add", name, "type", "veth", "peer", "name", "far0")
    other = cable.observe("-i", name)
    control.unlink()
    control.symlink_to(other.control)
    top = open_top(24, 80)

    top.expect(r"\x1b[2J\x07ex")
    assert b"\x07ex" not in top.raw
    assert b"[2J\\x07ex" in top.raw


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_leaves_the_terminal_as_it_was(
    open_top: Open, how: signal.Signals
) -> None:
    top = open_top(24, 80)
    top.expect("STREAMS")
    before = len(top.raw)
    top.process.send_signal(how)

    assert top.end() in (0, 128 + how)
    assert b"Traceback" not in top.raw
    assert b"\x1b[?25h" in top.raw[before:], "the cursor is shown again"


def test_there_are_no_colours_where_they_are_not_wanted(open_top: Open) -> None:
    top = open_top(24, 80, NO_COLOR="1")
    top.expect("STREAMS")

    assert {cell.fg for line in top.cells() for cell in line} == {"default"}


@pytest.mark.parametrize("term", ["dumb", "no-such-terminal"])
def test_a_terminal_without_a_cursor_gets_plain_text(open_top: Open, term: str) -> None:
    top = open_top(24, 200, "--count", "2", TERM=term)

    assert top.end() == 0
    assert top.raw.count(b"INTERFACE  MODE") == 2
    assert b"\x1b" not in top.raw


def test_without_a_terminal_it_is_text_or_json(cable: Cable, agent: RunningAgent) -> None:
    send_streams(cable, 1)
    eventually(lambda: len(agent.ask("streams")) == 1, what="a stream")
    text = mcastctl(agent, "top", "--count", "2", "--interval", "0.1")
    lines = mcastctl(agent, "top", "--count", "2", "--interval", "0.1", "--json")

    assert (text.returncode, text.stderr) == (0, "")
    assert text.stdout.count("10.0.0.0") == 2
    documents = [json.loads(each) for each in lines.stdout.splitlines()]
    assert [len(each["streams"]) for each in documents] == [1, 1]
    assert {"status", "querier", "streams", "rates"} == set(documents[0])


def test_without_an_agent_it_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mcastd.cli.mcastctl", "--control", str(tmp_path / "none")]
    top = Terminal([*command, "top"], lines=24, columns=80)

    assert top.end() == 3
    assert b"is mcastd running?" in top.raw
    top.close()
