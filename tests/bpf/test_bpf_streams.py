"""Streams in the running kernel: what the natively compiled text counts, on the same frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from mcastd.fastpath.objects import BpfObject
from mcastd.fastpath.streams import FURTHER, obtain_streams
from mcastd.streams import Key, Sample
from support.bytecode import bring
from support.kernel_programs import LOOPBACK, KernelPrograms
from support.kernel_streams import ROOM, TC, XDP, KernelStreams, takes
from support.packets import ethernet, igmp
from support.stream_packets import (
    Event,
    Story,
    bad_input,
    frame,
    framed,
    ipv4,
    ipv6,
    native,
    rtp,
    udp,
)
from support.verifier import measured

pytestmark = pytest.mark.bpf

STORIES = 60
LIMIT = 1_000_000
"""Of instructions that the verifier walks through (BPF_COMPLEXITY_LIMIT_INSNS)."""


@pytest.fixture(scope="session")
def stream_programs(tmp_path_factory: pytest.TempPathFactory) -> BpfObject:
    kept = tmp_path_factory.mktemp("streams")
    bring(kept, "stream_programs")
    return obtain_streams(print, cache=kept)


@pytest.fixture(scope="module")
def made(compiled: BpfObject, stream_programs: BpfObject) -> Iterator[KernelStreams]:
    kernel = KernelStreams(compiled, stream_programs)
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(made: KernelStreams) -> KernelStreams:
    made.use()
    made.join()
    return made


def told(sample: Sample) -> tuple[object, ...]:
    """All but times, which are the kernel's own."""
    numbers = (sample.lost, sample.reordered, sample.duplicates, sample.resets, sample.received)
    return (
        sample.packets, sample.size, sum(sample.gaps), sample.format, sample.ttl, *numbers
    )  # fmt: skip


def natively(events: list[Event], story: Story) -> tuple[dict[Key, tuple[object, ...]], int]:
    table = native(events, story.formats)
    return {key: told(sample) for key, sample, _ in table}, table.rest.fragments


@pytest.mark.parametrize("name", [XDP, TC])
def test_the_kernel_counts_what_the_native_text_counts(kernel: KernelStreams, name: str) -> None:
    for seed in range(STORIES):
        story = Story(seed)
        events = [
            Event(each.data, each.at, interface=LOOPBACK)
            for each in story.events
            if takes(name, each.data)
        ]
        kernel.use(story.formats)
        kernel.run(name, (each.data for each in events))

        found = {key: told(sample) for key, sample in kernel.samples().items()}
        assert (found, kernel.rest()[0]) == natively(events, story), seed


@pytest.mark.parametrize("name", [XDP, TC])
@pytest.mark.parametrize("kind", list(bad_input()))
def test_bad_input_is_counted_in_the_kernel_as_natively(
    kernel: KernelStreams, name: str, kind: str
) -> None:
    frames = [each for each in bad_input()[kind] if takes(name, each)]
    kernel.run(name, frames)

    table = native([Event(each, 0, interface=LOOPBACK) for each in frames])
    found = {key: told(sample) for key, sample in kernel.samples().items()}
    assert found == {key: told(sample) for key, sample, _ in table}


def test_the_verifier_is_far_from_giving_up(
    compiled: BpfObject,
    stream_programs: BpfObject,
    record_property: Callable[[str, object], None],
) -> None:
    for name, each in measured(stream_programs, alone=FURTHER).items():
        record_property(f"verifier {name}", f"{each.instructions} {each.milliseconds:.1f}")
        assert 0 < each.instructions < LIMIT / 4, name


def test_a_message_is_classified_behind_the_count_of_streams(
    compiled: BpfObject, stream_programs: BpfObject, programs: KernelPrograms
) -> None:
    """Whatever may be control goes on to the program that would be there without streams."""
    kernel = KernelStreams(compiled, stream_programs)
    query = ethernet(ipv4(igmp(bytes((0x11, 100)) + bytes(10)), protocol=2, group="224.0.0.1"))
    in_fragments = ethernet(ipv4(b"\x11", protocol=2, bits=0x2000))
    for name, alone in ((XDP, "mcast_xdp"), (TC, "mcast_ingress")):
        for sent in (query, in_fragments):
            seen = programs.run(alone, sent)
            before = kernel.counted()
            kernel.run(name, [sent])
            assert kernel.counted_since(before) == seen.counted
    assert kernel.samples() == {}
    kernel.close()


def test_a_stream_in_a_vlan_is_told_from_one_that_is_not(kernel: KernelStreams) -> None:
    kernel.run(XDP, [frame(rtp(1)), frame(rtp(1), 0), frame(rtp(1), 7), frame(rtp(1), 7, 9)])

    assert sorted(key.vlan for key in kernel.samples()) == [(), (0,), (7,), (7, 9)]


def test_a_frame_to_a_unicast_hardware_address_is_of_no_stream(kernel: KernelStreams) -> None:
    to_one = framed(ipv4(udp(rtp(1))), to=b"\2\0\0\0\0\1")
    kernel.run(XDP, [to_one])
    kernel.run(TC, [to_one])

    assert kernel.samples() == {}


def forged(number: int, group: str = "239.9.9.9") -> bytes:
    source = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return framed(ipv4(udp(b""), source=source, group=group))


def test_forged_sources_take_no_more_room_than_there_is(kernel: KernelStreams) -> None:
    kernel.run(XDP, (forged(number) for number in range(5 * ROOM)))

    assert len(kernel.samples()) == ROOM
    assert kernel.rest() == (0, 4 * ROOM)


@pytest.mark.parametrize("six", [False, True])
def test_a_joined_group_finds_room_among_forged_ones_and_keeps_its_counts(
    kernel: KernelStreams, six: bool
) -> None:
    wanted = framed(ipv6(udp(rtp(5)))) if six else frame(rtp(5))
    group = wanted[38:54] if six else wanted[30:34]
    kernel.join(group)
    kernel.run(XDP, (forged(number) for number in range(2 * ROOM)))
    kernel.run(XDP, [wanted] * 3)
    kernel.run(XDP, (forged(number) for number in range(2 * ROOM, 6 * ROOM)))
    kernel.run(XDP, [wanted] * 4)

    samples = kernel.samples()
    assert len(samples) == ROOM
    assert [each.packets for key, each in samples.items() if key.group == group] == [7]


def test_a_joined_group_is_never_put_out_for_another(kernel: KernelStreams) -> None:
    kernel.join(bytes((239, 9, 9, 9)), bytes((239, 1, 1, 1)))
    kernel.run(XDP, (forged(number) for number in range(ROOM)))
    kernel.run(XDP, [frame(rtp(5))])

    assert {key.group for key in kernel.samples()} == {bytes((239, 9, 9, 9))}
    assert kernel.rest() == (0, 1)


def test_room_that_was_given_up_is_free_for_others(kernel: KernelStreams) -> None:
    kernel.run(XDP, (forged(number) for number in range(ROOM)))
    for key in list(kernel.samples()):
        kernel.streams.forget(key.pack())
    kernel.run(XDP, [frame(rtp(5))])

    assert [key.port for key in kernel.samples()] == [5004]
    assert kernel.rest() == (0, 0)


def test_a_million_packets_of_a_stream_are_counted_exactly(kernel: KernelStreams) -> None:
    kernel.run(XDP, [frame(rtp(5))], repeat=1_000_000)

    (sample,) = kernel.samples().values()
    assert (sample.packets, sum(sample.gaps)) == (1_000_000, 999_999)
