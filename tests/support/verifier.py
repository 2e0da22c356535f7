"""What the verifier has to do for each program: a measure of how near its limits we are."""

from __future__ import annotations

import re
from typing import NamedTuple

from mcastd._libbpf import ffi
from mcastd.fastpath.kernel import Kernel, Program, ProgramType
from mcastd.fastpath.objects import BpfObject

BPF_LOG_STATS = 4
ROOM = 4096


class Work(NamedTuple):
    """Instructions that it walked through, of a million at most, and how long that took."""

    instructions: int
    milliseconds: float


class _Measured(Program):
    """A program that is loaded with the verifier's statistics asked for."""

    said = ""

    def _load(self, kind: ProgramType, code: bytearray, options: object) -> int:
        log = ffi.new("char[]", ROOM)
        options.log_buf, options.log_size, options.log_level = log, ROOM, BPF_LOG_STATS  # type: ignore[attr-defined]
        result = super()._load(kind, code, options)
        self.said = ffi.string(log).decode()
        return result


def work(compiled: BpfObject) -> dict[str, Work]:
    """By program. OSError if the kernel refuses one."""
    kernel = Kernel(compiled)
    found = {}
    for spec in compiled.programs:
        program = _Measured(spec, kernel.maps)
        walked = re.search(r"processed (\d+) insns", program.said)
        took = re.search(r"verification time (\d+) usec", program.said)
        assert walked, program.said
        found[spec.name] = Work(int(walked[1]), int(took[1]) / 1000 if took else 0.0)
        program.close()
    kernel.close()
    return found
