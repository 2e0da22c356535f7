"""The programs in the kernel find what the natively compiled classifier finds."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from mcastd.fastpath.policies import Limit, Policy
from mcastd.fastpath.ring import Captured, Fate
from mcastd.wire import Kind
from support.flood import all_frames
from support.frames import frames
from support.golden import Golden, golden_messages
from support.kernel_programs import (
    EVERYTHING,
    HOOKS,
    LOOPBACK,
    PASSES,
    PROGRAMS,
    STOPS,
    KernelPrograms,
    expected,
    is_runnable,
    parts_of,
)
from support.mutants import LONGEST, OWN, SHORTEST, good_frames, mutants
from support.packets import HOP_BY_HOP, ethernet, icmpv6, igmp, ipv4, ipv6
from support.waiting import STRETCH, eventually

pytestmark = pytest.mark.bpf

MUTANTS, EXAMPLES = round(4000 / STRETCH), round(500 / STRETCH)
"""Fewer where each takes longer."""

SEED = 9776


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def check(programs: KernelPrograms, name: str, frame: bytes, own: tuple[bytes, ...] = ()) -> None:
    if not is_runnable(name, frame):
        return
    wanted = expected(frame, name, own)
    seen = programs.run(name, frame)

    assert seen.value == PASSES[name]
    assert seen.frame == frame
    assert seen.counted == wanted.counted
    if wanted.message is None:
        assert seen.events == ()
        return
    (event,) = seen.events
    assert parts_of(event) == wanted.message
    assert event.frame == frame
    assert (event.frame_length, event.ifindex) == (len(frame), LOOPBACK)
    assert (event.hook, event.fate) == (HOOKS[name], fate_of(name, event))


def fate_of(name: str, event: Captured) -> Fate:
    """What leaves by an interface without an address of its own is not this kernel's."""
    asks = event.kind and Kind(event.kind).type == "query"
    return Fate.PASSING if name == "mcast_egress" and not asks else Fate.PASSED


@pytest.mark.parametrize("golden", golden_messages(), ids=lambda golden: golden.name)
def test_a_golden_packet_is_counted_and_handed_over(
    fresh: KernelPrograms, program: str, golden: Golden
) -> None:
    check(fresh, program, ethernet(golden.packet))


@pytest.mark.parametrize("own", [(), OWN], ids=["nothing assigned", "own addresses"])
def test_frames_of_every_kind_and_reason(
    fresh: KernelPrograms, program: str, own: tuple[bytes, ...]
) -> None:
    fresh.assign(*own)
    for each in all_frames(*OWN[:2]):
        check(fresh, program, each.frame, own)


def test_mutants_of_good_frames(fresh: KernelPrograms, program: str) -> None:
    fresh.assign(*OWN)
    for frame in mutants(MUTANTS, SEED):
        check(fresh, program, frame, OWN)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(frame=frames())
def test_frames_spoilt_in_every_way(fresh: KernelPrograms, program: str, frame: bytes) -> None:
    fresh.assign(*OWN)
    check(fresh, program, frame.ljust(SHORTEST, b"\0"), OWN)


@pytest.mark.parametrize("length", [0, 1, 13])
def test_the_kernel_itself_has_no_frames_shorter_than_their_header(
    fresh: KernelPrograms, program: str, length: int
) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        fresh.run(program, bytes(length))


@pytest.mark.parametrize("length", range(SHORTEST, 60))
def test_frames_of_every_short_length(fresh: KernelPrograms, program: str, length: int) -> None:
    for frame in good_frames()[::7]:
        check(fresh, program, frame[:length].ljust(length, b"\0"))


def report_of(length: int) -> bytes:
    """A good IGMPv3 report in a frame of so many bytes."""
    body = bytes((0x22, 0, 0, 0, 0, 0, 0, 0)) + bytes(length - SHORTEST - 24 - 8)
    return ethernet(ipv4(igmp(body), destination=bytes((224, 0, 0, 22))))


@pytest.mark.parametrize("length", [160, 161, 1514, 1536, 1537, 3000, 3500])
def test_events_hold_the_whole_frame_whatever_room_it_needs(
    fresh: KernelPrograms, program: str, length: int
) -> None:
    frame = report_of(length)
    assert len(frame) == length

    check(fresh, program, frame)


@pytest.mark.parametrize("length", [4000, 8000, LONGEST])
def test_jumbo_frames_come_in_several_pieces_and_are_read_whole(
    fresh: KernelPrograms, length: int
) -> None:
    check(fresh, "mcast_xdp", report_of(length))


def test_a_spoilt_byte_anywhere_in_a_jumbo_frame_is_a_bad_checksum(fresh: KernelPrograms) -> None:
    good = report_of(LONGEST)
    for at in (60, 255, 256, 511, 512, 4095, 4096, LONGEST - 1):
        frame = good[:at] + bytes((good[at] ^ 0x10,)) + good[at + 1 :]
        assert fresh.run("mcast_xdp", frame).counted == ("rx igmp bad_checksum",)


def test_an_interface_without_a_policy_is_not_looked_at(
    fresh: KernelPrograms, program: str
) -> None:
    fresh.forget()

    seen = fresh.run(program, good_frames()[0])

    assert (seen.value, seen.counted, seen.events) == (PASSES[program], (), ())


def test_other_hosts_reports_are_only_counted_unless_somebody_watches(
    fresh: KernelPrograms,
) -> None:
    fresh.use(Policy())
    frame = report_of(100)

    seen = fresh.run("mcast_xdp", frame)

    assert (seen.counted, seen.events) == (("rx igmp report 3",), ())


QUERY = ethernet(next(each.packet for each in golden_messages() if "v3 general" in each.name))


GROUP = bytes((239, 1, 2, 3))
IGMP_SOURCE = bytes((192, 0, 2, 1))
LINK_LOCAL = bytes.fromhex("fe80") + bytes(13) + b"\1"


def igmp_query(code: int, group: bytes = bytes(4), source: int = 1) -> bytes:
    """An IGMPv3 query with this Max Resp Code; general without a group."""
    message = igmp(bytes((0x11, code, 0, 0)) + group + bytes((2, 125, 0, 0)))
    to = group if any(group) else bytes((224, 0, 0, 1))
    return ethernet(ipv4(message, source=bytes((192, 0, 2, source)), destination=to))


def mld_query(code: int) -> bytes:
    """A general MLDv2 query with this Maximum Response Code."""
    source, to = (
        bytes.fromhex("fe80") + bytes(13) + b"\1",
        bytes.fromhex("ff02") + bytes(13) + b"\1",
    )
    message = bytes((130, 0, 0, 0)) + code.to_bytes(2) + bytes(2 + 16) + bytes((2, 125, 0, 0))
    return ethernet(ipv6(HOP_BY_HOP + icmpv6(message, source, to), source=source, destination=to))


def test_queries_beyond_the_limit_are_counted_as_lost(fresh: KernelPrograms) -> None:
    fresh.use(Policy(queries=Limit(1, 5)))
    before, query = fresh.counters(), igmp_query(10, GROUP)

    events = [event for _ in range(20) for event in fresh.run("mcast_xdp", query).events]

    after = fresh.counters()
    assert len(events) == 5
    assert (after.events[0] - before.events[0], after.lost[0][1] - before.lost[0][1]) == (5, 15)


NO_MORE = Limit(1, 1)
SAME_QUESTION_SECONDS = 0.09
"""A little less than MCAST_SAME_QUESTION, in which the same question is not handed over again."""

GUARDED = Policy(host_mode=True, discard_floods=True, queries=NO_MORE, reports=NO_MORE)


@pytest.mark.parametrize("program", ["mcast_xdp", "mcast_ingress"])
@pytest.mark.parametrize(
    ("ring", "frame"),
    [(0, igmp_query(10, GROUP)), (1, report_of(100))],
    ids=["queries", "reports"],
)
def test_in_host_mode_what_is_beyond_the_limit_is_kept_from_the_kernel(
    fresh: KernelPrograms, program: str, ring: int, frame: bytes
) -> None:
    fresh.use(GUARDED)
    fresh.beat()
    before = fresh.counters()

    verdicts = [fresh.run(program, frame).value for _ in range(20)]

    after = fresh.counters()
    assert verdicts == [PASSES[program]] + [STOPS[program]] * 19
    assert after.discarded[ring][0] - before.discarded[ring][0] == 19
    assert sum(map(sum, after.discarded)) == sum(map(sum, before.discarded)) + 19
    assert sum(after.accepted[0]) - sum(before.accepted[0]) == 20


@pytest.mark.parametrize(
    "policy",
    [GUARDED._replace(discard_floods=False), GUARDED._replace(host_mode=False)],
    ids=["not wanted", "observe mode"],
)
def test_else_a_flood_reaches_the_kernel(fresh: KernelPrograms, policy: Policy) -> None:
    fresh.use(policy)
    fresh.beat()
    before = fresh.counters().discarded

    verdicts = {fresh.run("mcast_xdp", QUERY).value for _ in range(20)}

    assert verdicts == {PASSES["mcast_xdp"]}
    assert fresh.counters().discarded == before


@pytest.mark.parametrize("query", [igmp_query, mld_query])
def test_in_a_flood_general_queries_of_strangers_do_not_reach_the_kernel(
    fresh: KernelPrograms, query: Callable[[int], bytes]
) -> None:
    """Linux puts its answer off with each later query of MLD; the agent is told all the same."""
    fresh.use(GUARDED._replace(queries=Limit(1, 4)))
    fresh.beat()
    other = IGMP_SOURCE[:3] + b"\x07" if query is igmp_query else LINK_LOCAL[:15] + b"\x07"
    fresh.know(other)
    for _ in range(9):
        fresh.run("mcast_xdp", igmp_query(10, GROUP))

    seen = fresh.run("mcast_xdp", query(10))
    assert (seen.value, len(seen.events)) == (STOPS["mcast_xdp"], 1)
    fresh.know(IGMP_SOURCE if query is igmp_query else LINK_LOCAL)
    assert fresh.run("mcast_xdp", query(10)).value == PASSES["mcast_xdp"]


@pytest.mark.parametrize("query", [igmp_query, mld_query])
@pytest.mark.parametrize("policy", [GUARDED, GUARDED._replace(host_mode=False)])
def test_a_flood_of_queries_keeps_no_other_question_from_the_agent(
    fresh: KernelPrograms, query: Callable[[int], bytes], policy: Policy
) -> None:
    """Whoever it comes from: a host must answer in the time that its querier gives it."""
    fresh.use(policy)
    fresh.beat()
    flood = [igmp_query(code, GROUP, source=7) for code in range(20)] + [query(200)] * 20
    for frame in flood:
        fresh.run("mcast_xdp", frame)

    seen = fresh.run("mcast_xdp", query(10))

    assert seen.value == PASSES["mcast_xdp"]
    assert [event.frame for event in seen.events] == [query(10)]


def test_the_same_question_is_handed_over_once_in_a_while(fresh: KernelPrograms) -> None:
    """A tenth of a second: a flood of it costs the agent no more than ten of them a second."""
    fresh.use(GUARDED)
    fresh.beat()
    begun, passed = time.monotonic(), 0
    for _ in range(200):
        passed += fresh.run("mcast_xdp", igmp_query(10)).value == PASSES["mcast_xdp"]

    assert 1 <= passed <= 2 + 10 * (time.monotonic() - begun)


def soon_after(fresh: KernelPrograms, first: bytes, then: bytes) -> int:
    """The verdict of a query while one that passed is the last question, however slow it is."""

    def tried() -> int | None:
        begun = time.monotonic()
        passed = fresh.run("mcast_xdp", first).value == PASSES["mcast_xdp"]
        verdict = fresh.run("mcast_xdp", then).value
        return verdict if passed and time.monotonic() - begun < SAME_QUESTION_SECONDS else None

    return eventually(tried, what="two queries at once") or 0


@pytest.mark.parametrize(
    ("code", "alike"),
    [(0, 0), (1, 1), (100, 103), (1000, 1023), (10000, 10239), (0x8001, 0x80FF), (0xFFFF, 0xFF01)],
)
def test_times_to_answer_of_mld_are_alike_within_an_eighth(
    fresh: KernelPrograms, code: int, alike: int
) -> None:
    fresh.use(GUARDED)
    fresh.beat()
    fresh.run("mcast_xdp", igmp_query(10, GROUP))
    others = [each for each in (code * 2 or 7, code // 2 or 9, code * 5 // 4 + 3) if each < 1 << 16]

    assert fresh.run("mcast_xdp", mld_query(code)).value == PASSES["mcast_xdp"]
    assert soon_after(fresh, mld_query(code), mld_query(alike)) == STOPS["mcast_xdp"]
    for other in others:
        assert fresh.run("mcast_xdp", mld_query(other)).value == PASSES["mcast_xdp"], other


SPLIT = EVERYTHING._replace(tags_taken_out=True)


@pytest.mark.parametrize("frame", [QUERY, report_of(100)], ids=["query", "report"])
def test_where_xdp_cannot_see_tags_it_counts_and_the_program_behind_it_hands_over(
    fresh: KernelPrograms, frame: bytes
) -> None:
    fresh.use(SPLIT)

    first, second = fresh.run("mcast_xdp", frame), fresh.run("mcast_ingress", frame)

    assert (len(first.counted), first.events) == (1, ())
    assert (second.counted, [each.frame for each in second.events]) == ((), [frame])


def test_where_xdp_cannot_see_tags_it_keeps_back_floods_only(fresh: KernelPrograms) -> None:
    """An older query may be a VLAN's: the program behind it is told."""
    older = ethernet(ipv4(igmp(bytes((0x11, 100, 0, 0, 0, 0, 0, 0)))))
    fresh.use(GUARDED._replace(tags_taken_out=True, consume_igmp=True))
    fresh.beat()

    assert fresh.run("mcast_xdp", older).value == PASSES["mcast_xdp"]
    assert fresh.run("mcast_ingress", older).value == STOPS["mcast_ingress"]
    before = fresh.counters().discarded[0][0]
    assert soon_after(fresh, older, older) == STOPS["mcast_xdp"]
    assert fresh.counters().discarded[0][0] > before


OLDER_IGMP = igmp(bytes((0x11, 100, 0, 0)) + bytes(4))
ALL_NODES = bytes.fromhex("ff02") + bytes(13) + b"\1"
OLDER_MLD = icmpv6(bytes((130, 0, 0, 0, 3, 232)) + bytes(18), LINK_LOCAL, ALL_NODES)
ALERT, PAD_1, UNKNOWN_OPTION = b"\5\2\0\0", b"\0", b"\x1e\0"


def behind(*options: bytes, then: bytes = b"") -> bytes:
    """An MLDv1 query behind a hop-by-hop header with these options, and more headers."""
    content = b"".join(options)
    content += PAD_1 * (-(len(content) + 2) % 8)
    first = (then[:1] or b":") + bytes(((len(content) + 2) // 8 - 1,))
    return ethernet(ipv6(first + content + then[1:] + OLDER_MLD))


HIDDEN_QUERIES = {
    "priority tags": ethernet(ipv4(OLDER_IGMP))[:12]
    + b"\x81\0\0\0" * 4
    + b"\x08\0"
    + ipv4(OLDER_IGMP),
    "fragments": ethernet(ipv4(OLDER_IGMP, fragment=0x2000)),
    "padding before Router Alert": behind(*[PAD_1 * 6, UNKNOWN_OPTION] * 4, ALERT),
    "options behind Router Alert": behind(ALERT, *[PAD_1 * 6, UNKNOWN_OPTION] * 4),
    "a long option": behind(b"\x1e\xfa" + bytes(250), ALERT),
    "a routing header": behind(ALERT, b"\1\0", then=b"\x2b" + b"\x3a\0\4\0" + bytes(4)),
}
"""Older queries that the kernel understands and the classifier does not follow to their end."""


@pytest.mark.parametrize("program", ["mcast_xdp", "mcast_ingress"])
@pytest.mark.parametrize("name", HIDDEN_QUERIES)
def test_an_older_query_that_is_hidden_does_not_reach_the_kernel(
    fresh: KernelPrograms, program: str, name: str
) -> None:
    frame = HIDDEN_QUERIES[name]
    assert fresh.run(program, frame).value == PASSES[program]
    fresh.use(EVERYTHING._replace(host_mode=True, consume_igmp=True, consume_mld=True))
    fresh.beat()
    before = fresh.counters().consumed

    assert fresh.run(program, frame).value == STOPS[program]
    after = fresh.counters().consumed
    assert sum(after) - sum(before) == 1


def test_what_is_hidden_in_a_vlan_is_the_vlans(fresh: KernelPrograms) -> None:
    fresh.use(EVERYTHING._replace(host_mode=True, consume_igmp=True, consume_mld=True))
    fresh.beat()
    frame = ethernet(ipv4(OLDER_IGMP))
    tagged = frame[:12] + b"\x81\0\0\7" + b"\x81\0\0\0" * 3 + frame[12:]

    assert fresh.run("mcast_xdp", tagged).value == PASSES["mcast_xdp"]


def test_a_dead_agent_keeps_nothing_from_the_kernel(fresh: KernelPrograms) -> None:
    fresh.use(GUARDED)

    assert {fresh.run("mcast_xdp", QUERY).value for _ in range(20)} == {PASSES["mcast_xdp"]}


def test_what_is_in_a_vlan_is_not_kept_from_it(fresh: KernelPrograms) -> None:
    fresh.use(GUARDED)
    fresh.beat()
    tagged = QUERY[:12] + b"\x81\0\0\7" + QUERY[12:]

    assert {fresh.run("mcast_xdp", tagged).value for _ in range(20)} == {PASSES["mcast_xdp"]}


def test_a_full_ring_is_counted_as_lost_and_no_obstacle(fresh: KernelPrograms) -> None:
    before = fresh.counters()
    number = 0
    while fresh.counters().lost[0] == before.lost[0]:
        assert fresh.run_unread("mcast_xdp", QUERY) == PASSES["mcast_xdp"]
        number += 1
        assert number < 100_000
    after = fresh.counters()

    waiting = fresh.drain("query")

    assert len(waiting) == number - 1 == after.events[0] - before.events[0]
    assert after.lost[0][0] - before.lost[0][0] == 1
    assert fresh.run("mcast_xdp", QUERY).events


def test_the_rings_do_not_take_each_others_room(fresh: KernelPrograms) -> None:
    report = report_of(100)
    before = fresh.counters()
    while fresh.counters().lost[1] == before.lost[1]:
        fresh.run_unread("mcast_xdp", report)

    (event,) = [each for each in fresh.run("mcast_xdp", QUERY).events if each.kind != 6]

    assert event.frame == QUERY
    fresh.drain("report")


OUR_HARDWARE, ITS_HARDWARE = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"


@pytest.mark.parametrize("program", ["mcast_xdp", "mcast_ingress"])
def test_the_agents_question_to_the_kernel_is_neither_counted_nor_an_event(
    fresh: KernelPrograms, program: str
) -> None:
    fresh.use(EVERYTHING._replace(asking=OUR_HARDWARE, host_mode=True, consume_igmp=True))
    fresh.beat()
    asked = fresh.run(program, QUERY[:6] + OUR_HARDWARE + QUERY[12:])
    forged = fresh.run(program, QUERY[:6] + ITS_HARDWARE + QUERY[12:])

    assert (asked.value, asked.counted, asked.events) == (PASSES[program], (), ())
    assert len(forged.events) == 1


@pytest.mark.parametrize("program", ["mcast_xdp", "mcast_ingress"])
def test_a_strict_kernel_hears_no_query_that_is_refused(
    fresh: KernelPrograms, program: str
) -> None:
    message = igmp(bytes((0x11, 100, 0, 0)) + bytes(4) + bytes((2, 125, 0, 0)))
    far = ethernet(ipv4(message, ttl=61))
    for strict in (False, True):
        fresh.use(EVERYTHING._replace(host_mode=True, strict_kernel=strict))
        fresh.beat()
        seen = fresh.run(program, far)
        assert seen.value == (STOPS if strict else PASSES)[program]
