"""The generator: as many frames as asked for, whatever becomes of them at the far end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from mcastd.fastpath.attach import XDP_FLAGS_DRV_MODE
from mcastd.fastpath.counters import Counters, read
from mcastd.fastpath.kernel import AttachType, Kernel, Link, Program
from mcastd.fastpath.objects import obtain
from mcastd.fastpath.policies import Limit, Policies, Policy
from mcastd.wire import Kind, Reason, ReceptionContext
from mcastd_bench import forged
from mcastd_lab import Generator, Lab, LabError, generator, veth
from support.lab import XDP_DROP, returning

pytestmark = pytest.mark.lab

FRAMES = 300_000
FOR_EVER = b"\xff" * 8
NEVER = bytes(8)
ANYBODY = ReceptionContext()
SCANTY = Limit(1, 1)


class Cable:
    """From a generator to the program, which is told by hand what to do."""

    def __init__(self, lab: Lab) -> None:
        sender, self._receiver = lab.namespace("sender"), lab.namespace("receiver")
        for each in (sender, self._receiver):  # nobody else is to speak
            each.sysctl({f"ipv6.conf.{which}.disable_ipv6": 1 for which in ("all", "default")})
        veth(sender, "eth0", self._receiver, "eth0")
        self._index = self._receiver.index("eth0")
        self._lab, self._kernel = lab, lab.keep(Kernel(obtain(print)))
        self.generator = lab.keep(Generator((sender, "eth0"), (self._receiver, "eth0")))

    def attach(self, policy: Policy, heartbeat: bytes) -> None:
        Policies(self._kernel.maps).put(self._index, 0, policy)
        self._kernel.maps["heartbeat"].update(bytes(4), heartbeat)
        self.put(self._kernel.program("mcast_xdp"))

    def put(self, program: Program) -> Link:
        """In native XDP, until it is closed."""
        with self._receiver.entered():
            link = Link(program, self._index, AttachType.XDP, XDP_FLAGS_DRV_MODE)
        return self._lab.keep(link)

    def counters(self) -> Counters:
        return read(self._kernel.maps["counters"], 1)[0]


@pytest.fixture
def cable() -> Iterator[Cable]:
    with Lab() as lab:
        yield Cable(lab)


def received(counted: Counters) -> Counter[str]:
    """As `forged.Expected.received`."""
    found = Counter({kind.label: counted.accepted[0][kind] for kind in Kind})
    for place, protocol in enumerate(("igmp", "mld")):
        found.update(
            {f"{protocol} {each.label}": counted.rejected[0][place][each] for each in Reason}
        )
    return +found


def discarding(*, host_mode: bool) -> Policy:
    """Older queries are kept from the kernel, too."""
    return Policy(
        host_mode=host_mode,
        discard_floods=True,
        consume_igmp=True,
        consume_mld=True,
        queries=SCANTY,
        reports=SCANTY,
    )


def test_what_a_flood_is_dropped_as_is_counted_exactly(cable: Cable) -> None:
    frames = forged.flood()
    cable.attach(discarding(host_mode=True), FOR_EVER)
    sent = cable.generator.send(frames, FRAMES)
    counted, wanted = cable.counters(), forged.expected(frames, FRAMES, ANYBODY)
    assert sent.frames == FRAMES
    assert received(counted) == wanted.received
    assert counted.events[0] + sum(counted.lost[0]) == wanted.queries
    assert +Counter(igmp=counted.consumed[0], mld=counted.consumed[1]) == wanted.consumed
    assert sum(map(sum, counted.discarded)) > FRAMES / 2


@pytest.mark.parametrize(
    ("host_mode", "heartbeat"), [(False, FOR_EVER), (True, NEVER)], ids=["observe", "no heartbeat"]
)
def test_a_flood_that_is_not_dropped_is_counted_exactly(
    cable: Cable, host_mode: bool, heartbeat: bytes
) -> None:
    frames = forged.flood()
    cable.attach(discarding(host_mode=host_mode), heartbeat)
    cable.generator.send(frames, FRAMES)
    counted = cable.counters()
    assert received(counted) == forged.expected(frames, FRAMES, ANYBODY).received
    assert counted.discarded == ((0, 0), (0, 0))
    assert counted.consumed == (0, 0)


def test_a_flood_of_some_time_says_how_many_frames_it_was(cable: Cable) -> None:
    frames, looks = forged.flood(), list[int]()
    cable.attach(discarding(host_mode=True), FOR_EVER)
    sent = cable.generator.flood(frames, 0.01, lambda: looks.append(1))
    assert sent.frames == sum(received(cable.counters()).values()) > 0
    assert looks


def test_a_far_end_that_drops_everything_is_told_from_one_that_takes_nothing(
    cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "STUCK_SECONDS", 0.1)
    dropping = returning(XDP_DROP, "xdp")
    link = cable.put(dropping)
    with pytest.raises(LabError, match="did not arrive"):
        cable.generator.send(forged.flood(), FRAMES)
    link.close()
    cable.put(cable.generator.passing_marks(dropping))
    assert cable.generator.send(forged.flood(), FRAMES).frames == FRAMES
    dropping.close()


def test_a_second_flood_is_as_exact_as_the_first(cable: Cable) -> None:
    cable.attach(Policy(), NEVER)
    frames = forged.flood()
    cable.generator.send(frames, 10_000)
    cable.generator.send(frames, 1)
    assert sum(received(cable.counters()).values()) == 10_001


def test_frames_that_the_far_end_does_not_take_are_told(
    cable: Cable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without native XDP at the far end, there is no queue to it."""
    monkeypatch.setattr(generator, "STUCK_SECONDS", 0.1)
    with pytest.raises(LabError, match="of 1000 frames 1000 did not arrive"):
        cable.generator.send(forged.flood(), 1000)
