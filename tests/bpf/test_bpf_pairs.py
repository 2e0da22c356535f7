"""Pairs in the running kernel: what the natively compiled text counts, on the same frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from mcastd._native import ffi
from mcastd.fastpath.objects import BpfObject
from mcastd.fastpath.streams import obtain_streams
from mcastd.gmp.time import Duration, seconds
from mcastd.service.clock import now
from mcastd.service.pair_places import PairPlaces
from mcastd.streams.pairs import Pair, parse_interface_leg
from support.bytecode import bring
from support.kernel_programs import LOOPBACK
from support.kernel_streams import TC, XDP, KernelStreams
from support.packets import ethernet, igmp
from support.pair_packets import GROUPS, PairStory, counted, native_counts
from support.stream_packets import frame, framed, ipv4, rtp

pytestmark = pytest.mark.bpf

STORIES = 40
LONGEST = 1500
"""Packets of a story, but of one, in which the window passes by itself."""

FOREVER = seconds(1000)
"""Of the window: what is decided by time is tested natively, where time is as it is told."""

PAIR = Pair(*(parse_interface_leg(f"lo {group}:5004") for group in GROUPS))
OTHER = Pair(*(parse_interface_leg(f"lo {group}:5006") for group in GROUPS))
HERE = {"lo": LOOPBACK}


@pytest.fixture(scope="module")
def made(compiled: BpfObject, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelStreams]:
    kept = tmp_path_factory.mktemp("pairs")
    bring(kept, "stream_programs")
    kernel = KernelStreams(compiled, obtain_streams(print, cache=kept))
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(made: KernelStreams) -> KernelStreams:
    made.use()
    return made


@pytest.fixture
def pairs(kernel: KernelStreams) -> PairPlaces:
    """One, as if nothing had come before."""
    places = PairPlaces(kernel.streams.pairs)
    places.look_up(HERE)
    places.use([PAIR], FOREVER)
    return places


def counts(kernel: KernelStreams, number: int = 0) -> dict[str, Any]:
    data = kernel.streams.pairs.value(number)
    kept = ffi.new("struct mcast_pair *")
    ffi.memmove(kept, data, len(data))
    return counted(kept)


@pytest.mark.parametrize("name", [XDP, TC])
def test_the_kernel_counts_what_the_native_text_counts(
    kernel: KernelStreams, pairs: PairPlaces, name: str
) -> None:
    seen: Counter[str] = Counter()
    long = 0
    for seed in range(STORIES):
        story = PairStory(seed)
        if len(story.frames) > LONGEST:
            long += 1
            if long > 1:
                continue  # in a machine without KVM each takes minutes
        kernel.use(story.formats)
        pairs.use([], FOREVER)
        pairs.use([PAIR], FOREVER)
        kernel.run(name, (each.data for each in story.frames))

        found = counts(kernel)
        assert found == native_counts(story, story.frames, FOREVER), seed
        seen.update({what: value for what, value in found.items() if value})
    assert all(seen[what] for what in ("both", "neither", "a alone", "b alone", "a strangers"))


def test_legs_come_and_go_while_their_streams_flow(
    kernel: KernelStreams, pairs: PairPlaces
) -> None:
    sent = [frame(rtp(n), group=group) for n in range(10) for group in GROUPS]
    kernel.run(XDP, sent)
    pairs.look_up({})
    kernel.run(XDP, sent)
    assert (counts(kernel)["a packets"], counts(kernel)["b packets"]) == (10, 10)

    pairs.look_up(HERE)
    kernel.run(XDP, sent[:1])
    assert (counts(kernel)["a packets"], counts(kernel)["b packets"]) == (11, 10)


def test_a_pair_keeps_its_counts_while_others_come_and_go(
    kernel: KernelStreams, pairs: PairPlaces
) -> None:
    kernel.run(XDP, [frame(rtp(n), group=group) for n in range(10) for group in GROUPS])
    for used in ([OTHER, PAIR], [PAIR]):
        assert pairs.use(used, FOREVER) == []
        assert pairs.samples(now())[PAIR].legs[0].packets == 10
    kernel.run(XDP, [frame(rtp(n), group=group, port=5006) for n in range(3) for group in GROUPS])
    assert list(pairs.samples(now())) == [PAIR]

    pairs.use([PAIR], Duration(FOREVER - 1))
    assert pairs.samples(now())[PAIR].legs[0].packets == 0


def test_pairs_without_room_are_told(kernel: KernelStreams, pairs: PairPlaces) -> None:
    many = [
        Pair(*(parse_interface_leg(f"lo {group}:{6000 + n}") for group in GROUPS))
        for n in range(pairs.room + 2)
    ]
    assert pairs.use(many, FOREVER) == many[-2:]


def test_a_leg_in_a_vlan_is_not_this_interfaces(kernel: KernelStreams, pairs: PairPlaces) -> None:
    kernel.run(XDP, [frame(rtp(n), 7) for n in range(5)])

    assert counts(kernel)["a packets"] == 0


def test_a_message_behind_a_legs_packet_is_classified(
    kernel: KernelStreams, pairs: PairPlaces
) -> None:
    query = ethernet(ipv4(igmp(bytes((0x11, 100)) + bytes(10)), protocol=2, group="224.0.0.1"))
    for name in (XDP, TC):
        before = kernel.counted()
        kernel.run(name, [frame(rtp(1)), query, framed(ipv4(b"")), frame(rtp(2)), query])
        assert len(kernel.counted_since(before)) > 0
