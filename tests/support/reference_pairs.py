"""What is counted of pairs, told a second time: with sets and lists, and no bits.

Slow and plain on purpose, as reference_streams.py, from which it has the legs' streams.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from support.reference_streams import Datagram, Format, Stream, find

NUMBERS, MARKS, MESSAGES = 4096, 15, 512
SECOND = 1_000_000_000


@dataclass
class Leg:
    packets: int = 0
    brought: int = 0
    alone: int = 0
    late: int = 0
    strangers: int = 0
    last: int | None = None
    last_numbered: int | None = None
    format: str = "none"
    source: bytes = b""
    number: int = 0
    whose: object = None
    is_in: bool = False


@dataclass(frozen=True)
class Packet:
    """Of a leg; `number`: None if it has none."""

    leg: int
    source: bytes
    format: str
    whose: object
    number: int | None
    count: int
    bits: int
    step: int
    first_at: int
    is_two: bool
    """Its own number, and that of the packet before it."""


@dataclass
class Pair:
    window: int
    legs: tuple[Leg, Leg] = field(default_factory=lambda: (Leg(), Leg()))
    both: int = 0
    neither: int = 0
    begun: int = 0
    apart_since: int | None = None
    now: int = 0
    kind: object = None
    """Whose numbers are counted, and in which format; None before it has begun."""
    base: int = 0
    decided: int = 0
    highest: int = 0
    number: int = 0
    came: dict[int, dict[int, int | None]] = field(default_factory=dict)
    """By position: which leg brought it, and when, if a packet began with it."""
    marks: list[tuple[int, int]] = field(default_factory=list)
    skews: list[tuple[int, int]] = field(default_factory=list)
    """When each was seen, and what it was."""

    @property
    def undecided(self) -> int:
        return self.highest + 1 - self.decided if self.kind is not None else 0

    def look(self, now: int) -> None:
        """Decides what has passed by then."""
        if self.kind is None:
            return
        if now - self.now >= self.window:
            self.marks.clear()
            self._decide(self.highest + 1)
        while self.marks and now - self.marks[0][0] >= self.window:
            self._decide(self.marks.pop(0)[1] + 1)

    def _decide(self, to: int) -> None:
        for position in range(self.decided, to):
            legs = set(self.came.pop(position, {}))
            if legs == {0, 1}:
                self.both += 1
            elif legs:
                self.legs[min(legs)].alone += 1
            else:
                self.neither += 1
        self.decided = max(self.decided, to)

    def take(self, packet: Packet, now: int) -> None:
        moment = max(now, self.now)
        self.look(moment)
        self.now = moment
        leg, other = self.legs[packet.leg], self.legs[1 - packet.leg]
        if leg.last is not None and leg.source != packet.source and moment - leg.last < self.window:
            leg.strangers += 1
            return
        leg.source, leg.last, leg.format = packet.source, moment, packet.format
        leg.packets += 1
        if packet.number is None:
            return
        leg.last_numbered, leg.number, leg.whose = moment, packet.number, packet.whose
        if (
            other.last_numbered is not None
            and moment - other.last_numbered < self.window
            and (
                (other.format, other.whose) != (leg.format, leg.whose)
                or self._steps(packet, other.number) is None
            )
        ):
            self.apart_since = self.apart_since or moment
            self._break_off()
            return
        self.apart_since = None
        kind = (packet.format, packet.whose)
        steps = self._steps(packet, self.number) if self.kind == kind else None
        if steps is None:
            self._break_off()
            self.kind = kind
            self.begun += 1
            self.base = self.decided = 0
            self.highest, self.number = -1, packet.number - packet.step
            self.legs[0].is_in = self.legs[1].is_in = False
            steps = 1
        self._place(packet, leg, self.highest + steps, now)

    def _break_off(self) -> None:
        self.kind = None
        self.came.clear()
        self.marks.clear()

    def _steps(self, packet: Packet, before: int) -> int | None:
        """Packets from that number to this one's; None if it is none, or too far."""
        assert packet.number is not None
        size = 1 << packet.bits
        ahead, back = (packet.number - before) % size, (before - packet.number) % size
        distance = min(ahead, back)
        if distance % packet.step or distance // packet.step >= NUMBERS:
            return None
        return distance // packet.step if ahead < back else -(distance // packet.step)

    def _place(self, packet: Packet, leg: Leg, position: int, now: int) -> None:
        if not leg.is_in:
            leg.is_in = True
            if self.decided == self.base and position > self.base:
                self.came = {at: each for at, each in self.came.items() if at >= position}
                self.base = self.decided = position
        count = min(packet.count, MESSAGES)
        last = position + count - 1
        if last > self.highest:
            self.number += (last - self.highest) * packet.step
            self.highest = last
            self._decide(last + 1 - NUMBERS)
        for each in range(position, position + count):
            # Only packets that begin with the same number have a skew.
            begins = each == position or packet.is_two
            at = packet.first_at if each == position else now
            self._bring(packet.leg, each, at if begins else None)
        if not self.marks or self.now - self.marks[-1][0] > self.window // MARKS:
            self.marks.append((self.now, self.highest))

    def _bring(self, leg: int, position: int, at: int | None) -> None:
        if position < self.decided:
            self.legs[leg].late += position >= self.base
            return
        legs = self.came.setdefault(position, {})
        if leg in legs:
            return
        legs[leg] = at
        self.legs[leg].brought += 1
        times = [legs.get(0), legs.get(1)]
        if times[0] is not None and times[1] is not None:
            self.skews.append((self.now, times[1] - times[0]))

    def skews_of(self, second: int) -> list[int]:
        return [skew for at, skew in self.skews if at // SECOND == second]


def skew_class(skew: int) -> tuple[int, int]:
    """Below 0 or not, and the class."""
    size = abs(skew)
    if size < 1024:
        return int(skew < 0), 0
    power = size.bit_length() - 11
    return int(skew < 0), min(1 + 8 * power + (size >> (power + 7)) % 8, 167)


def classes(skews: list[int]) -> Counter[tuple[int, int]]:
    return Counter(map(skew_class, skews))


@dataclass
class Pairs:
    """Of frames: what their streams say is told to pairs. `legs`: pair and leg by group, port."""

    legs: dict[tuple[bytes, int], tuple[int, int]]
    pairs: list[Pair]
    configured: dict[tuple[bytes, int], Format] = field(default_factory=dict)
    streams: dict[object, Stream] = field(default_factory=dict)

    def take(self, frame: bytes, now: int) -> None:
        found = find(frame, len(frame), "ethernet")
        if not isinstance(found, Datagram):
            return
        _, source, group, port = found.key
        assert isinstance(source, bytes)
        assert isinstance(group, bytes)
        assert isinstance(port, int)
        stream = self.streams.get(found.key)
        if stream is None:
            stream = self.streams[found.key] = Stream(self.configured.get((group, port)))
        before = stream.times[-1] if stream.times else 0
        stream.take(found, now)
        if (group, port) not in self.legs:
            return
        pair, leg = self.legs[group, port]
        name, had = stream.format.removesuffix("+mpegts"), stream.had
        if name in ("none", "mpegts"):
            had = None
        whose = {"rtp": stream.rtp.whose, "sacn": stream.sacn.whose, "moldudp64": stream.mold.whose}
        step = stream.configured.step if stream.configured is not None else 1
        number, count, bits = had or (None, 0, 0)
        is_two = count == 2 and name != "moldudp64"
        packet = Packet(
            leg, source, name, whose.get(name), number, count, bits, step,
            before if is_two else now, is_two,
        )  # fmt: skip
        self.pairs[pair].take(packet, now)
