"""Attaches a program to traffic control's clsact, where a kernel has no TCX hook (before 6.6)."""

from __future__ import annotations

import errno
from typing import Any

from mcastd._libbpf import ffi, lib
from mcastd.fastpath.kernel import Program, checked

TC_INGRESS, TC_EGRESS = 1, 2
CLSACT_PRIORITY, CLSACT_HANDLE = 49151, 0x9776
"""Where our filter stands in clsact: behind all that others are likely to choose."""


class ClsactFilter:
    """A filter in clsact: it stays if this process is killed, and is replaced at the next start."""

    def __init__(
        self, program: Program, ifindex: int, point: int, priority: int = CLSACT_PRIORITY
    ) -> None:
        self.program = program
        self._priority = priority
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
        self._program_id = int(options.prog_id)

    def is_attached(self) -> bool:
        """Whether the program is still there: another tool may have removed or replaced it."""
        options = self._options()
        found = self._is_attached and lib.bpf_tc_query(self._hook, options) == 0
        return bool(found and options.prog_id == self._program_id)

    def _options(self) -> Any:
        options = ffi.new("struct bpf_tc_opts *")
        options.sz = ffi.sizeof("struct bpf_tc_opts")
        options.handle, options.priority = CLSACT_HANDLE, self._priority
        return options

    def close(self) -> None:
        self.detach()

    def detach(self) -> None:
        if self._is_attached:
            lib.bpf_tc_detach(self._hook, self._options())
        self._is_attached = False
