"""What doctor finds on a host that is played: each trouble is made, and only that is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcastd.fastpath.hooks import Hook
from mcastd.gmp.time import Instant
from mcastd.net.bridges import Bridge
from mcastd.net.routes import Route
from mcastd.service import coexistence
from mcastd.service.doctor import examining, iptables
from mcastd.service.doctor.ruleset import Ruleset
from mcastd.service.doctor.sights import Sights
from mcastd.service.host_history import Reading
from support.played_agent import INDEX, Played, a_link, packed
from support.queries import igmp_query, igmp_report
from support.stepped import play

GROUP, SOURCE = "239.1.1.1", "10.9.9.9"
SEEN = Sights(Reading(Instant(0), {}, {}), reverse_path={INDEX: (0, 0)})

Story = Callable[[Played], Awaitable[None]]


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setattr(coexistence, "read", lambda _path: "")

    def run(story: Story, **more: dict[str, Any]) -> None:
        async def whole() -> None:
            played = Played({"play0": {}, **more})
            try:
                await played.link(a_link("play0"))
                await played.address("192.0.2.10")
                await story(played)
            finally:
                played.close()

        play(monkeypatch, whole)

    return run


def found(
    played: Played, sights: Sights = SEEN, name: str | None = None, group: str | None = None
) -> dict[str, dict[str, Any]]:
    """By kind."""
    made = examining.examine(played.agent, sights, name, group)
    while made.step():
        pass
    return {each["kind"]: {**each} for each in made.answer}


def filtered(*rules: str) -> Sights:
    head = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
    text = head + "\n".join(rules) + "\nCOMMIT\n"
    return SEEN._replace(rules=Ruleset(tuple(iptables.chains("ip", "iptables-save -c", text))))


async def a_member(played: Played) -> None:
    """A group that is joined, asked for and reported."""
    await played.hears(igmp_query(3, "192.0.2.1"))
    await played.joins(packed(GROUP))
    await played.hears(igmp_report(3, "192.0.2.10", GROUP), ring="egress")


@pytest.mark.parametrize(
    ("rule", "kind", "says"),
    [
        ("[7:2] -A INPUT -p igmp -j DROP", "firewall_in", "IGMP queries that come in by play0"),
        ("[7:2] -A OUTPUT -p igmp -j DROP", "firewall_out", "IGMP reports that go out by play0"),
        ("[7:2] -A INPUT -p udp -j DROP", "firewall_data", "data of 239.1.1.1 that come in"),
    ],
)
def test_a_firewall_is_named_with_its_rule_for_what_it_drops_and_nothing_else(
    tell: Callable[..., None], rule: str, kind: str, says: str
) -> None:
    async def story(played: Played) -> None:
        await a_member(played)
        of_firewall = {k: each for k, each in found(played, filtered(rule)).items() if "wall" in k}
        assert list(of_firewall) == [kind]
        assert says in of_firewall[kind]["text"]
        chain, _, text = rule.partition("-A ")[2].partition(" ")
        assert f"(iptables filter {chain}: {text})" in of_firewall[kind]["text"], "the chain, once"
        assert of_firewall[kind]["severity"] == "fault"
        assert not any("wall" in kind for kind in found(played, filtered()))

    tell(story)


def test_a_group_whose_reports_do_not_leave_is_found_after_a_while(
    tell: Callable[..., None],
) -> None:
    async def story(played: Played) -> None:
        await played.hears(igmp_query(3, "192.0.2.1"))
        await asyncio.sleep(6)
        await played.joins(packed(GROUP))
        assert "reports_do_not_leave" not in found(played), "it may be about to be reported"
        await asyncio.sleep(6)
        assert GROUP in found(played)["reports_do_not_leave"]["text"]
        assert "not_reported" in found(played, group=GROUP)

        await played.hears(igmp_report(3, "192.0.2.10", GROUP), ring="egress")
        assert {"reports_do_not_leave", "not_reported"}.isdisjoint(found(played, group=GROUP))

        await asyncio.sleep(200)
        await played.hears(igmp_query(3, "192.0.2.1"))
        await asyncio.sleep(60)
        assert (
            "since the last query, 60 s ago" in found(played, group=GROUP)["not_reported"]["text"]
        )

    tell(story)


def test_a_group_that_is_not_joined_or_is_elsewhere_is_told_as_that(
    tell: Callable[..., None],
) -> None:
    async def story(played: Played) -> None:
        told = found(played, name="play0", group=GROUP)["not_joined"]
        assert f"mcastctl join play0 {GROUP}" in told["remedy"]
        await played.link(a_link("play1", INDEX + 1))
        await played.joins(packed(GROUP), index=INDEX + 1)
        told = found(played, name="play0", group=GROUP)["joined_elsewhere"]
        assert "joined on play1 by player (pid 4999999), and not on play0" in told["text"]

    tell(story, play1={})


def test_a_source_specific_group_that_is_joined_from_any_source_names_who_did(
    tell: Callable[..., None],
) -> None:
    async def story(played: Played) -> None:
        await played.joins(packed("232.1.1.1"))
        told = found(played)["any_source_in_ssm"]
        assert "joined from any source by player (pid 4999999)" in told["text"]
        await played.leaves(packed("232.1.1.1"))
        await played.joins(packed("232.1.1.1"), packed(SOURCE), include=True)
        assert "any_source_in_ssm" not in found(played)

    tell(story)


def test_a_reverse_path_filter_is_held_against_the_sources_that_are_wanted(
    tell: Callable[..., None],
) -> None:
    async def story(played: Played) -> None:
        await played.joins(packed("232.1.1.1"), packed(SOURCE), include=True)
        strict = SEEN._replace(reverse_path={INDEX: (0, 1)})
        wrong = strict._replace(routes={packed(SOURCE): Route(INDEX + 1)})
        assert "rp_filter" in found(played, wrong)
        right = strict._replace(routes={packed(SOURCE): Route(INDEX)})
        assert "rp_filter" not in found(played, right)

    tell(story)


def test_a_bridge_that_snoops_without_a_querier_is_found(tell: Callable[..., None]) -> None:
    async def story(played: Played) -> None:
        await played.joins(packed(GROUP))
        bridge = Bridge(INDEX, "play0", False, True, False, {}, frozenset())
        before = found(played).keys()
        more = found(played, SEEN._replace(bridges={INDEX: bridge})).keys() - before
        assert [kind for kind in more if "snoop" in kind or "bridge" in kind]

    tell(story)


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"is_running": False}, "link_down"),
        ({"has_multicast": False}, "multicast_off"),
        ({"is_loopback": True}, "not_run"),
    ],
)
def test_an_interface_in_a_bad_state_is_told_until_it_is_well(
    tell: Callable[..., None], facts: dict[str, bool], kind: str
) -> None:
    async def story(played: Played) -> None:
        assert kind not in found(played)
        await played.gone(INDEX)
        await played.link(a_link("play0", **facts))
        assert found(played)[kind]["interface"] == "play0"
        await played.link(a_link("play0"))
        assert kind not in found(played)

    tell(story)


def test_a_slower_hook_a_second_agent_and_what_was_not_looked_at_are_told(
    tell: Callable[..., None],
) -> None:
    async def story(played: Played) -> None:
        healthy = found(played).keys()
        played.fast_path.hook = Hook.TCX
        await played.gone(INDEX)
        await played.link(a_link("play0"))
        sights = SEEN._replace(agents={INDEX: 2}, problems=("nft: not permitted",))
        more = found(played, sights)
        assert more.keys() - healthy == {"generic_hook", "second_agent", "not_looked_at"}
        assert more["not_looked_at"]["text"] == "not looked at: nft: not permitted"

    tell(story)


def test_what_is_no_group_is_refused_at_once(tell: Callable[..., None]) -> None:
    async def story(played: Played) -> None:
        doctor = examining.Doctor(played.agent)
        with pytest.raises(ValueError, match="nonsense"):
            await doctor.examine(played.agent, group="nonsense")

    tell(story)
