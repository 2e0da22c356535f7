"""Floods: every packet is counted once, as what it is, and the agent goes on answering."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from support.flood import NOTHING, Flooding, all_frames, igmp_frames, mld_frames
from support.lab import HOST, Cable, counters, link_local, received, scrape
from support.waiting import STRETCH, eventually

pytestmark = pytest.mark.lab

FRAMES = round(5_000_000 / STRETCH**2)
"""Fewer on a machine that is slower by far, and has no processor for each of those at work."""

STRICT = """\
[interface.eth0]
require_router_alert = "strict"
"""


@pytest.fixture
def strict(cable: Cable, tmp_path: Path) -> Cable:
    """A host whose agent refuses for every reason there is."""
    configuration = tmp_path / "mcastd.toml"
    configuration.write_text(STRICT)
    cable.observe("-c", configuration)
    return cable


def frames_for(cable: Cable) -> list[Flooding]:
    own_6 = ip_address(link_local(cable.host, "eth0")).packed
    eventually(lambda: own_address_is_known(cable, own_6))
    return all_frames(ip_address(HOST).packed, own_6)


def own_address_is_known(cable: Cable, own_6: bytes) -> bool:
    """Whether a report from the interface's own address counts as that: asked by one."""
    loopback = next(each for each in mld_frames(own_6) if each.counts_as == "mld loopback")
    before = received(cable.agent).get("mld loopback", 0)
    cable.wire.send(loopback.frame)
    return eventually(lambda: received(cable.agent).get("mld loopback", 0)) > before


def shares(frames: Sequence[Flooding], count: int) -> Iterator[tuple[Flooding, int]]:
    """How often each is sent, if they are sent in turn."""
    whole, rest = divmod(count, len(frames))
    for index, each in enumerate(frames):
        yield each, whole + (index < rest)


def expected(frames: Sequence[Flooding], count: int) -> Counter[str]:
    total: Counter[str] = Counter()
    for each, times in shares(frames, count):
        if each.counts_as != NOTHING:
            total[each.counts_as] += times
    return total


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[Future[object]]:
    """Does the work in a thread, and waits for its end."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        yield future
        future.result()


def test_five_million_frames_are_counted_exactly(
    strict: Cable, record_property: Callable[[str, object], None]
) -> None:
    frames = frames_for(strict)
    generator = strict.generator()
    before = Counter(received(strict.agent))
    handed_over = counters(strict.agent)

    started = time.monotonic()
    generator.send([each.frame for each in frames], FRAMES)
    seconds = time.monotonic() - started

    found = Counter(received(strict.agent)) - before
    assert found == expected(frames, FRAMES)
    queries = sum(times for each, times in shares(frames, FRAMES) if each.is_query)
    after = counters(strict.agent)
    assert queries == sum(
        now - then
        for now, then in (
            (after["events"]["query"], handed_over["events"]["query"]),
            *(
                (after["lost"]["query"][cause], handed_over["lost"]["query"][cause])
                for cause in ("ring_full", "rate_limited")
            ),
        )
    )
    record_property("frames_per_second", round(FRAMES / seconds))
    print(f"{FRAMES / seconds / 1e6:.2f} million frames a second")


def test_the_statistics_of_netstat_are_what_was_sent(strict: Cable) -> None:
    """Also of what was refused, which the engine never sees."""
    frames = frames_for(strict)
    before = counters(strict.agent)["statistics"]
    strict.generator().send([each.frame for each in frames], len(frames))
    sent = Counter(each.counts_as for each in frames)
    after = counters(strict.agent)["statistics"]

    def counted(protocol: str, name: str) -> int:
        return int(after[protocol][name] - before[protocol][name])

    everything = sum(each for what, each in sent.items() if what.startswith("igmp"))
    assert counted("igmp", "igps_rcv_total") == everything - sent["igmp bad_checksum"]
    assert counted("igmp", "igps_rcv_badsum") == sent["igmp bad_checksum"]
    assert counted("igmp", "igps_rcv_badttl") == sent["igmp bad_ttl"]
    assert counted("igmp", "igps_rcv_nora") == sent["igmp no_router_alert"]
    assert counted("igmp", "igps_rcv_queries") == sum(sent[f"igmp query {v}"] for v in (1, 2, 3))
    assert counted("mld", "ipv6IfIcmpInBadChecksum") == sent["mld bad_checksum"]
    assert counted("mld", "ipv6IfIcmpBadHoplimit") == sent["mld bad_ttl"]
    assert counted("mld", "ipv6IfIcmpInGroupMembReductions") == sent["mld leave 1"]
    assert min(sent["igmp bad_checksum"], sent["mld bad_ttl"], sent["igmp query 1"]) > 0


def test_every_reason_and_every_kind_is_in_the_flood(strict: Cable) -> None:
    """So that none is exact only because it is zero."""
    found = {each.counts_as for each in frames_for(strict)}
    counted = counters(strict.agent)

    kinds = set(counted["messages"]["rx"]) - {"mld other"}
    reasons = {
        f"{protocol} {reason}"
        for protocol, each in counted["rejected"]["rx"].items()
        for reason in each
        if reason != "unlisted_querier"  # where queriers are named: test_hostile_link.py
    } - {"mld unknown_type"}
    assert found - {NOTHING} == kinds | reasons


def test_no_query_is_lost_while_reports_flood(
    cable: Cable, record_property: Callable[[str, object], None]
) -> None:
    agent = cable.observe()
    generator = cable.generator()
    own = ip_address("192.0.2.250").packed
    made = [*igmp_frames(own), *mld_frames(ip_address("fe80::250").packed)]
    reports = [each.frame for each in made if " report " in each.counts_as]
    queries = [each.frame for each in made if each.counts_as in ("igmp query 3", "mld query 2")]
    before, asked, scrapes = counters(agent), 0, []

    with agent.watching(type="leave"):  # so that reports are handed over as well
        eventually(lambda: agent.ask("status"))
        with meanwhile(lambda: generator.send(reports, round(3_000_000 / STRETCH**2))) as flood:
            while not flood.done() or asked < 100:
                cable.wire.send(queries[asked % len(queries)])
                asked += 1
                if asked % 20 == 0:
                    begun = time.monotonic()  # a starved agent may say: ask again
                    eventually(lambda: scrape(cable.host), what="a scrape")
                    scrapes.append(time.monotonic() - begun)
                time.sleep(0.01)

    after = counters(agent)
    assert after["lost"]["query"] == {"ring_full": 0, "rate_limited": 0}
    assert after["events"]["query"] - before["events"]["query"] == asked
    assert sum(after["lost"]["report"].values()) > 0, "the flood was none"
    assert scrapes, "none was answered meanwhile"
    record_property("slowest_scrape_seconds", max(scrapes))
    print(f"{asked} queries; slowest of {len(scrapes)} scrapes: {max(scrapes) * 1e3:.0f} ms")
