"""The benchmark harness, on rows whose figures are known."""

from __future__ import annotations

import os
from collections.abc import Iterable
from struct import pack

import mcastd_bench
import pytest
from mcastd_bench import registry
from mcastd_bench.attached import NESTED, attributes
from mcastd_bench.progress import tell
from mcastd_bench.row import Better, Contest, Details, Missing, Row, Sampler, Timed, Unavailable

SHIPPED = list(registry.SUITES)


def always(figure: float) -> Sampler:
    return lambda seconds: figure


def unavailable() -> Contest:
    raise Unavailable("needs root")


def long() -> Contest:
    """Its figure is for how many seconds it was asked to run."""

    def ours(seconds: float) -> float:
        tell("half of it is done")
        return seconds

    def details(seconds: float) -> Details:
        return Details({"lost": 0}, (f"nothing lost in {seconds:.0f} s",))

    return Contest(ours, {"slow": lambda seconds: seconds / 4}, details=details)


def known_rows() -> Iterable[Row]:
    yield Row("known.time/4", "ns", lambda: Contest(always(10), {"slow": always(40)}))
    yield Row(
        "known.rate",
        "events/s",
        lambda: Contest(always(30), {"slow": always(10), "absent": Missing("not installed")}),
        Better.LARGER,
    )
    yield Row("other", "ns", unavailable)
    yield Row("long", "frames/s", long, Better.LARGER, once=True)


@pytest.fixture(autouse=True)
def suites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SUITES", [known_rows])


def test_a_result_has_our_figure_the_baselines_and_the_ratio() -> None:
    (result,) = mcastd_bench.run(["known.time/4"], quick=True)["results"]
    assert (result["name"], result["unit"], result["value"]) == ("known.time/4", "ns", 10)
    assert result["runs"] == [10, 10, 10]
    assert result["baseline"] == {"slow": 40}
    assert result["ratio"] == {"slow": 0.25}


def test_a_baseline_that_is_missing_says_why() -> None:
    (result,) = mcastd_bench.run(["known.rate"], quick=True)["results"]
    assert result["ratio"] == {"slow": 3}
    assert result["missing"] == {"absent": "not installed"}


def test_a_row_that_cannot_be_measured_says_why() -> None:
    (result,) = mcastd_bench.run(["other"], quick=True)["results"]
    assert result["value"] is None
    assert result["skipped"] == "needs root"


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("known", ["known.time/4", "known.rate"]),
        ("known.time", ["known.time/4"]),
        ("known.time/4", ["known.time/4"]),
        ("*/4", ["known.time/4"]),
    ],
)
def test_a_name_stands_for_all_rows_below_it(name: str, fits: list[str]) -> None:
    assert [row.name for row in registry.rows([name])] == fits


def test_a_row_that_fails_is_told_and_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(_seconds: float) -> float:
        raise RuntimeError("9 frames were sent, 8 counted")

    def suite() -> Iterable[Row]:
        yield Row("wrong", "ns", lambda: Contest(wrong))
        yield from known_rows()

    monkeypatch.setattr(registry, "SUITES", [suite])
    told: list[str] = []

    report = mcastd_bench.run(["wrong", "known"], quick=True, progress=told.append)

    first, second, *_ = report["results"]
    assert (first["value"], first["failed"]) == (None, "9 frames were sent, 8 counted")
    assert second["value"] == 10
    assert "wrong: failed: 9 frames were sent, 8 counted" in told
    assert "wrong  " in mcastd_bench.table(report)


def test_a_name_that_no_row_has_is_refused() -> None:
    with pytest.raises(mcastd_bench.UnknownName, match=r"known\.time"):
        mcastd_bench.run(["kno"], quick=True)


def test_progress_is_told_before_each_row() -> None:
    told: list[str] = []
    mcastd_bench.run([], quick=True, progress=told.append)
    assert [line for line in told if line.startswith("[")] == [
        "[1/4] known.time/4", "[2/4] known.rate", "[3/4] other", "[4/4] long",
    ]  # fmt: skip


def test_a_quick_run_leaves_large_rows_out_unless_they_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(registry, "LARGE", ("known.*",))
    told: list[str] = []
    quick = mcastd_bench.run([], quick=True, progress=told.append)
    assert [each["name"] for each in quick["results"]] == ["other", "long"]
    assert told[0] == "2 rows that take long are left out: name them"
    assert len(mcastd_bench.run(["known"], quick=True)["results"]) == 2
    assert len(mcastd_bench.run([], quick=False)["results"]) == 4


def test_what_takes_long_tells_how_far_it_is() -> None:
    told: list[str] = []
    mcastd_bench.run(["long"], quick=True, progress=told.append)
    assert told == ["[1/1] long", "half of it is done"]
    tell("nobody listens any more")
    assert len(told) == 2


def test_what_takes_long_is_measured_once() -> None:
    (result,) = mcastd_bench.run(["long"], quick=False)["results"]
    assert result["runs"] == [60]
    assert result["baseline_runs"] == {"slow": [15]}


def test_a_result_has_its_details_and_the_table_says_them() -> None:
    report = mcastd_bench.run([], quick=True)
    results = {each["name"]: each for each in report["results"]}
    assert results["long"]["details"] == {"lost": 0}
    assert results["known.rate"]["details"] == {}
    lines = mcastd_bench.table(report).splitlines()
    assert lines[-1] == "    nothing lost in 1 s"
    assert lines[-2].startswith("long ")
    assert len(lines) == 5


def test_the_table_says_how_many_times_better_ours_is() -> None:
    text = mcastd_bench.table(mcastd_bench.run([], quick=True))
    assert "slow 40 ns (4x)" in text
    assert "slow 10 events/s (3x)" in text
    assert "absent: not installed" in text
    assert "not measured: needs root" in text


def test_measuring_leaves_the_allowed_processors_as_they_were() -> None:
    before = os.sched_getaffinity(0)
    mcastd_bench.run(["known"], quick=True)
    assert os.sched_getaffinity(0) == before


def test_attributes_of_netlink_are_read_by_type_whatever_their_padding() -> None:
    nested = pack("=HHB3x", 5, 2, 1) + pack("=HHI", 8, 3, 99)
    data = pack("=HHB3x", 5, 1, 7) + pack("=HH", 4 + len(nested), 43 | NESTED) + nested

    found = attributes(data + b"\0\0")

    assert found == {1: b"\x07", 43: nested}
    assert attributes(found[43]) == {2: b"\x01", 3: pack("=I", 99)}


def test_who_is_timed_gets_every_input() -> None:
    seen: list[tuple[int, str]] = []
    figure = Timed(lambda number, text: seen.append((number, text)), [(1, "a"), (2, "b")])(0)
    assert figure > 0
    assert set(seen) == {(1, "a"), (2, "b")}


def test_the_shipped_rows_have_the_promised_names() -> None:
    names = {row.name for suite in SHIPPED for row in suite()}
    assert {"checksum/64", "checksum/1480", "checksum/65000"} <= names
    assert {"engine.join/100", "engine.join/100000"} <= names
    assert {"engine.general_query/100000", "engine.general_query/4096x64"} <= names
    assert {"xdp.bystander", "xdp.query", "xdp.report", "xdp.report_flood", "xdp.veth"} <= names
    assert {"flood", "flood/compatible"} <= names
    assert {"scale.report/1", "scale.counters/64", "scale.startup/64"} <= names
    assert {"handover.events", "startup/cold", "startup/cached"} <= names
    assert {"startup/attached/cold", "startup/attached/cached"} <= names
    for operation in ("union", "difference", "intersection", "from_wire"):
        assert f"source_lists.{operation}/1000000/v6/dense" in names


def test_the_engine_rows_run() -> None:
    from mcastd_bench import engine, engine_sources, engine_turns  # noqa: PLC0415

    every = [*engine.rows(), *engine_sources.rows(), *engine_turns.rows()]
    rows = [row for row in every if row.name.removesuffix("/v6").endswith("/100")]
    assert len(rows) == 18
    for row in rows:
        assert row.prepare().ours(0) > 0


@pytest.mark.parametrize("kind", ["16/v4/sparse", "16/v6/dense"])
def test_the_shipped_rows_run(kind: str) -> None:
    from mcastd_bench import source_lists  # noqa: PLC0415

    rows = [row for row in source_lists.rows() if row.name.endswith(kind)]
    assert len(rows) == 4
    for row in rows:
        assert row.prepare().ours(0) > 0


def test_a_packet_taken_apart_by_hand_is_what_the_classifier_says() -> None:
    from mcastd.gmp.family import IGMP, MLD  # noqa: PLC0415
    from mcastd_bench import frames, handover  # noqa: PLC0415

    for frame in frames.queries(IGMP):
        assert handover.take_apart(bytearray(frame), len(frame))
    for frame in (*frames.queries(MLD), *frames.bystanders()):
        assert not handover.take_apart(bytearray(frame), len(frame))
    spoilt = bytearray(frames.queries(IGMP)[0])
    spoilt[40] ^= 1
    assert not handover.take_apart(spoilt, len(spoilt))
