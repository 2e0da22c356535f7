"""Frames at the rate of a veth in native XDP: sent, received and classified on one core.

The rate is that of the whole path, the generator and the receiver's stack with it, since both
programs let the frames pass; but where both are changed to drop them. After each run of ours the
counters must say exactly what was sent; so they must after a long one, the rate of which is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from mcastd.fastpath.attach import XDP_FLAGS_DRV_MODE
from mcastd.fastpath.counters import Counters, read
from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.kernel import AttachType, Kernel, Link, Program
from mcastd.fastpath.objects import obtain
from mcastd.fastpath.policies import Policy
from mcastd.gmp.family import IGMP
from mcastd_lab import Generator, Lab, LabError, veth

from mcastd_bench import frames
from mcastd_bench.programs import dropping, look_on
from mcastd_bench.progress import tell
from mcastd_bench.row import Better, Contest, Details, Row, Unavailable

FEWEST, MOST = 65_536, 1_000_000
"""Frames of a run."""

LONG_RUN = 20_000_000
"""Frames, if there is time for them."""

NO_IPV6 = ("ipv6.conf.all.disable_ipv6", "ipv6.conf.default.disable_ipv6")

PER_SECOND = 1_000_000
"""About as many; a run's length is made of it."""

STRETCH = 25
"""A run is longer than it was asked for: a call of the generator takes 25 ms whatever it does."""


def rows() -> Iterable[Row]:
    yield Row("xdp.veth", "Mpps", partial(contest, partial(frames.reports, IGMP)), Better.LARGER)
    yield Row("xdp.veth/bystander", "Mpps", partial(contest, frames.bystanders), Better.LARGER)
    dropped = partial(contest, frames.bystanders, dropped=True)
    yield Row("xdp.veth/bystander/dropped", "Mpps", dropped, Better.LARGER)


def contest(
    make: Callable[[], list[bytes]], *, dropped: bool = False, kind: type[Cable] | None = None
) -> Contest:
    """`kind`: of cable, if it is not the one whose messages are counted."""
    lab = Lab()
    try:
        lab.__enter__()
        cable = (kind or Cable)(lab, make(), dropped=dropped)
    except (LabError, FastPathError, OSError) as why:
        lab.__exit__(None, None, None)
        raise Unavailable(str(why)) from why
    return Contest(
        ours=partial(cable.rate, cable.ours),
        baselines={"null": partial(cable.rate, "mcast_inject")},
        details=cable.long_run,
        close=lambda: lab.__exit__(None, None, None),
    )


class Cable:
    """A veth between two namespaces; `ours`: the program whose counters must be exact."""

    ours = "mcast_xdp"

    def __init__(self, lab: Lab, every: Sequence[bytes], *, dropped: bool) -> None:
        """`dropped`: programs drop what they would pass on."""
        self._every, self._dropped = every, dropped
        sender, self._receiver = lab.namespace("sender"), lab.namespace("receiver")
        for each in (sender, self._receiver):  # nobody else is to speak
            each.sysctl(dict.fromkeys(NO_IPV6, 1))
        veth(sender, "eth0", self._receiver, "eth0")
        self._index = self._receiver.index("eth0")
        compiled = obtain(lambda text: None)
        self.kernel = lab.keep(Kernel(dropping(compiled) if dropped else compiled))
        self._generator = lab.keep(Generator((sender, "eth0"), (self._receiver, "eth0")))
        look_on(self.kernel, self._index, Policy())

    def rate(self, name: str, seconds: float) -> float:
        """Millions of frames a second."""
        return self._run(name, max(FEWEST, min(MOST, int(seconds * STRETCH * PER_SECOND))))

    def long_run(self, seconds: float) -> Details:
        """Nothing if there is no time for it."""
        if seconds * PER_SECOND < LONG_RUN or not self.are_counted():
            return Details()
        tell(f"    {LONG_RUN:,} frames in one run")
        mpps = self._run(self.ours, LONG_RUN)
        return Details(
            {"frames": LONG_RUN, "exact": True, "mpps": mpps},
            (f"{LONG_RUN:,} frames in one run at {mpps:.3g} Mpps: every counter exact",),
        )

    def _run(self, name: str, count: int) -> float:
        """RuntimeError if the program did not count each frame as what it is."""
        program = self.program(name)
        if self._dropped:
            program = self._generator.passing_marks(program)
        with self._receiver.entered():
            link = Link(program, self._index, AttachType.XDP, XDP_FLAGS_DRV_MODE)
        try:
            self._generator.send(self._every, FEWEST)
            before = self.counted()
            sent = self._generator.send(self._every, count)
            counted = self.counted() - before
        finally:
            link.close()
        expected = count if name == self.ours and self.are_counted() else 0
        if counted != expected:
            raise RuntimeError(f"{count} frames were sent, {counted} counted")
        return count / sent.seconds / 1e6

    def program(self, name: str) -> Program:
        return self.kernel.program(name)

    def are_counted(self) -> bool:
        """Whether these frames are what our program counts."""
        return self._every[0][23] == 2

    def counted(self) -> int:
        """RuntimeError if anything was refused: all frames are good."""
        values: Counters = read(self.kernel.maps["counters"], 1)[0]
        if any(sum(each) for each in values.rejected[0]):
            raise RuntimeError(f"good frames were refused: {values.rejected[0]}")
        return sum(values.accepted[0])
