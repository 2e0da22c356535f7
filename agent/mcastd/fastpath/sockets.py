"""Reads from the kernel which groups sockets have joined, and whose sockets they are.

The program is loaded, and the iterator's link made, while there is the right to; reading takes none
and may be done in any thread. It takes some 30 ms for 100,000 open files, nearly all of it in the
kernel, where the interpreter's lock is not held.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from mcastd import _native
from mcastd._libbpf import lib
from mcastd._native import ffi as native_ffi
from mcastd._native import lib as native
from mcastd.fastpath.btf import KernelTypes
from mcastd.fastpath.kernel import AttachType, Kernel, Link, checked

PROGRAM = "mcast_sockets"

OFFSETS = {
    "socket_sk": ("socket", "sk"),
    "sock_family": ("sock", "__sk_common.skc_family"),
    "sock_net": ("sock", "__sk_common.skc_net.net"),
    "net_inum": ("net", "ns.inum"),
    "file_inode": ("file", "f_inode"),
    "inode_number": ("inode", "i_ino"),
    "sock_list4": ("inet_sock", "mc_list"),
    "sock_inet6": ("inet_sock", "pinet6"),
    "inet6_list": ("ipv6_pinfo", "ipv6_mc_list"),
    "task_tgid": ("task_struct", "tgid"),
    "task_comm": ("task_struct", "comm"),
    "task_cred": ("task_struct", "cred"),
    "cred_euid": ("cred", "euid"),
    "task_cgroups": ("task_struct", "cgroups"),
    "set_cgroup": ("css_set", "dfl_cgrp"),
    "cgroup_node": ("cgroup", "kn"),
    "node_id": ("kernfs_node", "id"),
    "item4_next": ("ip_mc_socklist", "next_rcu"),
    "item4_group": ("ip_mc_socklist", "multi.imr_multiaddr"),
    "item4_ifindex": ("ip_mc_socklist", "multi.imr_ifindex"),
    "item4_mode": ("ip_mc_socklist", "sfmode"),
    "item4_list": ("ip_mc_socklist", "sflist"),
    "item6_next": ("ipv6_mc_socklist", "next"),
    "item6_group": ("ipv6_mc_socklist", "addr"),
    "item6_ifindex": ("ipv6_mc_socklist", "ifindex"),
    "item6_mode": ("ipv6_mc_socklist", "sfmode"),
    "item6_list": ("ipv6_mc_socklist", "sflist"),
    "list4_count": ("ip_sf_socklist", "sl_count"),
    "list4_sources": ("ip_sf_socklist", "sl_addr"),
    "list6_count": ("ip6_sf_socklist", "sl_count"),
    "list6_sources": ("ip6_sf_socklist", "sl_addr"),
}
"""Members of struct mcast_offsets, and where in the kernel they are looked up."""

SOCK_FLAGS = ("inet_sock", "inet_flags")
"""Likewise, since Linux 6.6."""

TAKES_ALL = {4: 1 << 14, 16: 1 << 22}
"""INET_FLAGS_MC_ALL and INET_FLAGS_MC6_ALL, by the width of addresses."""

RECORD = struct.Struct("=QQ16xIIIIIIIIIII4x16s16s512s")
"""struct mcast_socket."""

AT_ONCE = 256
"""Records copied out of the ring in one call."""


class SocketPart(NamedTuple):
    """A part of one socket's filter of one group: the sources from `first` on, of `total`.

    `sock` tells sockets apart. `mode`: 0 EXCLUDE, 1 INCLUDE. `sources`: packed, as many as are
    told. `cgroup`: the number of the process's control group. `inode`: the socket's. `takes_all`:
    it is handed what any socket of the host has joined (IP_MULTICAST_ALL); None if this kernel does
    not tell.
    """

    sock: int
    cgroup: int
    pid: int
    uid: int
    name: str
    ifindex: int
    mode: int
    total: int
    first: int
    group: bytes
    sources: bytes
    inode: int = 0
    takes_all: bool | None = None


class Sockets:
    """The iterator. One reading at a time: the others wait for it."""

    def __init__(self, kernel: Kernel) -> None:
        """OSError, with the reason, if this kernel has no such iterator or does not permit it."""
        ring = kernel.maps["socket_events"]
        with KernelTypes() as types:
            offsets = native_ffi.new("struct mcast_offsets *")
            for name, (struct_, path) in OFFSETS.items():
                setattr(offsets, name, types.offset(struct_, path))
            self._has_flags = types.has(*SOCK_FLAGS)
            if self._has_flags:
                offsets.sock_flags = types.offset(*SOCK_FLAGS)
        offsets.namespace_ = Path("/proc/self/ns/net").stat().st_ino
        kernel.maps["socket_offsets"].update(bytes(4), bytes(native_ffi.buffer(offsets)))
        self._link = Link(kernel.program(PROGRAM), 0, AttachType.ITERATOR)
        self._ring = native.mcast_ring_open(ring.fd, ring.spec.entries)
        if not self._ring:
            self._link.close()
            raise OSError(native_ffi.errno, "the ring of the sockets cannot be mapped")
        self._room = native_ffi.new("uint8_t[]", AT_ONCE * RECORD.size)
        self._lock = Lock()

    def read(self) -> list[SocketPart]:
        """All there are now. OSError."""
        with self._lock:
            return self._read()

    def _read(self) -> list[SocketPart]:
        found: list[SocketPart] = []
        iterator = checked("reading the sockets", lib.bpf_iter_create(self._link.fd))
        try:
            while True:
                try:
                    over = not os.read(iterator, 4096)
                except BlockingIOError:  # the ring is full, or very many files were looked at
                    over = False
                self._drain(found)
                if over:
                    return found
        finally:
            os.close(iterator)

    def _drain(self, found: list[SocketPart]) -> None:
        count = AT_ONCE
        while count == AT_ONCE:
            count = native.mcast_ring_copy(self._ring, self._room, RECORD.size, AT_ONCE)
            content = native_ffi.buffer(self._room, count * RECORD.size)
            read = RECORD.iter_unpack(content)
            found += (part_of(fields, has_flags=self._has_flags) for fields in read)

    def close(self) -> None:
        if self._ring:
            self._link.close()
            native.mcast_ring_close(self._ring)
            self._ring = native_ffi.NULL


def part_of(fields: tuple[Any, ...], *, has_flags: bool) -> SocketPart:
    sock, cgroup, _, pid, uid, _, ifindex, mode, total, first, width, *rest = fields
    inode, flags, group, name, listed = rest
    told = min(total - first, len(listed) // width)
    return SocketPart(
        sock,
        cgroup,
        pid,
        uid,
        name.partition(b"\0")[0].decode(errors="replace"),
        ifindex,
        mode,
        total,
        first,
        group[:width],
        listed[: told * width],
        inode,
        bool(flags & TAKES_ALL[width]) if has_flags else None,
    )


assert _native.ffi.sizeof("struct mcast_socket") == RECORD.size
