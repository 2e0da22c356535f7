"""The screen of `mcastctl top`, as lines: any size, any number of rows, any text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcastd.cli.top_columns import HISTORY_NARROW, SECTIONS, Look, history
from mcastd.cli.top_feed import HISTORY, Past, Snapshot
from mcastd.cli.top_screen import screen, shared
from mcastd.cli.top_view import KEYS, View, press
from mcastd.cli.top_widths import extent, fit

NOW = 1_763_751_234.0
FAMILY = {"version": 3, "max_version": 3, "spoken_by": "kernel", "groups": 1}


def stream(number: int = 0, **parts: Any) -> dict[str, Any]:
    return {
        "where": "eth0", "vlan": [], "source": f"10.0.0.{number}", "group": "239.1.1.1",
        "port": 5004, "packets": 10, "rate": 5.0, "bit_rate": 4000, "longest_gap": 0.1,
        "format": "rtp", "lost": 0, "reordered": 0, "duplicates": 0, "resets": 0,
        "state": "live", "last": NOW - 1, "past": Past(),
    } | parts  # fmt: skip


def interface(name: str = "eth0") -> dict[str, Any]:
    return {
        "where": name, "mode": "observe", "hook": "xdp-native", "igmp": FAMILY, "mld": FAMILY,
        "streams": {"streams": 1, "rate": 5.0}, "rx": 1.0, "tx": None, "running": True,
        "lost": {"query": {"ring_full": 0}}, "problem": None, "hook_reasons": [], "remarks": [],
    }  # fmt: skip


def snapshot(*streams: dict[str, Any], **parts: Any) -> Snapshot:
    made = {"interfaces": (interface(),)} | parts
    return Snapshot(1, NOW, {"version": "1.0"}, streams=streams, **made)


def text(shot: Snapshot, view: View, height: int = 24, width: int = 80) -> str:
    lines = screen(shot, view, (height, width), NOW)
    return "\n".join("".join(piece.text for piece in line).rstrip() for line in lines)


NAMES = st.text(min_size=1, max_size=30)


@settings(deadline=None, max_examples=50)
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 250)),
    streams=st.lists(st.builds(stream, st.integers(0, 255)), max_size=60),
    names=st.lists(NAMES, max_size=20),
    keys=st.lists(st.sampled_from([*KEYS, "x", "enter", "backspace"]), max_size=12),
)
def test_no_line_is_wider_and_no_screen_is_higher_than_the_terminal(
    size: tuple[int, int], streams: Any, names: list[str], keys: list[str]
) -> None:
    shot = snapshot(*streams, interfaces=tuple(map(interface, names)))
    view = View()
    for key in keys:
        press(view, key)
        screen(shot, view, size, NOW)
    lines = screen(shot, view, size, NOW)

    assert len(lines) == size[0]
    assert all(sum(extent(piece.text) for piece in line) <= size[1] for line in lines)


@given(
    wanted=st.lists(st.integers(1, 600), min_size=1, max_size=5),
    share=st.integers(1, 9),
    height=st.integers(0, 200),
)
def test_all_lines_are_given_away_as_long_as_somebody_wants_one(
    wanted: list[int], share: int, height: int
) -> None:
    room = shared(wanted, [share] * len(wanted), height)

    assert sum(room) == min(height, sum(wanted))
    assert all(0 <= has <= want for has, want in zip(room, wanted, strict=True))


def test_what_is_in_trouble_stands_first_and_in_the_header() -> None:
    states = ("live", "unwanted", "elsewhere", "lossy", "stalled", "silent")
    shot = snapshot(*(stream(n, state=state) for n, state in enumerate(states)))
    shown = text(shot, View(), height=30)

    assert "6 streams, 3 in trouble" in shown
    places = [shown.index(f" {state} ") for state in ("silent", "stalled", "lossy", "elsewhere")]
    assert places == sorted(places)
    assert shown.index(" unwanted ") < shown.index(" live ")


def test_columns_that_matter_least_go_first() -> None:
    shot = snapshot(stream())
    wide, narrow = text(shot, View(), width=200), text(shot, View(), width=80)

    assert all(each in wide for each in ("FORMAT", "LONGEST GAP", "HISTORY", "PACKETS"))
    assert "FORMAT" not in narrow
    assert all(each in narrow for each in ("STREAMS", "SOURCE", "GROUP", "STATE", "RATE", "LOST"))


def test_a_reading_with_a_loss_stands_out_in_the_history() -> None:
    past = Past()
    for rate, lost in ((10.0, 0), (5.0, 0), (0.0, 0), (10.0, 3)):
        past = past.with_reading(rate, lost)

    assert history(stream(past=past), Look(NOW)) == "    █▄ !"
    for _ in range(2 * HISTORY):
        past = past.with_reading(1.0, 0)
    assert len(past.rates) == len(past.losses) == HISTORY
    assert len(history(stream(past=past), Look(NOW))) == HISTORY_NARROW


def test_a_filter_is_typed_and_taken_away() -> None:
    view, shot = View(), snapshot(stream(1), stream(22))
    for key in ("/", "2", "2", "3", "backspace"):
        press(view, key)
    assert "/22_" in text(shot, view)
    press(view, "enter")

    shown = text(shot, view)
    assert "10.0.0.22" in shown
    assert "10.0.0.1 " not in shown
    press(view, "escape")
    assert "10.0.0.1 " in text(shot, view)


def test_keys_that_are_typed_into_a_filter_do_nothing_else() -> None:
    view = View()
    for key in ("/", "q", " ", "z"):
        press(view, key)

    assert (view.filter, view.ended, view.frozen, view.zoomed) == ("q z", False, False, False)


def test_every_column_that_can_be_sorted_by_is_reached_and_left() -> None:
    view, shot = View(), snapshot(*map(stream, range(3)))
    seen = []
    for _ in range(len(view.section.columns) + 1):
        press(view, "s")
        text(shot, view)
        seen.append(view.sort[view.section.title])

    wanted = [each.title for each in view.section.columns if each.key]
    assert seen[: len(wanted) + 1] == [*wanted, ""]


def test_every_section_can_stand_alone() -> None:
    view, shot = View(zoomed=True), snapshot(stream())
    for _ in SECTIONS:
        press(view, "\t")
        lines = text(shot, view).splitlines()
        begun = [each.title for each in SECTIONS for line in lines if line.startswith(each.title)]
        assert begun == [view.section.title]


@pytest.mark.parametrize(
    ("problem", "later", "said"),
    [("it has ended", 0.0, "NO AGENT: it has ended"), (None, 60.0, "NO ANSWER for 60 s")],
)
def test_it_is_said_that_what_is_shown_is_old(problem: str | None, later: float, said: str) -> None:
    lines = screen(snapshot(problem=problem), View(), (24, 80), NOW + later)

    assert said in "".join(piece.text for piece in lines[0])


def test_wide_and_combining_characters_take_their_place() -> None:
    assert extent("e\u0301日") == 3
    assert fit("日本", 3) == "日 "
    assert fit("e\u0301x", 1) == "e\u0301"
