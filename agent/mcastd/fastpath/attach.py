"""Where a program gets a place on an interface: the best hook that is free, never somebody else's.

XDP for frames in several buffers, XDP plain, generic XDP, the TCX ingress hook, and before Linux
6.6 traffic control's clsact. All but the last are links, which end with this process whatever
happens.
"""

from __future__ import annotations

import errno
import os
from enum import Enum
from typing import Any, NamedTuple, Protocol

from mcastd._libbpf import ffi, lib
from mcastd.fastpath.kernel import AttachType, Kernel, Link, Program, checked

XDP_FLAGS_SKB_MODE = 1 << 1
XDP_FLAGS_DRV_MODE = 1 << 2
TC_INGRESS, TC_EGRESS = 1, 2
CLSACT_PRIORITY, CLSACT_HANDLE = 49151, 0x9776
"""Where our filter stands in clsact: behind all that others are likely to choose."""


class Hook(Enum):
    """Labels of metrics and of `mcastctl status`."""

    XDP_NATIVE = "xdp-native"
    XDP_GENERIC = "xdp-generic"
    TCX = "tcx"
    CLSACT = "clsact"
    NONE = "none"


class Closable(Protocol):
    def close(self) -> None: ...


class ClsactFilter:
    """A filter in clsact: it stays if this process is killed, and is replaced at the next start."""

    def __init__(self, program: Program, ifindex: int, point: int) -> None:
        self._hook = ffi.new("struct bpf_tc_hook *")
        self._hook.sz = ffi.sizeof("struct bpf_tc_hook")
        self._hook.ifindex, self._hook.attach_point = ifindex, point
        created = lib.bpf_tc_hook_create(self._hook)
        if created != -errno.EEXIST:
            checked("clsact", created)
        options = self._options()
        options.prog_fd, options.flags = program.fd, 1  # BPF_TC_F_REPLACE: an older one of ours
        checked(f"attaching {program.name} to clsact", lib.bpf_tc_attach(self._hook, options))
        self._is_attached = True

    @staticmethod
    def _options() -> Any:
        options = ffi.new("struct bpf_tc_opts *")
        options.sz = ffi.sizeof("struct bpf_tc_opts")
        options.handle, options.priority = CLSACT_HANDLE, CLSACT_PRIORITY
        return options

    def close(self) -> None:
        if self._is_attached:
            lib.bpf_tc_detach(self._hook, self._options())
        self._is_attached = False


class Attachment(NamedTuple):
    """What is attached to an interface, and why nothing better is."""

    ifindex: int
    ingress: Hook
    egress: Hook
    reasons: tuple[str, ...]
    links: tuple[Closable, ...]

    def close(self) -> None:
        """Does nothing when it is done again."""
        for link in self.links:
            link.close()


def said(error: OSError) -> str:
    """The kernel's reason, and what it means here."""
    meaning = {
        errno.EBUSY: "another program is there",
        errno.EEXIST: "another program is there",
        errno.ERANGE: "the MTU is too large for it",
        errno.EOPNOTSUPP: "the driver cannot",
        errno.EPERM: "not permitted: CAP_BPF and CAP_NET_ADMIN are needed",
    }.get(error.errno or 0)
    return meaning or os.strerror(error.errno or 0)


def attach(kernel: Kernel, ifindex: int) -> Attachment:
    """Attaches to both directions; OSError if one of them has no place at all."""
    reasons: list[str] = []
    ingress, ingress_link = attach_ingress(kernel, ifindex, reasons)
    try:
        egress, egress_link = attach_tc(kernel, ifindex, "mcast_egress", reasons)
    except OSError:
        ingress_link.close()
        raise
    return Attachment(ifindex, ingress, egress, tuple(reasons), (ingress_link, egress_link))


def attach_ingress(kernel: Kernel, ifindex: int, reasons: list[str]) -> tuple[Hook, Closable]:
    ladder = (
        (Hook.XDP_NATIVE, True, XDP_FLAGS_DRV_MODE, "native XDP for any MTU"),
        (Hook.XDP_NATIVE, False, XDP_FLAGS_DRV_MODE, "native XDP"),
        (Hook.XDP_GENERIC, True, XDP_FLAGS_SKB_MODE, "generic XDP"),
    )
    for hook, frags, flags, name in ladder:
        try:
            program = kernel.program("mcast_xdp", frags=frags)
            return hook, Link(program, ifindex, AttachType.XDP, flags)
        except OSError as error:
            reasons.append(f"{name}: {said(error)}")
            if error.errno in (errno.EBUSY, errno.EEXIST):
                break  # the other modes exclude one another too
    return attach_tc(kernel, ifindex, "mcast_ingress", reasons)


def attach_tc(kernel: Kernel, ifindex: int, name: str, reasons: list[str]) -> tuple[Hook, Closable]:
    ingress = name == "mcast_ingress"
    program = kernel.program(name)
    try:
        kind = AttachType.TCX_INGRESS if ingress else AttachType.TCX_EGRESS
        return Hook.TCX, Link(program, ifindex, kind)
    except OSError as error:
        if error.errno != errno.EINVAL:  # what a kernel before 6.6 says
            raise
        reasons.append("TCX: needs Linux 6.6")
    return Hook.CLSACT, ClsactFilter(program, ifindex, TC_INGRESS if ingress else TC_EGRESS)
