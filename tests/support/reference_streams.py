"""What is counted of streams, told a second time: from the paper, with sets and lists and no bits.

Slow and plain on purpose. `Streams.take` gets what the native one gets.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

UDP, FRAGMENT = 17, 44
PASSED = {0, 43, 60, FRAGMENT}
TAGS = {0x8100, 0x88A8, 0x9100}
MOST_HEADERS = 16


class Datagram(NamedTuple):
    """`payload`: as much as is there, None if it is not to be looked at; `length` as UDP says."""

    key: tuple[object, ...]
    ip_length: int
    payload: bytes | None
    length: int
    whole: bool
    ttl: int = 0


LATER = "a later fragment"


def find(frame: bytes, wire: int, link: str) -> Datagram | str | None:
    """The datagram in a packet, LATER, or None. `link`: "ethernet", "cooked", "ip"."""
    if link == "ip":
        kind = {4: 0x0800, 6: 0x86DD}.get(frame[0] >> 4 if frame else 0, 0)
        return find_ip(kind, frame, wire, ())
    if len(frame) < 14 or (link == "ethernet" and not frame[0] & 1):
        return None
    at, kind = 14, int.from_bytes(frame[12:14])
    tags: list[int] = []
    while kind in TAGS and len(tags) < 2:
        if len(frame) < at + 4:
            return None
        tags.append(int.from_bytes(frame[at : at + 2]) & 0xFFF)
        kind = int.from_bytes(frame[at + 2 : at + 4])
        at += 4
    return find_ip(kind, frame[at:], wire - at, tuple(tags))


def find_ip(kind: int, packet: bytes, wire: int, tags: tuple[int, ...]) -> Datagram | str | None:
    if kind == 0x0800 and len(packet) >= 20 and packet[0] >> 4 == 4:
        return with_ttl(find_ipv4(packet, wire, tags), packet[8])
    if kind == 0x86DD and len(packet) >= 40 and packet[0] >> 4 == 6:
        total = 40 + int.from_bytes(packet[4:6])
        if packet[24] == 0xFF and total <= wire:
            found = find_behind(packet[:total], total, (tags, packet[8:24], packet[24:40]))
            return with_ttl(found, packet[7])
    return None


def with_ttl(found: Datagram | str | None, ttl: int) -> Datagram | str | None:
    return found._replace(ttl=ttl) if isinstance(found, Datagram) else found


def find_ipv4(packet: bytes, wire: int, tags: tuple[int, ...]) -> Datagram | str | None:
    header, total = (packet[0] & 15) * 4, int.from_bytes(packet[2:4])
    bits = int.from_bytes(packet[6:8])
    if packet[9] != UDP or packet[16] not in range(224, 240):
        return None
    if header < 20 or total < header or total > wire:
        return None
    if bits & 0x1FFF:
        return LATER
    key = (tags, packet[12:16], packet[16:20])
    return find_udp(packet[:total], header, total, bool(bits & 0x2000), key)


def find_behind(packet: bytes, total: int, key: tuple[object, ...]) -> Datagram | str | None:
    kind, at, more, passed = packet[6], 40, False, 0
    while kind in PASSED:
        if passed == MOST_HEADERS or (kind == 0 and passed) or len(packet) < at + 8:
            return None
        passed += 1
        size = 8 if kind == FRAGMENT else 8 * (packet[at + 1] + 1)
        if kind == FRAGMENT:
            bits = int.from_bytes(packet[at + 2 : at + 4])
            if bits >> 3:
                return LATER if packet[at] == UDP else None
            more = more or bool(bits & 1)
        kind = packet[at]
        at += size
    return find_udp(packet, at, total, more, key) if kind == UDP else None


def find_udp(
    packet: bytes, at: int, total: int, more: bool, key: tuple[object, ...]
) -> Datagram | None:
    if at + 8 > total or len(packet) < at + 8:
        return None
    _, port, length, _ = struct.unpack_from(">4H", packet, at)
    key = (*key, port)
    if length < 8 or (length > total - at and not more):
        return Datagram(key, total, None, 0, False)
    payload = packet[at + 8 : at + length]
    whole = len(payload) == length - 8 and not more
    return Datagram(key, total, payload, length - 8, whole)


class Rtp(NamedTuple):
    number: int
    ssrc: bytes
    content: bytes


def as_rtp(datagram: Datagram) -> Rtp | None:
    """RFC 3550 §5.1."""
    payload = datagram.payload
    assert payload is not None
    if len(payload) < 12 or payload[0] >> 6 != 2 or payload[1] & 0x7F in range(64, 96):
        return None
    end = 12 + 4 * (payload[0] & 15)
    if end > len(payload):
        return None
    if payload[0] & 0x10:
        if end + 4 > datagram.length:
            return None
        if end + 4 <= len(payload):
            end += 4 + 4 * int.from_bytes(payload[end + 2 : end + 4])
        if end > datagram.length:
            return None
    content = payload[end:]
    if payload[0] & 0x20 and datagram.whole:
        padding = payload[-1]
        if not 1 <= padding <= len(payload) - end:
            return None
        content = payload[end : len(payload) - padding]
    return Rtp(int.from_bytes(payload[2:4]), payload[8:12], content if datagram.whole else b"")


def as_ts(content: bytes) -> list[bytes] | None:
    if not content or len(content) % 188:
        return None
    packets = [content[at : at + 188] for at in range(0, len(content), 188)][:48]
    return packets if all(each[0] == 0x47 for each in packets) else None


@dataclass
class Numbers:
    """Numbers as they are sent, without end: the first is 0."""

    lost_before: int = 0
    reordered: int = 0
    duplicates: int = 0
    resets: int = 0
    came: set[int] = field(default_factory=set)
    base: int = 0
    highest: int | None = None

    def begin(self, *numbers: int) -> None:
        self.lost_before = self.lost
        self.came, self.base, self.highest = set(numbers), numbers[0], numbers[-1]

    @property
    def lost(self) -> int:
        """RFC 3550 §A.3."""
        if self.highest is None:
            return self.lost_before
        expected = self.highest - self.base + 1
        return self.lost_before + expected - sum(each >= self.base for each in self.came)

    def is_late(self, number: int) -> None:
        assert self.highest is not None
        if number <= self.highest - 64:
            return
        if number in self.came:
            self.duplicates += 1
        else:
            self.came.add(number)
            self.reordered += 1


@dataclass
class Wide:
    """Numbers of 16 bits and more; those of a custom format go up by `step`."""

    bits: int
    step: int = 1
    numbers: Numbers = field(default_factory=Numbers)
    whose: bytes = b""
    put_off: tuple[int, bytes, bool] | None = None
    latest: tuple[int, bool] = (0, False)
    pair: tuple[bool, bool] | None = None
    """Whether the first two packets in sequence carried TS, once there were two."""
    highest: int = 0
    place: int = 0
    known: int = 0
    """How many numbers in sequence the last packet made known."""

    def follows(self, number: int, before: int) -> bool:
        return (number - before) % (1 << self.bits) == self.step

    def take(self, number: int, whose: bytes, ts: bool) -> None:
        self.known = 1
        if self.numbers.highest is None:
            self._begin(number, whose, ts, 0)
        elif (
            self.put_off is not None
            and self.put_off[1] == whose
            and self.follows(number, self.put_off[0])
        ):
            if self.pair is None:
                self.pair = (self.put_off[2], ts)
            else:
                self.numbers.resets += 1
            self._begin(number, whose, ts, 0, 1)
            self.known = 2
        else:
            steps = self._steps(number) if whose == self.whose else None
            if steps is None:
                self.put_off = (number, whose, ts)
                self.known = 0
                return
            self._take_in_order(number, ts, steps)
        self.put_off = None

    def _begin(self, number: int, whose: bytes, ts: bool, *numbers: int) -> None:
        self.numbers.begin(*numbers)
        self.whose, self.latest, self.highest = whose, (number, ts), number

    def _steps(self, number: int) -> int | None:
        """Packets from the highest to this one; None for a jump."""
        size = 1 << self.bits
        ahead, back = (number - self.highest) % size, (self.highest - number) % size
        distance, most = (ahead, 2999) if 0 < ahead < back else (back, 99)
        if distance % self.step or distance // self.step > most:
            return None
        return distance // self.step if 0 < ahead < back else -(distance // self.step)

    def _take_in_order(self, number: int, ts: bool, steps: int) -> None:
        if self.pair is None and self.follows(number, self.latest[0]):
            self.pair = (self.latest[1], ts)
            self.known = 2
        self.latest = (number, ts)
        assert self.numbers.highest is not None
        place = self.numbers.highest + steps
        if steps > 0:
            self.numbers.came.add(place)
            self.numbers.highest, self.highest = place, number
        else:
            self.numbers.is_late(place)


@dataclass
class Narrow:
    """Numbers of 8 bits (E1.31 §6.7.2)."""

    step: int = 1
    numbers: Numbers = field(default_factory=Numbers)
    whose: bytes = b""
    highest: int = 0

    def take(self, number: int, whose: bytes) -> None:
        if self.numbers.highest is None:
            self._begin(number, whose)
            return
        steps = (number - self.highest + 128) % 256 - 128
        packets, rest = divmod(abs(steps), self.step)
        if whose != self.whose or rest or (steps < 0 and packets >= 20):
            self.numbers.resets += 1
            self._begin(number, whose)
        elif steps > 0:
            self.numbers.highest += packets
            self.numbers.came.add(self.numbers.highest)
            self.highest = number
        else:
            self.numbers.is_late(self.numbers.highest - packets)

    def _begin(self, number: int, whose: bytes) -> None:
        self.numbers.begin(0)
        self.whose, self.highest = whose, number


@dataclass
class Messages:
    """MoldUDP64: each message has a number."""

    numbers: Numbers = field(default_factory=Numbers)
    whose: bytes | None = None

    def take(self, number: int, count: int, whose: bytes) -> None:
        numbers = self.numbers
        if self.whose != whose:
            if self.whose is not None:
                numbers.resets += 1
            numbers.lost_before = numbers.lost
            numbers.came, numbers.base, numbers.highest = set(), number, number - 1
            self.whose = whose
        assert numbers.highest is not None
        late = [each for each in range(number, number + count) if each <= numbers.highest]
        seen = [each for each in late if each > numbers.highest - 64]
        missing = [each for each in seen if each not in numbers.came]
        if missing:
            numbers.reordered += 1
            numbers.came.update(missing)
        elif seen:
            numbers.duplicates += 1
        new = range(max(number, numbers.highest + 1), number + count)
        numbers.came.update(new)
        numbers.highest = max(numbers.highest, number + count - 1)


@dataclass
class Continuity:
    """ISO 13818-1 §2.4.3.3."""

    lost: int = 0
    last: dict[int, tuple[int, bool]] = field(default_factory=dict)

    def take(self, packets: list[bytes]) -> None:
        for each in packets:
            self._take(each)

    def _take(self, packet: bytes) -> None:
        pid = int.from_bytes(packet[1:3]) & 0x1FFF
        control, counter = packet[3] >> 4 & 3, packet[3] & 15
        if packet[1] & 0x80 or pid == 0x1FFF or control == 0:
            return
        if pid not in self.last:
            if len(self.last) < 32:
                self.last[pid] = (counter, False)
            return
        if control in (2, 3) and packet[4] >= 1 and packet[5] & 0x80:
            self.last[pid] = (counter, False)
            return
        last, repeated = self.last[pid]
        steps = (counter - last) % 16
        if control == 2:
            self.lost += steps
            self.last[pid] = (counter, repeated and not steps)
        elif steps:
            self.lost += steps - 1
            self.last[pid] = (counter, False)
        else:
            self.lost += 15 if repeated else 0
            self.last[pid] = (counter, not repeated)


class Format(NamedTuple):
    """A configured one."""

    name: str
    offset: int = 0
    size: int = 0
    step: int = 1


GAP_BOUNDS = [62_500 << power for power in range(21)]


@dataclass
class Stream:
    """One stream; `configured`: its format, not to be guessed."""

    configured: Format | None = None
    times: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    ttl: int = 0
    format: str = "none"
    rtp: Wide = field(default_factory=lambda: Wide(16))
    sacn: Narrow = field(default_factory=Narrow)
    mold: Messages = field(default_factory=Messages)
    wide: Wide | None = None
    narrow: Narrow | None = None
    ts: Continuity = field(default_factory=Continuity)
    ts_before: bool = False
    had: tuple[int, int, int] | None = None
    """The last packet's first number, how many it made known, and the bits of numbers."""

    def __post_init__(self) -> None:
        if self.configured is None:
            return
        self.format = self.configured.name
        if self.format == "custom" and self.configured.size == 1:
            self.narrow = Narrow(self.configured.step)
        elif self.format == "custom":
            self.wide = Wide(8 * self.configured.size, self.configured.step)

    def take(self, datagram: Datagram, now: int) -> None:
        self.times.append(now)
        self.sizes.append(datagram.ip_length)
        self.had = None
        self.ttl = datagram.ttl
        if datagram.payload is None:
            self._break_ts()
            return
        match self.format:
            case "rtp" | "rtp+mpegts":
                self._rtp(datagram)
            case "mpegts":
                self.ts.take(self._ts(datagram) or [])
            case "sacn":
                self._sacn(datagram.payload)
            case "moldudp64":
                self._mold(datagram.payload)
            case "custom":
                self._custom(datagram.payload)
            case _ if self.configured is None:
                self._guess(datagram)

    def _break_ts(self) -> None:
        if self.format == "none":
            self.ts, self.ts_before = Continuity(), False

    def _ts(self, datagram: Datagram) -> list[bytes] | None:
        assert datagram.payload is not None
        return as_ts(datagram.payload) if datagram.whole else None

    def _rtp(self, datagram: Datagram) -> None:
        rtp = as_rtp(datagram)
        if rtp is not None:
            self.rtp.take(rtp.number, rtp.ssrc, as_ts(rtp.content) is not None)
            self._had(rtp.number, self.rtp)

    def _had(self, number: int, wide: Wide) -> None:
        if wide.known:
            first = (number - (wide.known - 1) * wide.step) % (1 << wide.bits)
            self.had = first, wide.known, wide.bits

    def _sacn(self, payload: bytes) -> bool:
        if len(payload) < 115 or payload[:16] != b"\0\x10\0\0ASC-E1.17\0\0\0":
            return False
        if payload[18:22] != b"\0\0\0\4" or payload[40:44] != b"\0\0\0\2":
            return False
        self.sacn.take(payload[111], payload[22:38] + payload[113:115])
        self.had = payload[111], 1, 8
        return True

    def _mold(self, payload: bytes) -> None:
        if len(payload) >= 20:
            session, number, count = struct.unpack_from(">10sQH", payload)
            self.mold.take(number, 0 if count == 0xFFFF else count, session)
            self.had = number, 0 if count == 0xFFFF else count, 64

    def _custom(self, payload: bytes) -> None:
        assert self.configured is not None
        number = payload[self.configured.offset :][: self.configured.size]
        if len(number) < self.configured.size:
            return
        if self.narrow is not None:
            self.narrow.take(number[0], b"")
            self.had = number[0], 1, 8
        elif self.wide is not None:
            self.wide.take(int.from_bytes(number), b"", False)
            self._had(int.from_bytes(number), self.wide)

    def _guess(self, datagram: Datagram) -> None:
        assert datagram.payload is not None
        if self._sacn(datagram.payload):
            self.format = "sacn"
            return
        self._rtp(datagram)
        if self.rtp.pair is not None:
            self.format = "rtp+mpegts" if all(self.rtp.pair) else "rtp"
        packets = self._ts(datagram)
        if packets is None:
            self._break_ts()
            return
        self.ts.take(packets)
        if self.ts_before:
            self.format = "mpegts"
        self.ts_before = True

    def said(self) -> dict[str, object]:
        """The fields that do not depend on the file's last packet."""
        gaps = [max(0, b - a) for a, b in zip(self.times, self.times[1:], strict=False)]
        classes = Counter(sum(gap > bound for bound in GAP_BOUNDS) for gap in gaps)
        return {
            "packets": len(self.times),
            "bytes": sum(self.sizes),
            "first": self.times[0],
            "last": self.times[-1],
            "longest_gap": max(gaps, default=None),
            "gaps": dict(sorted(classes.items())),
            "format": self.format,
            "ttl": self.ttl,
            **self._numbers(),
        }

    def _numbers(self) -> dict[str, object]:
        names = ("lost", "reordered", "duplicates", "resets")
        if self.format == "none":
            return dict.fromkeys(names)
        if self.format == "mpegts":
            return dict.fromkeys(names) | {"lost": self.ts.lost}
        by_format: dict[str, Wide | Narrow | Messages | None] = {
            "sacn": self.sacn,
            "moldudp64": self.mold,
            "custom": self.wide or self.narrow,
        }
        chosen = by_format.get(self.format, self.rtp)
        assert chosen is not None
        return {name: getattr(chosen.numbers, name) for name in names}


@dataclass
class Streams:
    """All streams of a file."""

    formats: dict[tuple[bytes, int], Format] = field(default_factory=dict)
    most: int = 4096
    streams: dict[tuple[object, ...], Stream] = field(default_factory=dict)
    fragments: int = 0
    untracked: int = 0

    def take(
        self, frame: bytes, now: int, *, wire: int = 0, link: str = "ethernet", interface: int = 0
    ) -> None:
        found = find(frame, max(wire, len(frame)), link)
        if found == LATER:
            self.fragments += 1
        if not isinstance(found, Datagram):
            return
        key = (interface, *found.key)
        if key not in self.streams:
            if len(self.streams) >= self.most:
                self.untracked += 1
                return
            _, _, group, port = found.key
            self.streams[key] = Stream(self.formats.get((group, port)))  # type: ignore[arg-type]
        self.streams[key].take(found, now)
