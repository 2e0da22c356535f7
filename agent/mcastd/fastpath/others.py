"""Finds other agents' programs on an interface, as far as the kernel shows them."""

from __future__ import annotations

import errno
import sys

from mcastd._libbpf import ffi, lib
from mcastd.fastpath.kernel import AttachType, Descriptor, checked

MOST = 64
"""Programs at one hook."""

INFO_BYTES, NAME, USER = 128, slice(64, 80), slice(48, 52)
"""Of struct bpf_prog_info: as much as is asked for, `name` and `created_by_uid`."""


def users_of(name: str, ifindex: int) -> list[int] | None:
    """The users that have loaded programs of this name, which are at the egress hook, for each one.

    None if that cannot be seen: CAP_SYS_ADMIN is needed, and Linux 6.6.
    """
    ids, count = ffi.new("uint32_t[]", MOST), ffi.new("uint32_t *", MOST)
    flags = ffi.new("uint32_t *")
    if lib.bpf_prog_query(ifindex, AttachType.TCX_EGRESS, 0, flags, ids, count) < 0:
        return None
    found: list[int] = []
    for number in ids[0 : count[0]]:
        try:
            known, user = name_and_user(number)
        except OSError as error:
            if error.errno == errno.ENOENT:
                continue  # it has just gone
            return None
        if known == name[:15]:
            found.append(user)
    return found


def name_and_user(number: int) -> tuple[str, int]:
    """Of the program with this number, as it was loaded. OSError."""
    program = Descriptor(checked(f"BPF program {number}", lib.bpf_prog_get_fd_by_id(number)))
    try:
        info, size = ffi.new("char[]", INFO_BYTES), ffi.new("uint32_t *", INFO_BYTES)
        checked(f"BPF program {number}", lib.bpf_obj_get_info_by_fd(program.fd, info, size))
    finally:
        program.close()
    raw = bytes(ffi.buffer(info))
    name = raw[NAME].partition(b"\0")[0].decode(errors="replace")
    return name, int.from_bytes(raw[USER], sys.byteorder)
