"""Attaches programs at the best hook of an interface that is free, never in another's place.

Native XDP for frames in several buffers, native XDP, the TCX ingress hook, and before Linux 6.6
traffic control's clsact. All but the last are links, which end with this process whatever happens.

Generic XDP is taken only where XDP is asked for: it costs more than traffic control's hook does,
and like native XDP it cannot see a VLAN tag that was taken out of the frame. Where a NIC takes tags
out, XDP counts, and a second program at traffic control's hook, which is told the tags, does the
rest.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import NamedTuple, Protocol

from mcastd._libbpf import ffi, lib
from mcastd.fastpath import virtio
from mcastd.fastpath.clsact import TC_EGRESS, TC_INGRESS, ClsactFilter
from mcastd.fastpath.errors import FastPathError
from mcastd.fastpath.hooks import Hook, HookChoice
from mcastd.fastpath.kernel import AttachType, Kernel, Link, Program, checked
from mcastd.fastpath.streams import BEHIND, Streams

XDP_FLAGS_SKB_MODE = 1 << 1
XDP_FLAGS_DRV_MODE = 1 << 2

BORROWED_DRIVERS = frozenset({"bonding", "team", "hv_netvsc", "net_failover"})
"""Devices whose frames come in by others. An XDP program on them runs on those others, under their
index; and while it is there, a bond takes no port that cannot have it."""

FORGETFUL_DRIVERS = frozenset({"vmxnet3"})
"""Drivers that no longer run the program once they have begun anew (ip link set down and up, mtu,
ethtool -G), although it stays attached: seen with vmxnet3 of Linux 6.12. Attached anew, it runs."""


class LinkFacts(NamedTuple):
    """What the driver of an interface says; see native/link_facts.h."""

    driver: str
    tags_taken_out: bool
    bus: str = ""

    @classmethod
    def of(cls, ifindex: int) -> LinkFacts:
        """OSError if there is no such interface in this thread's network namespace."""
        facts = ffi.new("struct mcast_link_facts *")
        checked(f"interface {ifindex}", lib.mcast_link_facts_of(ifindex, facts))
        driver, bus = (
            ffi.string(each).decode(errors="replace") for each in (facts.driver, facts.bus)
        )
        return cls(driver, bool(facts.tags_taken_out), bus)


class Closable(Protocol):
    program: Program

    def is_attached(self) -> bool: ...

    def detach(self) -> None: ...

    def close(self) -> None:
        """As `detach`, unless somebody else keeps it."""


class Attachment(NamedTuple):
    """What is attached to an interface, by which choice, and why nothing better is.

    `tags_taken_out`: XDP cannot see VLAN tags there, and a second program at traffic control's
    ingress hook looks at what XDP has counted. `streams`: they are counted, too.
    """

    ifindex: int
    ingress: Hook
    egress: Hook
    reasons: tuple[str, ...]
    links: tuple[Closable, ...]
    tags_taken_out: bool = False
    choice: HookChoice = HookChoice.AUTO
    streams: bool = False

    def is_whole(self) -> bool:
        """Whether all programs are still where they were attached."""
        return all(link.is_attached() for link in self.links)

    def is_outdated(self, choice: HookChoice, *, streams: bool = False) -> bool:
        """Whether it should be attached anew.

        By another choice now, or for `streams`, because somebody detached a program, or for other
        work of the driver, which has begun to take tags out, or no longer does.
        """
        if choice is not self.choice or streams is not self.streams or not self.is_whole():
            return True
        if self.ingress is not Hook.XDP_NATIVE:
            return False
        try:
            return LinkFacts.of(self.ifindex).tags_taken_out != self.tags_taken_out
        except OSError:
            return False  # it is gone, which others say

    def may_be_forgotten(self) -> bool:
        """Whether the driver runs the program no longer once it has begun anew.

        Also of one that would not take it, with frames as long as they are now: it may then.
        """
        try:
            return LinkFacts.of(self.ifindex).driver in FORGETFUL_DRIVERS
        except OSError:
            return False  # it is gone, which others say

    def close(self) -> None:
        """Does nothing when it is done again."""
        for link in self.links:
            link.detach()

    def leave(self) -> None:
        """Closes it; what the service manager keeps stays attached."""
        for link in self.links:
            link.close()


NO_TCX = "TCX: needs Linux 6.6"
NO_CLSACT = "this kernel has neither TCX (from 6.6 on) nor clsact: modprobe sch_ingress cls_bpf"


def said(error: OSError) -> str:
    """The kernel's reason, and what it means here."""
    meaning = {
        errno.EBUSY: "another program is there",
        errno.EEXIST: "another program is there",
        errno.ERANGE: "the MTU is too large for it",
        errno.EOPNOTSUPP: "the driver cannot",
        errno.EPERM: "not permitted: CAP_BPF and CAP_NET_ADMIN are needed",
        errno.ENOENT: NO_CLSACT,
    }.get(error.errno or 0)
    return meaning or os.strerror(error.errno or 0)


XDP_LADDER = (
    (Hook.XDP_NATIVE, True, XDP_FLAGS_DRV_MODE, "native XDP for any MTU"),
    (Hook.XDP_NATIVE, False, XDP_FLAGS_DRV_MODE, "native XDP"),
    (Hook.XDP_GENERIC, True, XDP_FLAGS_SKB_MODE, "generic XDP"),
)
"""Hook, whether for frames in several buffers, flags of the link, and what to call it."""

IN_FRONT = {behind: name for name, behind in BEHIND.items()}
"""The program that counts streams, by the one that it ends in."""

Split = Callable[[bool], None]
"""Is told whether the program at traffic control's hook stands behind one of XDP's."""


def attach(
    kernel: Kernel,
    ifindex: int,
    choice: HookChoice = HookChoice.AUTO,
    split: Split | None = None,
    streams: Streams | None = None,
) -> Attachment:
    """Attaches to both directions, with the programs that count `streams` if they are given.

    `split` is called before programs that share the work are attached, and when they are not.
    OSError if a direction has no place at all, FastPathError if the hook that was chosen is not to
    be had.
    """
    made = _Ingress(kernel, ifindex, split or (lambda _: None), streams)
    try:
        ingress = made.attach(choice)
        egress, egress_link = attach_tc(kernel, ifindex, "mcast_egress", made.reasons)
    except (OSError, FastPathError):
        made.close()
        raise
    links = (*made.links, egress_link)
    reasons = tuple(dict.fromkeys(made.reasons))
    return Attachment(
        ifindex, ingress, egress, reasons, links, made.is_split, choice, streams is not None
    )


class Front(NamedTuple):
    """What was attached in front of traffic control's hook; no `hook` if there was no place, for
    these `reasons`. `is_split`: traffic control's program is to stay behind it."""

    hook: Hook | None
    links: tuple[Closable, ...]
    is_split: bool
    reasons: tuple[str, ...]


def xdp_in_front(kernel: Kernel, ifindex: int, streams: Streams | None) -> Front:
    """The best of native XDP, where traffic control's hook is ours already. OSError: it is gone."""
    made = _Ingress(kernel, ifindex, lambda _: None, streams)
    made.is_split = made.facts.tags_taken_out
    hook = made.xdp(generic=False)
    return Front(hook, tuple(made.links), made.is_split, tuple(dict.fromkeys(made.reasons)))


class _Ingress:
    """The ingress hook of an interface, while a place for it is looked for."""

    def __init__(self, kernel: Kernel, ifindex: int, split: Split, streams: Streams | None) -> None:
        self.links: list[Closable] = []
        self.reasons: list[str] = []
        self.is_split = False
        self._kernel = kernel
        self._ifindex = ifindex
        self._split = split
        self._streams = streams
        self.facts = LinkFacts.of(ifindex)

    def attach(self, choice: HookChoice) -> Hook:
        hook = None if choice is HookChoice.TC else self.xdp(generic=choice is HookChoice.XDP)
        if hook is not None:
            return hook
        if choice is HookChoice.XDP:
            raise FastPathError(f'cannot attach: hook = "xdp": {"; ".join(self.reasons)}')
        if choice is HookChoice.TC:
            self.reasons.append('hook = "tc"')
        return self._traffic_control()

    def xdp(self, *, generic: bool) -> Hook | None:
        """The best of XDP's modes that is to be had; None, with reasons, if none is."""
        driver, ladder = self.facts.driver, list(XDP_LADDER if generic else XDP_LADDER[:2])
        if driver in BORROWED_DRIVERS:
            self.reasons.append(f"XDP: its frames come in by other interfaces ({driver})")
            return None
        if driver == virtio.DRIVER and virtio.fills_chains_of_pages(self.facts.bus, self._ifindex):
            self.reasons.append("native XDP: virtio_net does not run it without mergeable buffers")
            ladder = [each for each in ladder if each[0] is not Hook.XDP_NATIVE]
        for hook, frags, flags, name in ladder:
            self._stand_behind(self.facts.tags_taken_out or hook is Hook.XDP_GENERIC)
            try:
                program = self._program("mcast_xdp", frags=frags)
                self.links.append(Link(program, self._ifindex, AttachType.XDP, flags))
                return hook
            except OSError as error:
                self.reasons.append(f"{name}: {said(error)}")
                if error.errno in (errno.EBUSY, errno.EEXIST):
                    break  # the other modes exclude one another too
        self.close()
        return None

    def _program(self, name: str, *, frags: bool = False) -> Program:
        """The program, behind the one that counts streams where that belongs.

        Where two programs share the work, the one that is told the tags counts. OSError.
        """
        if self._streams is None or (self.is_split and name == "mcast_xdp"):
            return self._kernel.program(name, frags=frags)
        return self._streams.program(IN_FRONT[name], frags=frags)

    def _stand_behind(self, needed: bool) -> None:
        """Where XDP cannot see tags, the program that can stands behind it before it is there.

        Nothing is counted before XDP is, so that no message is counted twice.
        """
        if needed and not self.is_split:
            self._set_split(True)
            self._traffic_control()

    def _traffic_control(self) -> Hook:
        program = self._program("mcast_ingress")
        hook, link = attach_program(program, self._ifindex, "mcast_ingress", self.reasons)
        self.links.append(link)
        return hook

    def _set_split(self, on: bool) -> None:
        self.is_split = on
        self._split(on)

    def close(self) -> None:
        """Gives up what was attached."""
        for link in self.links:
            link.detach()
        self.links = []
        self._set_split(False)


def attach_tc(kernel: Kernel, ifindex: int, name: str, reasons: list[str]) -> tuple[Hook, Closable]:
    return attach_program(kernel.program(name), ifindex, name, reasons)


def attach_program(
    program: Program, ifindex: int, name: str, reasons: list[str]
) -> tuple[Hook, Closable]:
    """At the hook of traffic control for which `name` is made. OSError."""
    ingress = name == "mcast_ingress"
    try:
        kind = AttachType.TCX_INGRESS if ingress else AttachType.TCX_EGRESS
        return Hook.TCX, Link(program, ifindex, kind)
    except OSError as error:
        if error.errno != errno.EINVAL:  # what a kernel before 6.6 says
            raise
        reasons.append(NO_TCX)
    return Hook.CLSACT, ClsactFilter(program, ifindex, TC_INGRESS if ingress else TC_EGRESS)
