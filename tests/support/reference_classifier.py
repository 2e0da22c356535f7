"""What the classifier of `bpf/` must find, written apart from it and for reading, not for speed.

From the requirements (RFC 9776 §4 and §7.1, RFC 9777 §5 and §8.1, RFC 8200 §4.2) and from the order
of the reject reasons. Everything that is wrong with a packet is collected; the verdict is the first
of it. The records of reports are not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address

from support.packets import internet_checksum

REASONS = (
    "fragment", "too_short", "bad_length", "bad_checksum", "bad_ttl", "no_router_alert",
    "bad_source", "bad_destination", "bad_group", "bad_source_count", "unknown_type", "loopback",
)  # fmt: skip

VLAN_TYPES = {0x8100, 0x88A8, 0x9100}
MOST_STEPS = 20
MOST_OPTIONS = 16

IGMP_KINDS = {
    0x12: "igmp report 1",
    0x16: "igmp report 2",
    0x22: "igmp report 3",
    0x17: "igmp leave 2",
}
IGMP_ROUTER_TYPES = {0x13, 0x14, 0x15, 0x1E, 0x1F, 0x30, 0x31, 0x32}
MLD_KINDS = {131: "mld report 1", 132: "mld leave 1", 143: "mld report 2"}
MLD_QUERY = 130
MLD_TYPES = {MLD_QUERY, *MLD_KINDS}

ROUTER_ALERT = bytes((0x94, 4, 0, 0))

ALL_HOSTS_4 = IPv4Address("224.0.0.1")
ALL_NODES_6 = IPv6Address("ff02::1")


@dataclass(frozen=True)
class Rules:
    igmp_max_version: int = 3
    mld_max_version: int = 2
    require_ttl1: bool = True
    require_router_alert: bool = False


@dataclass(frozen=True)
class Verdict:
    """`kind` is None for what is neither IGMP nor MLD, and the rest then means nothing.

    `at`, `length`: of an accepted message; `at` counts from the IP header.
    """

    kind: str | None
    reason: str | None = None
    at: int = 0
    length: int = 0
    vlan: tuple[int, ...] = ()
    without_router_alert: bool = False
    to_assigned: bool = False
    from_others: bool = False


NOT_OURS = Verdict(None)


@dataclass
class Findings:
    kind: str
    at: int
    length: int
    wrong: set[str] = field(default_factory=set)
    without_router_alert: bool = False
    to_assigned: bool = False
    from_others: bool = False

    def verdict(self) -> Verdict:
        """Marks only matter while nothing that is looked for before them is wrong."""
        reason = min(self.wrong, key=REASONS.index, default=None)
        rank = len(REASONS) if reason is None else REASONS.index(reason)
        return Verdict(
            self.kind,
            reason,
            at=self.at if reason is None else 0,
            length=self.length if reason is None else 0,
            without_router_alert=self.without_router_alert and reason is None,
            to_assigned=self.to_assigned and rank > REASONS.index("bad_destination"),
            from_others=self.from_others and reason is None,
        )


def classify_frame(frame: bytes, rules: Rules) -> Verdict:
    """From the Ethernet header on; at most two VLAN tags."""
    vlan: list[int] = []
    at = 12
    while int.from_bytes(frame[at : at + 2]) in VLAN_TYPES and len(vlan) < 2:
        vlan.append(int.from_bytes(frame[at + 2 : at + 4]) & 0x0FFF)
        at += 4
    if len(frame) < at + 2:
        return NOT_OURS
    packet = frame[at + 2 :]
    match int.from_bytes(frame[at : at + 2]):
        case 0x0800:
            found = classify_ipv4(packet, rules)
        case 0x86DD:
            found = classify_ipv6(packet, rules)
        case _:
            return NOT_OURS
    return replace(found, vlan=tuple(vlan)) if found.kind else NOT_OURS


def classify_packet(packet: bytes, rules: Rules) -> Verdict:
    """From the IP header on."""
    match packet[:1] and packet[0] >> 4:
        case 4:
            return classify_ipv4(packet, rules)
        case 6:
            return classify_ipv6(packet, rules)
    return NOT_OURS


# IPv4 and IGMP


def classify_ipv4(packet: bytes, rules: Rules) -> Verdict:
    if len(packet) < 10 or packet[0] >> 4 != 4 or packet[9] != 2:
        return NOT_OURS
    header_length = 4 * (packet[0] & 0x0F)
    total_length = int.from_bytes(packet[2:4])
    is_fragment = int.from_bytes(packet[6:8]) & 0x3FFF != 0
    if is_fragment:
        return Verdict("igmp other", "fragment")
    if header_length < 20 or total_length < header_length:
        there = len(packet) - max(20, header_length)
        told = total_length - header_length
        least = igmp_least(packet[header_length : header_length + 1])
        is_short = there < least or 0 <= told < least
        return Verdict("igmp other", "too_short" if is_short else "bad_length")
    message = packet[header_length:total_length]
    length = total_length - header_length
    kind = igmp_kind(packet[header_length:], length)
    found = Findings(kind, header_length, length)
    if len(message) < igmp_fixed_part(message, length, rules):
        found.wrong.add("too_short")
    options = ipv4_options(packet[20:header_length])
    if options is None or total_length > len(packet):
        found.wrong.add("bad_length")
    if found.wrong:
        return found.verdict()
    if internet_checksum(packet[:header_length]) or internet_checksum(message):
        found.wrong.add("bad_checksum")
    if kind != "igmp other" and rules.require_ttl1 and packet[8] != 1:
        found.wrong.add("bad_ttl")
    if kind in ("igmp query 2", "igmp query 3") and not router_alert(options):
        if rules.require_router_alert:
            found.wrong.add("no_router_alert")
        found.without_router_alert = True
    check_igmp(found, message, IPv4Address(packet[12:16]), IPv4Address(packet[16:20]), rules)
    return found.verdict()


def igmp_kind(message: bytes, length: int) -> str:
    if len(message) < 2:
        return "igmp other"
    if message[0] != 0x11:
        return IGMP_KINDS.get(message[0], "igmp other")
    if length >= 12:
        return "igmp query 3"
    return "igmp query 2" if message[1:2] not in (b"", b"\0") else "igmp query 1"


def igmp_fixed_part(message: bytes, length: int, rules: Rules) -> int:
    """RFC 9776 §7.1: lengths of 9, 10 and 11 are no query at all; RFC 2236 §6: at least 8."""
    is_query = message[:1] == b"\x11"
    if is_query and length > 8 and rules.igmp_max_version == 3:
        return 12
    return igmp_least(message[:1])


def igmp_least(type_: bytes) -> int:
    """RFC 4286 §4, §5: Solicitation and Termination have four octets."""
    return 4 if type_ in (b"\x31", b"\x32") else 8


def router_alert(options: list[bytes] | None) -> bool:
    """RFC 2113: of length 4, and 0 is the only value with a meaning."""
    return options is not None and ROUTER_ALERT in options


def ipv4_options(options: bytes) -> list[bytes] | None:
    """The options but No Operation; None if they are malformed or too many."""
    whole: list[bytes] = []
    at = 0
    for _ in range(MOST_OPTIONS):
        if at >= len(options) or options[at] == 0:
            return whole
        if options[at] == 1:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        least = 4 if options[at] == ROUTER_ALERT[0] else 2
        if length < least or at + length > len(options):
            return None
        whole.append(options[at : at + length])
        at += length
    return whole if at >= len(options) or options[at] == 0 else None


def check_igmp(
    found: Findings, message: bytes, source: IPv4Address, destination: IPv4Address, rules: Rules
) -> None:
    kind = found.kind
    if source.is_multicast or source.is_loopback or source == IPv4Address("255.255.255.255"):
        found.wrong.add("bad_source")
    if destination == IPv4Address("255.255.255.255"):
        found.wrong.add("bad_destination")
    if not destination.is_multicast:
        found.to_assigned = True
    group = IPv4Address(message[4:8])
    if kind.startswith("igmp query"):
        check_igmp_query(found, message, destination, rules)
    elif kind in ("igmp report 1", "igmp report 2", "igmp leave 2") and not group.is_multicast:
        found.wrong.add("bad_group")
    found.from_others = kind.startswith("igmp report")
    if kind == "igmp other" and message[0] not in IGMP_ROUTER_TYPES:
        found.wrong.add("unknown_type")


def check_igmp_query(
    found: Findings, message: bytes, destination: IPv4Address, rules: Rules
) -> None:
    group = IPv4Address(message[4:8])
    read_as_version_1 = (
        found.kind == "igmp query 1"
        or rules.igmp_max_version == 1
        or (rules.igmp_max_version == 2 and message[1] == 0)
    )
    is_general = read_as_version_1 or int(group) == 0
    if destination.is_multicast and destination != ALL_HOSTS_4:
        if is_general:
            found.wrong.add("bad_destination")
        elif destination != group:
            found.to_assigned = True
    if not read_as_version_1 and int(group) and not group.is_multicast:
        found.wrong.add("bad_group")
    if found.kind == "igmp query 3" and rules.igmp_max_version == 3:
        check_sources(found, message[8:], int(group) == 0, 4)


def check_sources(found: Findings, tail: bytes, is_general: bool, width: int) -> None:
    """`tail`: flags, QQIC, Number of Sources, the sources."""
    count = int.from_bytes(tail[2:4])
    if is_general and count:
        found.wrong.add("bad_group")
    if len(tail) < 4 + count * width:
        found.wrong.add("bad_source_count")


# IPv6 and MLD


@dataclass
class Chain:
    """Where the extension headers lead: `header` is the number of what is at `at`."""

    header: int
    at: int = 40
    alert: bool = False
    malformed: bool = False
    fragment: bool = False
    later_fragment: bool = False


def classify_ipv6(packet: bytes, rules: Rules) -> Verdict:
    """A chain of headers is followed as far as there are bytes, so that what it leads to is told
    even where the payload length says that it ends before.
    """
    if len(packet) < 40 or packet[0] >> 4 != 6:
        return NOT_OURS
    chain = walk(packet)
    if chain.header == 58 and not chain.later_fragment and chain.at < len(packet):
        return classify_icmpv6(packet, chain, rules)
    return Verdict("mld other", unreached(chain)) if chain.alert and unreached(chain) else NOT_OURS


def unreached(chain: Chain) -> str | None:
    """What is wrong with a packet of MLD's Router Alert, the type of which cannot be told."""
    if chain.header != 58:
        return "bad_length" if chain.malformed else None
    return "fragment" if chain.fragment else "too_short"


def classify_icmpv6(packet: bytes, chain: Chain, rules: Rules) -> Verdict:
    type_ = packet[chain.at]
    if type_ not in MLD_TYPES:
        return NOT_OURS
    end = 40 + int.from_bytes(packet[4:6])
    length = max(0, end - chain.at)
    message = packet[chain.at : chain.at + length]
    found = Findings(mld_kind(type_, length), chain.at, length)
    if chain.fragment:
        found.wrong.add("fragment")
    if len(message) < mld_fixed_part(type_, length, rules):
        found.wrong.add("too_short")
    if chain.malformed or end > len(packet):
        found.wrong.add("bad_length")
    if found.wrong:
        return found.verdict()
    source, destination = IPv6Address(packet[8:24]), IPv6Address(packet[24:40])
    pseudo_header = packet[8:40] + len(message).to_bytes(4) + b"\0\0\0\x3a"
    if internet_checksum(pseudo_header + message):
        found.wrong.add("bad_checksum")
    if packet[7] != 1:
        found.wrong.add("bad_ttl")
    if not chain.alert:
        found.wrong.add("no_router_alert")
    check_mld(found, message, source, destination, rules)
    return found.verdict()


def walk(packet: bytes) -> Chain:
    """Hop-by-Hop Options if they come first, Destination Options, Fragment; up to the first header
    that is malformed, or one header or option too many.
    """
    chain, left = Chain(packet[6]), MOST_STEPS
    while chain.header in (0, 44, 60):
        header = packet[chain.at : chain.at + 8]
        is_late_hop_by_hop = chain.header == 0 and chain.at > 40
        if not left or len(header) < 8 or is_late_hop_by_hop:
            chain.malformed = True
            return chain
        left -= 1
        if chain.header == 44:
            chain.fragment = True
            chain.later_fragment = int.from_bytes(header[2:4]) & 0xFFF8 != 0
            length = 8
        else:
            length = 8 * (header[1] + 1)
            options = packet[chain.at + 2 :][: length - 2]
            alerts, steps = option_alerts(options, length - 2, left)
            chain.alert = chain.alert or (chain.header == 0 and 0 in alerts)
            chain.malformed = steps is None
            left -= steps or 0
        chain.header = header[0]
        chain.at += length
        if chain.malformed or chain.later_fragment:
            return chain
    return chain


def option_alerts(options: bytes, size: int, most: int) -> tuple[list[int], int | None]:
    """The values of Router Alerts in `size` bytes of options, and how many options there are; None
    if they are not sound: whole, not too many, none that says to discard the packet (RFC 8200
    §4.2).
    """
    alerts: list[int] = []
    at = 0
    for steps in range(most + 1):
        if at >= size:
            return alerts, steps
        if steps == most:
            break
        if options[at : at + 1] == b"\0":
            at += 1
            continue
        if at + 2 > len(options):
            break
        length = options[at + 1]
        if at + 2 + length > size:
            break
        if options[at] == 5 and length == 2:
            if at + 4 <= len(options):
                alerts.append(int.from_bytes(options[at + 2 : at + 4]))
        elif options[at] >> 6:
            break
        at += 2 + length
    return alerts, None


def mld_kind(type_: int, length: int) -> str:
    if type_ != MLD_QUERY:
        return MLD_KINDS[type_]
    return "mld query 2" if length >= 28 else "mld query 1"


def mld_fixed_part(type_: int, length: int, rules: Rules) -> int:
    """RFC 9777 §8.1: lengths of 25, 26 and 27 are no query at all; RFC 2710 §5: at least 24."""
    if type_ == 143:
        return 8
    return 28 if type_ == MLD_QUERY and length > 24 and rules.mld_max_version == 2 else 24


def check_mld(
    found: Findings, message: bytes, source: IPv6Address, destination: IPv6Address, rules: Rules
) -> None:
    kind = found.kind
    nameless = int(source) == 0 and kind in ("mld report 2", "mld leave 1")
    if not source.is_link_local and not nameless:
        found.wrong.add("bad_source")
    found.to_assigned = not destination.is_multicast
    found.from_others = kind.startswith("mld report")
    if kind == "mld report 2":
        return
    group = IPv6Address(message[8:24])
    is_query = kind.startswith("mld query")
    if is_query and destination not in (ALL_NODES_6, group):
        found.to_assigned = True
    if not group.is_multicast and not (is_query and int(group) == 0):
        found.wrong.add("bad_group")
    if kind == "mld query 2" and rules.mld_max_version == 2:
        check_sources(found, message[24:], int(group) == 0, 16)
