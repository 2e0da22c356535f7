"""Whatever stands in a file: it is refused with its place, or it runs to its end."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mcastd.simulate import ScenarioError, check, load, run

GROUPS = {
    "igmp": ["239.1.2.3", "239.1.2.4", "224.0.0.1", "232.1.1.1"],
    "mld": ["ff15::abcd", "ff02::1", "ff11::1", "ff35::1"],
}
OTHERS = {
    "igmp": ["192.0.2.10", "10.0.0.1", "0.0.0.0"],
    "mld": ["fe80::10", "2001:db8::1", "::"],
}
WORDS = ["at", "link", "up", "receive", "message", "query", "max", "null", "::", "1e3", "", "~"]

scalars = st.one_of(st.integers(-1, 10), st.floats(0, 9), st.booleans(), st.sampled_from(WORDS))
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def steps(draw: st.DrawFn, family: str) -> dict[str, Any]:
    newest = {"igmp": 3, "mld": 2}[family]
    address = st.sampled_from(GROUPS[family] + OTHERS[family])
    sources = st.lists(address, max_size=3)
    version = draw(st.integers(1, newest))
    newest_only = {"sources": draw(sources), "qrv": draw(st.integers(0, 7))}
    record = {"type": "TO_IN", "group": draw(address), "sources": draw(sources)}
    choices: list[dict[str, Any]] = [
        {
            "listen": {
                "app": draw(st.sampled_from("ab")),
                "group": draw(address),
                "mode": draw(st.sampled_from(["include", "exclude"])),
                "sources": draw(sources),
            }
        },
        {
            "receive": {
                "message": "query",
                "version": version,
                "group": draw(address),
                "from": draw(address),
                "to": draw(address),
                **(newest_only if version == newest else {}),
            }
        },
        {"receive": {"message": "query", "version": version}},
        {
            "receive": {
                "message": "report",
                "version": newest,
                "records": [record],
            }
        },
        {"receive": {"message": "report", "version": 1, "group": draw(address)}},
        {"receive": {"message": "leave", "group": draw(address)}},
        {"receive": {"packet": draw(st.binary(max_size=60)).hex()}},
        {"link": draw(st.sampled_from(["up", "down"]))},
        {
            "address": {
                draw(st.sampled_from(["add", "remove"])): OTHERS[family][draw(st.integers(0, 1))]
            }
        },
        {"mtu": draw(st.sampled_from([60, 68, 1280, 1500]))},
        {"set": {f"{family}_max_version": version}},
        {"set": {draw(st.sampled_from(["compat_enable", "ssm_enforce"])): draw(st.booleans())}},
    ]
    return draw(st.sampled_from(choices))


@st.composite
def stories(draw: st.DrawFn) -> dict[str, Any]:
    """A scenario that means something, or nearly."""
    family = draw(st.sampled_from(sorted(GROUPS)))
    told = draw(st.lists(steps(family), min_size=4, max_size=16))
    times = sorted(draw(st.lists(st.integers(0, 3000), min_size=len(told), max_size=len(told))))
    return {
        "family": family,
        "delay": draw(st.sampled_from(["max", "min", "half", {"seed": 1}])),
        "interface": {"addresses": draw(st.sampled_from([[], [OTHERS[family][0]]]))},
        "steps": [step | {"at": time / 10} for step, time in zip(told, times, strict=True)],
    }


def judged(text: str) -> None:
    try:
        scenarios = list(load(text, "file"))
    except ScenarioError:
        return
    for scenario in scenarios:
        lines = list(run(scenario))
        assert [line.at for line in lines] == sorted(line.at for line in lines)
        assert lines[-1].kind == "end"
        assert all(json.loads(line.to_json()) for line in lines)
        check(scenario, lines)


@given(stories())
@settings(max_examples=300)
def test_a_story_runs_to_its_end(story: dict[str, Any]) -> None:
    judged(json.dumps(story))


@given(stories(), st.data())
@settings(max_examples=200)
def test_a_story_with_something_wrong_in_it_is_refused_or_runs(
    story: dict[str, Any], data: st.DataObject
) -> None:
    place: Any = story
    while isinstance(place, dict | list) and place:
        keys = sorted(place, key=str) if isinstance(place, dict) else range(len(place))
        key = data.draw(st.sampled_from(list(keys)))
        if data.draw(st.booleans()) or not isinstance(place[key], dict | list):
            place[key] = data.draw(anything)
            break
        place = place[key]
    judged(json.dumps(story))


@given(st.text(max_size=60))
@settings(max_examples=200)
def test_any_text_is_refused_or_runs(text: str) -> None:
    judged(text)


@given(st.text(alphabet="{}[]:,-&*!|>'\"%@`#? \n\tabfamily", max_size=40))
@settings(max_examples=300)
def test_any_text_that_looks_like_yaml_is_refused_or_runs(text: str) -> None:
    judged(text)
    judged(f"family: igmp\n{text}")
