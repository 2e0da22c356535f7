"""What the verifier has to do for each program: a measure of how near its limits we are."""

from __future__ import annotations

import re
from typing import NamedTuple

from mcastd._libbpf import ffi
from mcastd.fastpath.kernel import Kernel, Map, Program, ProgramType
from mcastd.fastpath.objects import BpfObject, ProgramSpec

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
    found = {spec.name: _work_for(spec, kernel.maps) for spec in compiled.programs}
    kernel.close()
    return found


def measured(compiled: BpfObject, alone: str) -> dict[str, Work]:
    """The same of programs that each have a map of that name of their own. OSError."""
    kernel = Kernel(compiled)
    own = next(each for each in compiled.maps if each.name == alone)
    found = {
        spec.name: _work_for(spec, kernel.maps | {alone: Map(own)}) for spec in compiled.programs
    }
    kernel.close()
    return found


def _work_for(spec: ProgramSpec, maps: dict[str, Map]) -> Work:
    program = _Measured(spec, maps)
    walked = re.search(r"processed (\d+) insns", program.said)
    took = re.search(r"verification time (\d+) usec", program.said)
    assert walked, program.said
    program.close()
    return Work(int(walked[1]), int(took[1]) / 1000 if took else 0.0)
