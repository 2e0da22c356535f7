"""Finds what else on this host affects IGMP and MLD, and disturbs host mode."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mcastd.gmp.time import in_seconds
from mcastd.net.names import raw, word
from mcastd.service.clock import now, wall_clock
from mcastd.service.interface import Interface
from mcastd.service.kernel_version import Older
from mcastd.service.namespaces import inside
from mcastd.service.namespaces.inside import command

log = logging.getLogger("mcastd")

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


def of_interface(interface: Interface, host: Host | None = None) -> list[str]:
    """What an operator should know about an interface that is there, each with a remedy."""
    if interface.index is None:
        return []
    stuck = (
        fallen_back(name, each, told=interface.observers[name].is_holding)
        for name, each in kept_older(interface).items()
    )
    renamed = [] if interface.run_as is None else [as_before(interface.name, interface.run_as)]
    return [*renamed, *stuck, *remarks(interface.name, interface.index, host=host)]


def as_before(name: str, configured: str) -> str:
    """Of an interface whose name is not configured, while the one that it had is."""
    return (
        f"this name is not configured: it is run as {configured} was, until mcastctl reload or a "
        f"restart; name it: [interface.{name}]"
    )


def kept_older(interface: Interface) -> dict[str, Older]:
    """By family: the kernel keeps to an older version than the agent, though nobody forced it."""
    found: dict[str, Older] = {}
    for name, observer in interface.observers.items():
        older = interface.kernel_versions[name].older(now())
        if older is None or older.version >= observer.host.version:
            continue
        found[name] = older
    return found


def is_forced(name: str, protocol: str) -> bool:
    """Whether an administrator has forced an older version on the interface, or on all."""
    return any(forced(where, PROC, protocol) for where in ("all", name))


def fallen_back(protocol: str, older: Older, *, told: bool) -> str:
    """The kernel heard an older query that the agent does not go by, and cannot be told so.

    `told`: the agent speaks for it meanwhile.
    """
    rest = max(0.0, in_seconds(older.until - now()))
    clock = time.strftime("%H:%M:%S", time.localtime(wall_clock(older.until)))
    meanwhile = (
        "the agent tells its groups and their sources until then"
        if told
        else "no sources are reported until then"
    )
    until = f"until {clock}" if older.is_exact else f"until {clock} at the latest"
    return (
        f"the kernel has heard an older {protocol.upper()} query and keeps to version "
        f"{older.version} {until} ({rest:.0f} s): {meanwhile}"
    )


def remarks(
    name: str,
    index: int,
    proc: Path = PROC,
    links: Path = NETWORKD_LINKS,
    *,
    host: Host | None = None,
) -> list[str]:
    """Of those, what the system's files say."""
    host = host or Host.now(proc)
    return [
        *host.forced,
        *forced_versions(name, proc),
        *host.speakers,
        *networkd(name, read(f"{links}/{index}")),
    ]


def forced_versions(name: str, proc: Path) -> Iterator[str]:
    """A kernel forced to an older version reports no sources; that is never overridden.

    `name`: of an interface, or "all".
    """
    for protocol, (folder, key, _) in FORCED.items():
        value = forced(name, proc, protocol)
        if value:
            sysctl = f"{folder}/{name}/{key}"
            reset = command(f"sysctl -w {word(sysctl)}=0")
            yield (
                f"{sysctl} = {value}: the kernel reports no sources ({reset}, and "
                "igmp_max_version or mld_max_version here instead)"
            )


def forced_version(protocol: str, name: str) -> tuple[int, str] | None:
    """To which older version the kernel is forced on an interface, and by which sysctl.

    Of the interface's and that of all interfaces, the lower one counts.
    """
    folder, key, _ = FORCED[protocol]
    found = [
        (value, f"{folder}/{each}/{key}")
        for each in ("all", name)
        if (value := forced(each, PROC, protocol))
    ]
    return min(found, default=None)


def forced(name: str, proc: Path, protocol: str) -> int:
    """The older version that is forced; 0 if none is."""
    folder, key, newest = FORCED[protocol]
    value = read(f"{proc}/sys/{folder}/{os.fsdecode(raw(name))}/{key}").strip()
    return int(value) if value.isdecimal() and int(value) < newest else 0


def other_speakers(raw_sockets: str) -> Iterator[str]:
    """Another daemon that speaks IGMP: a router, a querier, a proxy. The agent has no such socket.

    `raw_sockets`: the text of /proc/net/raw.
    """
    count = igmp_sockets(raw_sockets)
    if count:
        are = "socket is" if count == 1 else "sockets are"
        shown = command("ss --raw -a -p")
        yield f"{count} raw IGMP {are} open: another daemon speaks IGMP here ({shown})"


def igmp_sockets(raw_sockets: str) -> int:
    """The local address of a raw socket ends in its protocol."""
    found = 0
    for line in raw_sockets.splitlines()[1:]:
        fields = line.split()
        protocol = fields[1].rpartition(":")[2] if len(fields) > 1 else ""
        found += protocol != "" and int(protocol, 16) == PROTOCOL_IGMP
    return found


def networkd(name: str, link: str) -> Iterator[str]:
    """`link`: what systemd-networkd keeps about the interface: it is in no other namespace."""
    if inside.name() is not None:
        return
    file = dict(line.partition("=")[::2] for line in link.splitlines()).get("NETWORK_FILE")
    for line in read(file).splitlines() if file else ():
        key, _, value = line.partition("=")
        if key.strip() == "MulticastIGMPVersion" and value.strip() in ("v1", "v2"):
            yield f"{file}: {line.strip()}: systemd-networkd forces {name} to an older version"


def read(path: str) -> str:
    """What cannot be read says nothing."""
    try:
        with open(path, errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


MOST_REMARKS = 1000
"""That are known to be logged: they name interfaces, which come and go."""


class Remarks:
    """Those that were logged, so that each is logged once."""

    def __init__(self) -> None:
        self._logged: dict[str, None] = {}

    def log(self, interface: Interface) -> None:
        """What gets in the way on the interface, if it was not said before."""
        for text in of_interface(interface):
            if text not in self._logged:
                log.warning("%s: %s", interface.name, text)
            self._logged[text] = None
        while len(self._logged) > MOST_REMARKS:
            del self._logged[next(iter(self._logged))]
