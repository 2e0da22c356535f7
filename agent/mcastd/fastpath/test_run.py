"""Runs a loaded program on frames of our own (BPF_PROG_TEST_RUN)."""

from __future__ import annotations

from typing import NamedTuple

from mcastd._libbpf import ffi, lib
from mcastd.fastpath.kernel import Program, checked

ROOM = 16 * 1024
"""For the frame as the program leaves it."""


class Outcome(NamedTuple):
    """What the program returned, the frame as it left it, and the mean time of a run in ns."""

    value: int
    frame: bytes
    nanoseconds: int


def run(program: Program, frame: bytes, context: bytes = b"", *, repeat: int = 1) -> Outcome:
    """Runs it `repeat` times on the frame; OSError if the kernel does not take the frame.

    `context`: struct xdp_md or struct __sk_buff, as far as the kernel lets it be given.
    """
    options = ffi.new("struct bpf_test_run_opts *")
    options.sz = ffi.sizeof("struct bpf_test_run_opts")
    data, given, result = ffi.from_buffer(frame), ffi.from_buffer(context), ffi.new("char[]", ROOM)
    options.data_in, options.data_size_in = data, len(frame)
    if context:
        options.ctx_in, options.ctx_size_in = given, len(context)
    options.data_out, options.data_size_out = result, ROOM
    options.repeat = repeat
    checked(f"running {program.name}", lib.bpf_prog_test_run_opts(program.fd, options))
    value = int(ffi.cast("int32_t", options.retval))
    return Outcome(value, bytes(ffi.buffer(result, options.data_size_out)), int(options.duration))
