"""Builds `mcastd._native`: the headers beside this file are both the C interface and the cdef."""

import sys
from pathlib import Path

from cffi import FFI

HERE = Path(__file__).resolve().parent
BPF = HERE.parent / "bpf"
HEADERS = [
    BPF / "abi.h",
    BPF / "stream_abi.h",
    BPF / "pair_abi.h",
    HERE / "cpu.h",
    HERE / "source_list.h",
    HERE / "checksum.h",
    HERE / "classifier.h",
    HERE / "streams.h",
    HERE / "python_face.h",
    HERE / "ring_copy.h",
]
SOURCES = [
    "native/checksum.c",
    "native/classifier.c",
    "native/cpu.c",
    "native/python_face.c",
    "native/python_packing.c",
    "native/python_ring.c",
    "native/record_table.c",
    "native/ring.c",
    "native/ring_copy.c",
    "native/source_list.c",
    "native/source_list_avx2.c",
    "native/source_list_sort.c",
    "native/streams.c",
]

# Nothing here is for one processor alone: code for newer ones is chosen at run time (cpu.h).
FLAGS = ["-std=gnu11", "-O3", "-fvisibility=hidden"]


def declarations(header: Path) -> str:
    """The part of a header that cffi reads: all but preprocessor lines."""
    return "\n".join(
        line for line in header.read_text().splitlines() if not line.lstrip().startswith("#")
    )


ffibuilder = FFI()
for header in HEADERS:
    ffibuilder.cdef(declarations(header))
ffibuilder.set_source(
    "mcastd._native",
    "\n".join(f'#include "{header.name}"' for header in HEADERS),
    sources=SOURCES,
    depends=[str(header) for header in HERE.glob("*.h")],
    include_dirs=[str(HERE), str(BPF)],
    extra_compile_args=FLAGS,
    # python_face.c uses what the limited interface does not have.
    py_limited_api=False,
)

if __name__ == "__main__":
    ffibuilder.compile(verbose="-v" in sys.argv)
