"""Datagrams of multicast streams by hand, and stories of them by dice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address
from random import Random
from struct import pack
from typing import NamedTuple

from mcastd.streams import Link, StreamTable
from mcastd.streams.formats import StreamFormat, networks

from support import reference_streams

SECOND = 1_000_000_000
START = 1_763_751_234 * SECOND

GROUP, SOURCE, PORT = "239.1.1.1", "10.0.0.2", 5004
GROUP_6, SOURCE_6 = "ff15::1:1", "fe80::2"


@lru_cache
def packed(address: str) -> bytes:
    return ip_address(address).packed


def udp(payload: bytes, port: int = PORT, length: int | None = None) -> bytes:
    return pack(">4H", 40000, port, 8 + len(payload) if length is None else length, 0) + payload


def ipv4(
    packet: bytes,
    *,
    source: str = SOURCE,
    group: str = GROUP,
    protocol: int = 17,
    bits: int = 0,
    options: bytes = b"",
    total: int | None = None,
    ttl: int = 16,
) -> bytes:
    words = 5 + len(options) // 4
    length = 4 * words + len(packet) if total is None else total
    head = pack(">BBHHHBBH", 0x40 | words, 0, length, 0, bits, ttl, protocol, 0)
    return head + packed(source) + packed(group) + options + packet


def ipv6(
    packet: bytes,
    *,
    source: str = SOURCE_6,
    group: str = GROUP_6,
    headers: tuple[tuple[int, bytes], ...] = (),
    length: int | None = None,
    ttl: int = 16,
) -> bytes:
    """`headers`: number of each extension header, and its bytes but for the first."""
    numbers = [number for number, _ in headers] + [17]
    chain = b"".join(
        bytes((following,)) + rest
        for following, (_, rest) in zip(numbers[1:], headers, strict=True)
    )
    size = len(chain) + len(packet) if length is None else length
    head = pack(">IHBB", 6 << 28, size, numbers[0], ttl)
    return head + packed(source) + packed(group) + chain + packet


def framed(packet: bytes, *tags: int, to: bytes = b"\1\0\x5e\1\1\1") -> bytes:
    kind = b"\x86\xdd" if packet[:1] and packet[0] >> 4 == 6 else b"\x08\0"
    between = b"".join(b"\x81\0" + tag.to_bytes(2) for tag in tags)
    return to + b"\2\0\0\0\0\2" + between + kind + packet


def frame(payload: bytes, *tags: int, port: int = PORT, group: str = GROUP) -> bytes:
    return framed(ipv4(udp(payload, port), group=group), *tags)


def rtp(
    number: int,
    ssrc: int = 1,
    content: bytes = b"content",
    *,
    kind: int = 33,
    sources: int = 0,
    extension: int | None = None,
    padding: int = 0,
) -> bytes:
    """`extension`: its length in words; the words are zeros."""
    first = 0x80 | sources | (0x10 if extension is not None else 0) | (0x20 if padding else 0)
    head = pack(">BBHII", first, kind, number & 0xFFFF, 0, ssrc) + bytes(4 * sources)
    if extension is not None:
        head += pack(">HH", 0xBEDE, extension) + bytes(4 * extension)
    tail = bytes(padding - 1) + bytes((padding,)) if padding else b""
    return head + content + tail


def ts_packet(
    pid: int, counter: int, control: int = 1, *, error: bool = False, discontinuity: bool = False
) -> bytes:
    field = b""
    if control & 2:
        field = b"\1\x80" if discontinuity else b"\1\0"
    first = (0x80 if error else 0) | pid >> 8
    head = bytes((0x47, first, pid & 0xFF, control << 4 | counter & 15))
    return (head + field).ljust(188, b"\xff")


def sacn(number: int, cid: int = 7, universe: int = 1, vectors: tuple[int, int] = (4, 2)) -> bytes:
    root = b"\0\x10\0\0ASC-E1.17\0\0\0" + pack(">HI", 0x726E, vectors[0]) + cid.to_bytes(16)
    framing = pack(">HI64sBHBBH", 0x7258, vectors[1], b"desk", 100, 0, number & 0xFF, 0, universe)
    return root + framing + bytes(523)


def mold(number: int, count: int, session: bytes = b"SESSION001") -> bytes:
    return pack(">10sQH", session, number % (1 << 64), count) + bytes(8)


class Event(NamedTuple):
    """A captured packet, `wire` bytes long before it was cut."""

    data: bytes
    at: int
    wire: int = 0
    link: Link = Link.ETHERNET
    interface: int = 0


def native(events: list[Event], formats: list[StreamFormat] | None = None) -> StreamTable:
    table = StreamTable(formats or [])
    for each in events:
        length = max(each.wire, len(each.data))
        table.take(each.data, length, each.link, each.interface, each.at)
    return table


def reference(
    events: list[Event], formats: list[StreamFormat] | None = None
) -> reference_streams.Streams:
    told = reference_streams.Streams(
        {
            (each.groups.network_address.packed, each.port or 0): reference_streams.Format(
                each.format, each.offset, each.width, each.step
            )
            for each in formats or []
        }
    )
    for each in events:
        told.take(
            each.data,
            each.at,
            wire=each.wire,
            link=each.link.name.lower(),
            interface=each.interface,
        )
    return told


def said_by_native(table: StreamTable) -> list[dict[str, object]]:
    """As the reference says it."""
    return [
        {
            "packets": sample.packets,
            "bytes": sample.size,
            "first": sample.first,
            "last": sample.last,
            "longest_gap": sample.longest_gap,
            "gaps": {place: n for place, n in enumerate(sample.gaps) if n},
            "format": sample.format,
            "ttl": sample.ttl,
            "lost": sample.lost,
            "reordered": sample.reordered,
            "duplicates": sample.duplicates,
            "resets": sample.resets,
        }
        for _, sample, _ in table
    ]


def differs(events: list[Event], formats: list[StreamFormat] | None = None) -> str | None:
    """In what the native table and the reference differ; None if they say the same."""
    table, told = native(events, formats), reference(events, formats)
    found, wanted = said_by_native(table), [each.said() for each in told.streams.values()]
    if found != wanted:
        return f"streams: {found}\nreference: {wanted}"
    keys = [(key.ifindex, key.vlan, key.source, key.group, key.port) for key, _, _ in table]
    if keys != list(told.streams):
        return f"keys: {keys}\nreference: {list(told.streams)}"
    rest = (table.rest.fragments, table.rest.untracked)
    return None if rest == (told.fragments, told.untracked) else f"rest: {rest}"


def bad_input() -> dict[str, list[bytes]]:
    """What a sender may get wrong, or somebody may mean ill by; frames that were not cut."""
    dice = Random(1)
    whole = rtp(7, sources=15, extension=9, padding=9)
    claims = bytes((0x9F, 33)) + whole[2:]
    return {
        "a UDP length below its header": [framed(ipv4(udp(rtp(n), length=n))) for n in range(8)],
        "a UDP length beyond the packet": [framed(ipv4(udp(rtp(n), length=999))) for n in range(3)],
        "an IP length beyond the frame": [framed(ipv4(udp(rtp(1)), total=900))],
        "an IP length below its header": [framed(ipv4(udp(rtp(1)), total=n)) for n in (0, 19, 27)],
        "bytes behind the packet": [frame(rtp(n)) + bytes(9) for n in (1, 2)],
        "headers of RTP that are cut short": [frame(rtp(1)[:size]) for size in range(13)],
        "CSRCs beyond the end": [frame(claims[:size]) for size in range(12, 72, 5)],
        "an extension beyond the end": [frame(whole[: 76 + n]) for n in range(0, 44, 4)],
        "padding of none, and beyond the end": [
            frame(rtp(1, padding=4)[:-1] + bytes((n,))) for n in (0, 1, 11, 12, 255)
        ],
        "payloads that look like RTP": [frame(b"\x80" + dice.randbytes(40)) for _ in range(200)],
        "numbers at random": [frame(rtp(dice.randrange(65536))) for _ in range(200)],
        "a source that restarts": [
            frame(rtp(number, ssrc)) for ssrc in (1, 2, 1) for number in range(500, 520)
        ],
        "payloads that look like MPEG-TS": [
            frame((b"\x47" + dice.randbytes(187)) * dice.randrange(1, 8)) for _ in range(50)
        ],
        "more PIDs than are followed": [
            frame(ts_packet(pid, counter)) for counter in (0, 2) for pid in range(100, 140)
        ],
        "extension headers without end": [
            framed(ipv6(udp(rtp(1)), headers=((60, bytes(7)),) * n)) for n in (1, 15, 16, 17, 40)
        ],
        "tags without end": [frame(rtp(1), *range(n)) for n in range(5)],
        "an MLD message's place taken by data": [
            framed(ipv6(udp(rtp(1)), headers=((0, bytes((0, 5, 2, 0, 0, 1, 0))),)))
        ],
    }


class Story:
    """One random story of a stream or two, by a seed."""

    KINDS = ("rtp", "rtp", "rtp", "mpegts", "rtp+mpegts", "sacn", "moldudp64", "custom", "mixed")

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.formats: list[StreamFormat] = []
        self._counters: dict[int, int] = {}
        self.events = list(self._events(self.dice.choice(self.KINDS)))

    def _events(self, kind: str) -> Iterator[Event]:
        dice, at = self.dice, START
        payloads = self._payloads(kind, dice.choice((2, 3, 4, 6, 8, 20)))
        six = dice.random() < 0.2
        tags = (dice.randrange(4096),) if dice.random() < 0.1 else ()
        shapes = dice.random() < 0.1
        for payload in payloads:
            at += dice.choice((0, 1, 62_500, 62_501, 1_000_000, 10**8, 3 * 10**9, -(10**6)))
            datagram = udp(payload)
            if shapes and dice.random() < 0.3:
                yield self._unusual(payload, at)
                continue
            ttl = dice.choice((1, 16, 255))
            packet = ipv6(datagram, ttl=ttl) if six else ipv4(datagram, ttl=ttl)
            yield Event(framed(packet, *tags), at)

    def _unusual(self, payload: bytes, at: int) -> Event:
        """Cut, in fragments, with lengths that lie: but of the same stream."""
        dice = self.dice
        packet = ipv4(udp(payload))
        sort = dice.randrange(7)
        if sort == 0:
            data = framed(packet)
            return Event(data[: dice.randrange(len(data))], at, len(data))
        if sort == 1:
            return Event(framed(packet) + bytes(dice.randrange(20)), at)
        if sort == 2:
            packet = ipv4(udp(payload), bits=dice.choice((0x2000, 1, 0x2001)))
        elif sort == 3:
            packet = ipv4(udp(payload, length=dice.randrange(65536)))
        elif sort == 4:
            packet = ipv4(udp(payload), total=dice.randrange(len(packet) + 9))
        elif sort == 5:
            packet = ipv4(udp(payload), options=bytes(4 * dice.randrange(11)))
        else:
            kinds = [dice.choice((0, 43, 44, 60)) for _ in range(dice.randrange(4))]
            headers = tuple((kind, self._extension()) for kind in kinds)
            packet = ipv6(udp(payload), headers=headers)
        return Event(framed(packet), at)

    def _extension(self) -> bytes:
        if self.dice.random() < 0.5:
            return bytes((0, 0, self.dice.choice((0, 0, 1, 8)), 0, 0, 0, 0))
        words = self.dice.randrange(3)
        return bytes((words,)) + bytes(6 + 8 * words)

    def _payloads(self, kind: str, count: int) -> Iterator[bytes]:
        dice = self.dice
        configured = dice.random() < 0.2 or kind in ("moldudp64", "custom")
        if configured and kind != "mixed":
            width = dice.choice((1, 2, 4, 8)) if kind == "custom" else 0
            step = dice.choice((1, 1, 3, 160)) if kind == "custom" else 1
            at = dice.randrange(5) if kind == "custom" else 0
            for group in (GROUP, GROUP_6):
                made = StreamFormat(networks(group), PORT, kind, at, width, step).checked()
                self.formats.append(made)
        maker = getattr(self, f"_{kind.replace('+', '_')}")
        for number in self._numbers(count, self.formats[0].step if self.formats else 1):
            yield maker(number)

    def _numbers(self, count: int, step: int) -> Iterator[int]:
        """Mostly in sequence."""
        dice, number = self.dice, self.dice.choice((0, 65_530, 250, 1 << 40, 5000))
        wild = dice.random()
        sent: list[int] = []
        for _ in range(count):
            if dice.random() < wild:
                number = self._elsewhere(number, step)
            number += step
            sent.append(number)
            yield max(number, 0)
            if dice.random() < wild / 4:
                yield max(dice.choice(sent), 0)

    def _elsewhere(self, number: int, step: int) -> int:
        dice = self.dice
        far = dice.choice((1, 1, 2, 3, 5, 18, 19, 20, 21, 62, 63, 64, 65, 98, 99, 100, 101, 127,
                           2998, 2999, 3000, 3001, 32768, dice.randrange(65536)))  # fmt: skip
        return number + step * (far if dice.random() < 0.5 else -far) + (dice.random() < 0.05)

    def _rtp(self, number: int) -> bytes:
        dice = self.dice
        made = rtp(
            number,
            dice.choice((1, 1, 1, 1, 1, 1, 2)),
            kind=dice.choice((33, 33, 33, 33, 96, 63, 64, 95)),
            sources=dice.choice((0, 0, 0, 15)),
            extension=dice.choice((None, None, 0, 3)),
            padding=dice.choice((0, 0, 0, 4)),
        )
        return made[: dice.randrange(len(made) + 1)] if dice.random() < 0.05 else made

    def _ts_packets(self, number: int) -> bytes:
        dice = self.dice
        pids = dice.choice(((256,), (256, 257, 0x1FFF), range(200, 240)))
        made = []
        for _ in range(dice.choice((1, 1, 3, 7, 49))):
            pid = dice.choice(pids)
            control = dice.choice((1, 1, 1, 1, 1, 3, 2, 0))
            counter = self._counters.get(pid, number) + (control & 1)
            if dice.random() < 0.1:
                counter += dice.choice((-1, 1, 2, 7, 14, 15))
            self._counters[pid] = counter
            made.append(
                ts_packet(
                    pid,
                    counter,
                    control,
                    error=dice.random() < 0.03,
                    discontinuity=dice.random() < 0.1,
                )
            )
        return b"".join(made)

    def _mpegts(self, number: int) -> bytes:
        if self.dice.random() < 0.1:
            return self.dice.choice((b"", b"\x47", bytes(188), self._ts_packets(number)[:-1]))
        return self._ts_packets(number)

    def _rtp_mpegts(self, number: int) -> bytes:
        content = self._ts_packets(0) if self.dice.random() < 0.9 else b"something else"
        return rtp(number, content=content, padding=self.dice.choice((0, 0, 3)))

    def _sacn(self, number: int) -> bytes:
        dice = self.dice
        vectors = dice.choice(((4, 2), (4, 2), (4, 2), (4, 2), (8, 1), (4, 3)))
        made = sacn(number, dice.choice((7, 7, 7, 7, 8)), dice.choice((1, 1, 1, 1, 2)), vectors)
        return made[: dice.randrange(len(made))] if dice.random() < 0.05 else made

    def _moldudp64(self, number: int) -> bytes:
        dice = self.dice
        session = dice.choice((b"SESSION001",) * 9 + (b"SESSION002",))
        return mold(number, dice.choice((0, 0xFFFF, 1, 1, 1, 2, 5, 70)), session)

    def _custom(self, number: int) -> bytes:
        chosen = self.formats[0]
        written = (number % (1 << 8 * chosen.width)).to_bytes(chosen.width)
        return bytes(chosen.offset) + written + bytes(self.dice.randrange(3))

    def _mixed(self, number: int) -> bytes:
        makers = (self._rtp, self._rtp, self._mpegts, self._sacn, self._rtp_mpegts)
        if self.dice.random() < 0.1:
            return self.dice.randbytes(self.dice.randrange(200))
        return self.dice.choice(makers)(number)
