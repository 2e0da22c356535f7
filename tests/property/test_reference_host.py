"""The engine, through its codecs, says what a host says that is written from the RFCs alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcastd.simulate import Line, load, run
from support.reference_host import NOTHING, SECOND, Asked, ReferenceHost

MILLISECOND = SECOND // 1000


@dataclass(frozen=True)
class Network:
    name: str
    newest: int
    groups: tuple[str, ...]
    excluded: str
    sources: tuple[str, ...]


IGMP = Network(
    "igmp", 3, ("239.1.2.3", "239.1.2.4"), "224.0.0.1", ("10.0.0.1", "10.0.0.2", "10.0.0.3")
)
MLD = Network(
    "mld", 2, ("ff15::a", "ff15::b"), "ff02::1", ("2001:db8::1", "2001:db8::2", "2001:db8::3")
)


@dataclass(frozen=True)
class Happening:
    """A step as a scenario writes it, and as the reference takes it."""

    written: str
    take: Callable[[ReferenceHost, int], None]


@st.composite
def happenings(draw: st.DrawFn, network: Network) -> Happening:
    kind = draw(st.sampled_from(["listen"] * 4 + ["query"] * 4 + ["report", "link", "limit"]))
    if kind == "listen":
        return draw(listens(network))
    if kind == "query":
        return draw(queries(network))
    if kind == "report":
        group = draw(st.sampled_from(network.groups))
        version = draw(st.integers(1, network.newest - 1))
        return Happening(
            f"receive: {{message: report, version: {version}, group: '{group}'}}",
            lambda host, now: host.heard(now, group),
        )
    if kind == "link":
        up = draw(st.booleans())
        word = "up" if up else "down"
        return Happening(f"link: {word}", lambda host, now: host.set_link(now, up))
    maximum = draw(st.integers(1, network.newest))
    return Happening(
        f"set: {{{network.name}_max_version: {maximum}}}",
        lambda host, now: host.limit(now, maximum),
    )


@st.composite
def listens(draw: st.DrawFn, network: Network) -> Happening:
    group = draw(st.sampled_from([*network.groups, *network.groups, network.excluded]))
    mode, app = draw(st.sampled_from(["include", "exclude"])), draw(st.sampled_from("ab"))
    sources = draw(st.frozensets(st.sampled_from(network.sources)))
    asked = (mode, sources) if mode == "exclude" or sources else NOTHING
    return Happening(
        f"listen: {{app: {app}, group: '{group}', mode: {mode}, sources: [{quoted(sources)}]}}",
        lambda host, now: host.listen(now, app, group, asked),
    )


def quoted(sources: Iterable[str]) -> str:
    return ", ".join(f"'{each}'" for each in sorted(sources))


@st.composite
def queries(draw: st.DrawFn, network: Network) -> Happening:
    version = draw(st.sampled_from([*range(1, network.newest), network.newest, network.newest]))
    has_no_group = network is IGMP and version == 1
    group = "" if has_no_group else draw(st.sampled_from(["", *network.groups]))
    time = 10.0 if has_no_group else draw(st.sampled_from([0.2, 1, 5, 10, 12]))
    more, sources, robustness, interval = "", frozenset[str](), 0, 0
    if version == network.newest:
        robustness, interval = draw(st.integers(0, 4)), draw(st.sampled_from([0, 60, 125]))
        more = f", qrv: {robustness}, qqi: {interval}"
        if group:
            sources = draw(st.frozensets(st.sampled_from(network.sources)))
            more += f", sources: [{quoted(sources)}]"
    if group:
        more += f", group: '{group}'"
    return Happening(
        f"receive: {{message: query, version: {version}, max_resp: {time}{more}}}",
        lambda host, now: host.query(
            now,
            Asked(version, group, sources, round(time * SECOND), robustness, interval * SECOND),
        ),
    )


@st.composite
def stories(draw: st.DrawFn, network: Network) -> list[tuple[int, Happening]]:
    """Happenings after pauses in milliseconds, most of them short."""
    pauses = st.one_of(st.integers(1, 900), st.integers(1, 12_000), st.integers(1, 400_000))
    told = draw(st.lists(st.tuples(pauses, happenings(network)), min_size=6, max_size=30))
    now, story = 0, []
    for pause, happening in told:
        now += pause
        story.append((now, happening))
    return story


def of_engine(network: Network, story: list[tuple[int, Happening]], share: float) -> list[Any]:
    steps = "".join(f"  - {{at: {at / 1000}, {each.written}}}\n" for at, each in story)
    text = f"family: {network.name}\ndelay: {share}\nsteps:\n{steps}"
    (scenario,) = load(text, "story")
    return sorted(said for line in run(scenario) for said in in_words(line))


def in_words(line: Line) -> list[tuple[int, str]]:
    if line.kind == "mode":
        return [(line.at, f"mode {line.value}")]
    if line.kind != "send":
        return []
    value = cast("dict[str, Any]", line.value)
    if value["message"] != "report":
        return [(line.at, f"leave {value['group']}")]
    if "records" not in value:
        return [(line.at, f"report {value['version']} {value['group']}")]
    return [
        (line.at, " ".join([each["type"], each["group"], *sorted(each["sources"])]))
        for each in value["records"]
    ]


def of_reference(network: Network, story: list[tuple[int, Happening]], share: float) -> list[Any]:
    host = ReferenceHost(
        network.newest, lambda limit: round(limit * share), frozenset([network.excluded])
    )
    for at, happening in story:
        host.pass_time(at * MILLISECOND)
        happening.take(host, at * MILLISECOND)
    host.pass_time(story[-1][0] * MILLISECOND + 10_000 * SECOND)
    return sorted(host.said)


@pytest.mark.requirement("RTX-03", "RTX-04", "RTX-06", "Q3-02", "CV-06", "ST-02", "TUN-02")
@pytest.mark.parametrize("network", [IGMP, MLD], ids=lambda each: each.name)
@pytest.mark.parametrize("share", [1.0, 0.7310585])
@given(data=st.data())
@settings(max_examples=100)
def test_the_engine_says_what_the_reference_says(
    network: Network, share: float, data: st.DataObject
) -> None:
    story = data.draw(stories(network))
    assert of_engine(network, story, share) == of_reference(network, story, share)
