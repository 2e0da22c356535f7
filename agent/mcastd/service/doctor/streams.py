"""Checks the streams that arrive: on the right interface, complete, and wanted. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Unpack

from mcastd.gmp.time import Instant, in_seconds
from mcastd.net.names import word
from mcastd.service.doctor.finding import Evidence, Finding, Reasons, note
from mcastd.service.growing import Grown
from mcastd.service.namespaces.inside import command, qualified
from mcastd.streams.lines import StreamObject

COMING = frozenset({"live", "lossy", "elsewhere", "unwanted"})
"""States of a stream from which packets come now."""

Objects = Iterable[StreamObject]
"""As `mcastctl streams --json` shows them."""


class Joined(NamedTuple):
    """Where a group is joined, and whether anything comes there."""

    interface: str
    group: str


def judge(streams: Objects) -> Iterator[Finding]:
    """Of all streams of all interfaces."""
    coming = [each for each in streams if each["state"] in COMING]
    for each in coming:
        if each["state"] == "elsewhere":
            yield elsewhere(each)
        elif each["joined"] and each["wanted"] is False:
            yield filtered(each)
        elif each["state"] == "lossy":
            yield lossy(each)
    yield from duplicates(coming)


LATELY_SECONDS = 10.0
"""In which what is counted of an interface alone must have grown, to be worth a word."""


def rests(name: str, growing: Mapping[str, Grown], at: Instant) -> Iterator[Finding]:
    """What came by an interface and belongs to no stream: fragments, and what found no room."""
    for what, grown in growing.items():
        if in_seconds(at - grown.at) > LATELY_SECONDS:
            continue
        evidence = (Evidence(f"{what} {grown.number}", "mcastctl status --json"),)
        if what == "fragments":
            senders = f"tcpdump -n -i {word(name)} 'ip multicast and ip[6:2] & 0x1fff != 0'"
            yield note(
                "streams_fragmented",
                f"multicast comes in fragments: {grown.number} beside the first ones so far",
                "have senders send no more than the path MTU allows (1472 bytes of UDP over "
                f"IPv4 and Ethernet); who they are: {command(senders)}",
                why="one lost fragment loses the whole datagram, and firewalls and switches often "
                "drop or misplace all fragments but the first",
                evidence=evidence,
            )
        else:
            yield note(
                "streams_untracked",
                f"there is no room for more streams: {grown.number} packets of others so far are "
                "not counted",
                "raise max_streams in [streams] (mcastd.toml), then: systemctl restart mcastd; "
                "or block groups that nobody has joined at the switch: "
                f"mcastctl streams {word(qualified(name))}",
                why="mcastd sees neither losses nor sources of these streams; streams of joined "
                "groups come first",
                evidence=evidence,
            )


def label(each: StreamObject) -> str:
    port = f"port {each['port']}"
    return f"{each['group']} ({port}) from {each['source']}"


def shows(each: StreamObject) -> str:
    return f"mcastctl streams {word(qualified(each['interface'] or ''))} {each['group']}"


def made(kind: str, each: StreamObject, text: str, remedy: str, **more: Unpack[Reasons]) -> Finding:
    return Finding(
        kind,
        text,
        remedy,
        interface=each["interface"],
        protocol="mld" if ":" in each["group"] else "igmp",
        group=each["group"],
        **more,
    )


def elsewhere(each: StreamObject) -> Finding:
    name = each["interface"]
    return made(
        "arrives_elsewhere",
        each,
        f"{label(each)} arrives on {name}, and is joined on another interface only",
        f"have the program join it on {name} (its address in IP_ADD_MEMBERSHIP, or the index in "
        "MCAST_JOIN_GROUP), or have the network send it where it is joined",
        why="a join holds for one interface; what comes by another is not received",
        evidence=(
            Evidence(f"{each['packets']} packets on {name}", shows(each)),
            Evidence("where it is joined", "mcastctl groups --json"),
        ),
    )


def filtered(each: StreamObject) -> Finding:
    return made(
        "source_filtered",
        each,
        f"{label(each)} arrives, and the filter of the group does not let that source through",
        "have the program that joined it name that source, or join from any source",
        why="the kernel drops it: no socket wants it",
        evidence=(
            Evidence(f"{each['packets']} packets from {each['source']}", shows(each)),
            Evidence(
                "mode and sources",
                f"mcastctl groups {word(qualified(each['interface'] or ''))} {each['group']}",
            ),
        ),
    )


def lossy(each: StreamObject) -> Finding:
    return made(
        "stream_lossy",
        each,
        f"{label(each)} loses packets before it gets here: {each['lost']} of "
        f"{each['packets'] + (each['lost'] or 0)} by its numbers",
        "look at the switches and links on the way from the source: queues, errors, rate limits",
        why="the NIC did not get them; nothing on this host can bring them back",
        evidence=(Evidence(f"lost {each['lost']}", shows(each)),),
    )


def duplicates(coming: Objects) -> Iterator[Finding]:
    """The same numbers twice, or one stream by two VLANs."""
    ways: defaultdict[tuple[object, ...], list[StreamObject]] = defaultdict(list)
    for each in coming:
        ways[each["interface"], each["group"], each["port"], each["source"]].append(each)
        if each["duplicates"] and each["duplicates"] * 20 > each["packets"]:
            yield made(
                "duplicate_stream",
                each,
                f"{label(each)} comes twice in part: {each['duplicates']} of {each['packets']} "
                "packets are repetitions",
                "look for two ways from the source: a loop, a mirror port, two routers that both "
                "forward",
                why="it takes twice the bandwidth, and programs may count it as an error",
                evidence=(Evidence(f"duplicates {each['duplicates']}", shows(each)),),
            )
    for same in ways.values():
        if len(same) > 1:
            tags = ", ".join(str(each["vlan"] or "untagged") for each in same)
            yield made(
                "duplicate_stream",
                same[0],
                f"{label(same[0])} comes {len(same)} times, by several VLANs ({tags})",
                "take the group out of the VLANs that this port does not need",
                why="it takes twice the bandwidth of the link",
                evidence=(Evidence("a line for each VLAN", shows(same[0])),),
            )


def silent(streams: Objects, group: str) -> Iterator[Finding]:
    """Of one group that was asked for: joined, and nothing comes."""
    for each in streams:
        if each["group"] == group and each["state"] in ("silent", "stalled"):
            was = "nothing has come" if each["state"] == "silent" else "nothing comes any more"
            yield made(
                "no_data",
                each,
                f"{group} is joined on {each['interface']}, and {was} to the NIC",
                "ask the sender whether it sends, and with a TTL that reaches here (1 does not "
                "cross a router); then look at the switches on the way: is this port a member "
                "there?",
                why="the data is lost before it reaches this host",
                evidence=(Evidence(f"state {each['state']}", shows(each)),),
            )
