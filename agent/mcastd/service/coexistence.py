"""What else on this host has a say in IGMP and MLD, and gets in the way of host mode."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from mcastd.net.names import raw, word

PROC = Path("/proc")
NETWORKD_LINKS = Path("/run/systemd/netif/links")
PROTOCOL_IGMP = 2

FORCED = {
    "igmp": ("net/ipv4/conf", "force_igmp_version", 3),
    "mld": ("net/ipv6/conf", "force_mld_version", 2),
}
"""Where the kernel's version can be forced, and the newest version.

With slashes for sysctl(8), too: the name of an interface may have dots.
"""


class Host(NamedTuple):
    """What concerns all interfaces: read once, however many there are.

    `forced`: the remarks on versions that are forced everywhere; `speakers`: on other daemons.
    """

    forced: tuple[str, ...]
    speakers: tuple[str, ...]

    @classmethod
    def now(cls, proc: Path = PROC) -> Host:
        return cls(
            tuple(forced_versions("all", proc)), tuple(other_speakers(read(f"{proc}/net/raw")))
        )


def remarks(
    name: str,
    index: int,
    proc: Path = PROC,
    links: Path = NETWORKD_LINKS,
    *,
    newest: bool = False,
    host: Host | None = None,
) -> list[str]:
    """What an operator should know about an interface, each with a remedy."""
    host = host or Host.now(proc)
    return [
        *(fallen_back(index, lines(proc / "net/igmp")) if newest else ()),
        *host.forced,
        *forced_versions(name, proc),
        *host.speakers,
        *networkd(name, read(f"{links}/{index}")),
    ]


def forced_versions(name: str, proc: Path) -> Iterator[str]:
    """A kernel forced to an older version reports no sources; that is never overridden.

    `name`: of an interface, or "all".
    """
    for folder, key, newest in FORCED.values():
        value = read(f"{proc}/sys/{folder}/{os.fsdecode(raw(name))}/{key}").strip()
        if value.isdecimal() and 0 < int(value) < newest:
            sysctl = f"{folder}/{name}/{key}"
            yield (
                f"{sysctl} = {value}: the kernel reports no sources (sysctl -w {word(sysctl)}=0, "
                "and igmp_max_version or mld_max_version here instead)"
            )


def forced_version(family: str, name: str, proc: Path = PROC) -> tuple[int, str] | None:
    """To which older version the kernel is forced on an interface, and by which sysctl.

    Of the interface's and that of all interfaces, the lower one counts.
    """
    folder, key, newest = FORCED[family]
    found = []
    for each in ("all", name):
        value = read(f"{proc}/sys/{folder}/{os.fsdecode(raw(each))}/{key}").strip()
        if value.isdecimal() and 0 < int(value) < newest:
            found.append((int(value), f"{folder}/{each}/{key}"))
    return min(found, default=None)


def other_speakers(raw_sockets: str) -> Iterator[str]:
    """Another daemon that speaks IGMP: a router, a querier, a proxy. The agent has no such socket.

    `raw_sockets`: the text of /proc/net/raw.
    """
    count = igmp_sockets(raw_sockets)
    if count:
        are = "socket is" if count == 1 else "sockets are"
        yield f"{count} raw IGMP {are} open: another daemon speaks IGMP here (ss --raw -a -p)"


def igmp_sockets(raw_sockets: str) -> int:
    """The local address of a raw socket ends in its protocol."""
    found = 0
    for line in raw_sockets.splitlines()[1:]:
        fields = line.split()
        protocol = fields[1].rpartition(":")[2] if len(fields) > 1 else ""
        found += protocol != "" and int(protocol, 16) == PROTOCOL_IGMP
    return found


def fallen_back(index: int, igmp: Iterable[str]) -> Iterator[str]:
    """A kernel that is kept in the newest version, but heard an older query before that.

    `igmp`: the lines of /proc/net/igmp, of which the first are headings and the last column is the
    version spoken. No more are read than need be: behind the interface's own come its groups, of
    which a hundred thousand take the kernel two seconds.
    """
    for line in igmp:
        fields = line.split()
        if not line.startswith("\t") and len(fields) > 1 and fields[0] == str(index):
            if fields[-1] in ("V1", "V2"):
                yield (
                    "the kernel heard an older IGMP query before those were kept from it, and "
                    f"keeps to {fields[-1]} for some minutes: it reports no sources until then"
                )
            return


def networkd(name: str, link: str) -> Iterator[str]:
    """`link`: what systemd-networkd keeps about the interface."""
    file = dict(line.partition("=")[::2] for line in link.splitlines()).get("NETWORK_FILE")
    for line in read(file).splitlines() if file else ():
        key, _, value = line.partition("=")
        if key.strip() == "MulticastIGMPVersion" and value.strip() in ("v1", "v2"):
            yield f"{file}: {line.strip()}: systemd-networkd forces {name} to an older version"


def lines(path: Path) -> Iterator[str]:
    """One by one. What cannot be read says nothing."""
    try:
        with path.open(errors="replace") as stream:
            yield from stream
    except OSError:
        return


def read(path: str) -> str:
    """What cannot be read says nothing."""
    try:
        with open(path, errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""
